//! Who works where: putting people to work at a branch and taking them away from it. Branches are told.

use super::model::{Role, Status};
use super::roster;
use crate::domains::members;
use crate::http::{Error, Result};
use crate::ids::{BranchId, OrganizationId, UserId};
use serde::Serialize;
use sqlx::{PgConnection, query, query_as, query_scalar};
use utoipa::ToSchema;

/// Somebody who works at a branch: `staff` of it, or an `admin` of the organization, who works everywhere. Who is not
/// `active` cannot sign in, here and at the branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Worker {
    pub user_id: UserId,
    #[schema(example = "Ada Lovelace")]
    pub name: String,
    #[schema(example = "ada@example.com")]
    pub email: String,
    #[schema(inline)]
    pub role: Role,
    #[schema(inline)]
    pub status: Status,
}

/// Staff of a branch and admins of its organization, by name.
pub async fn workers(
    db: &mut PgConnection,
    organization: OrganizationId,
    branch: BranchId,
) -> sqlx::Result<Vec<Worker>> {
    query_as!(
        Worker,
        r#"SELECT id AS user_id, name, email, role AS "role: Role", status AS "status: Status"
         FROM users
         WHERE organization_id = $1 AND (role = 'admin' OR role = 'staff' AND EXISTS (
             SELECT FROM branch_staff WHERE branch_id = $2 AND user_id = users.id))
         ORDER BY name, id"#,
        organization.0,
        branch.0,
    )
    .fetch_all(db)
    .await
}

/// Lets somebody work at a branch; a member becomes staff.
pub async fn put_to_work(
    db: &mut PgConnection,
    organization: OrganizationId,
    user: UserId,
    branch: BranchId,
) -> Result<Worker> {
    members::hold(db, organization).await?;
    let role = role(db, organization, user).await?;
    if !matches!(role, Role::Member | Role::Staff) {
        return Err(Error::Conflict("other_role"));
    }
    set_role(db, user, Role::Staff).await?;
    query!(
        "INSERT INTO branch_staff (user_id, branch_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        user.0,
        branch.0,
    )
    .execute(&mut *db)
    .await?;
    roster::tell_everywhere(db, organization, user).await?;
    let workers = workers(db, organization, branch).await?;
    workers.into_iter().find(|worker| worker.user_id == user).ok_or(Error::NotFound)
}

/// Lets somebody work at a branch no more; who works at no other is a member again.
pub async fn take_from_work(
    db: &mut PgConnection,
    organization: OrganizationId,
    user: UserId,
    branch: BranchId,
) -> Result<()> {
    members::hold(db, organization).await?;
    role(db, organization, user).await?;
    let gone =
        query!("DELETE FROM branch_staff WHERE user_id = $1 AND branch_id = $2", user.0, branch.0,);
    if gone.execute(&mut *db).await?.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    let left = query_scalar!(
        r#"SELECT EXISTS (SELECT FROM branch_staff WHERE user_id = $1) AS "left!""#,
        user.0,
    );
    if !left.fetch_one(&mut *db).await? {
        set_role(db, user, Role::Member).await?;
    }
    Ok(roster::tell_everywhere(db, organization, user).await?)
}

/// Of somebody of the organization; their account is locked until the transaction ends.
async fn role(db: &mut PgConnection, organization: OrganizationId, user: UserId) -> Result<Role> {
    let found = query_scalar!(
        r#"SELECT role AS "role: Role" FROM users WHERE id = $1 AND organization_id = $2
         FOR NO KEY UPDATE"#,
        user.0,
        organization.0,
    );
    found.fetch_optional(db).await?.ok_or(Error::NotFound)
}

async fn set_role(db: &mut PgConnection, user: UserId, role: Role) -> sqlx::Result<()> {
    query!("UPDATE users SET role = $2 WHERE id = $1", user.0, role as Role).execute(db).await?;
    Ok(())
}
