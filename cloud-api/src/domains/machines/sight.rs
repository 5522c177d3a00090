//! Which branches' machines somebody sees: where they work, and where they may train.

use crate::domains::{branches, members};
use crate::http::auth::Scope;
use crate::http::{Caller, Error, Result};
use crate::ids::{BranchId, MemberId, OrganizationId};
use sqlx::PgConnection;
use time::OffsetDateTime;

/// Branches in sight, and who the caller is among those who train.
#[derive(Debug)]
pub struct Sight {
    whole: Option<OrganizationId>,
    branches: Vec<BranchId>,
    pub member: Option<MemberId>,
}

impl Sight {
    pub async fn of(db: &mut PgConnection, caller: &Caller, now: OffsetDateTime) -> Result<Self> {
        let member = members::of_user(db, caller.organization, caller.user).await?;
        let member = member.map(|member| member.id);
        if let Scope::Organization(organization) = caller.scope() {
            return Ok(Self { whole: Some(organization), branches: Vec::new(), member });
        }
        let mut branches = caller.branches.clone();
        if let Some(member) = member {
            branches.extend(members::branches_now(db, member, now).await?);
        }
        Ok(Self { whole: None, branches, member })
    }

    pub fn scope(&self) -> Scope<'_> {
        self.whole.map_or(Scope::Branches(&self.branches), Scope::Organization)
    }

    /// Refuses a branch that is out of sight.
    pub async fn check(&self, db: &mut PgConnection, branch: BranchId) -> Result<()> {
        let is_seen = match self.whole {
            Some(own) => {
                branches::by_id(db, branch).await?.is_some_and(|it| it.organization_id == own)
            }
            None => self.branches.contains(&branch),
        };
        if is_seen { Ok(()) } else { Err(Error::NotFound) }
    }
}
