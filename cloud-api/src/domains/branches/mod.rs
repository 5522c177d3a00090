//! Gym locations. Each has a `site_no`, given once and never again, for codes with little room.

mod model;
mod settings;
mod store;

pub use model::Branch;
pub use settings::{SETTINGS, set};
pub use store::{by_id, by_name, is_time_zone, only, settings, today};

use crate::domains::edges::{registry_changed, secret_setting_changed};
use crate::domains::{accounts, members, organizations};
use crate::http::{Caller, Error, Result};
use crate::ids::{BranchId, OrganizationId};
use protocol::sync::changes::Change;
use sqlx::PgConnection;
use time::OffsetDateTime;

/// The number of no branch: codes with it are good in all.
pub const ANY_SITE: i32 = 0;

/// Opens a branch and tells its future edge what it needs to know of it, members and staff included. Others wait
/// with changes of these until the caller's transaction ends.
pub async fn open(
    db: &mut PgConnection,
    organization: OrganizationId,
    name: &str,
    time_zone: &str,
    now: OffsetDateTime,
) -> Result<Branch> {
    members::hold_alone(db, organization).await?;
    let branch = store::insert(db, organization, name, time_zone, now).await?;
    let settings = [
        ("branch_name", serde_json::Value::from(name)),
        ("site_no", branch.site_no.into()),
        ("time_zone", time_zone.into()),
    ];
    for (key, value) in settings {
        let setting = Change::Setting { key: key.to_owned(), value: value.to_string() };
        registry_changed(db, branch.id, &setting).await?;
    }
    if let Some(sealed) = organizations::sealed_sun_keys(db, organization).await? {
        secret_setting_changed(db, branch.id, organizations::SUN_KEYS, &sealed).await?;
    }
    members::tell_branch(db, organization, branch.id, time_zone).await?;
    accounts::tell_branch(db, organization, branch.id).await?;
    Ok(branch)
}

/// A branch that the caller may see; others are not there for them.
pub async fn visible(db: &mut PgConnection, caller: &Caller, id: BranchId) -> Result<Branch> {
    let found = by_id(db, id).await?;
    found.filter(|branch| caller.sees(branch.organization_id, branch.id)).ok_or(Error::NotFound)
}
