//! Gym locations. Each has a `site_no`, given once and never again, for codes with little room. What is said of a branch
//! is told to its edge in the transaction that changes it.

mod collection;
mod item;
mod model;
mod settings;
mod setup;
mod staff;
mod store;

pub use model::Branch;
pub use settings::{SETTINGS, all_in_force, in_force, set};
pub use setup::{BranchRecord, BranchSetup};
pub use store::{by_id, by_name, is_time_zone, only, record, settings, today};

use crate::app::App;
use crate::domains::edges::{registry_changed, secret_setting_changed};
use crate::domains::{accounts, joining, members, organizations};
use crate::http::{Caller, Error, OnConstraint, Result};
use crate::ids::{BranchId, OrganizationId};
use protocol::sync::changes::Change;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(collection::list_branch_records, collection::create_branch))
        .routes(routes!(item::read_branch, item::update_branch))
        .routes(routes!(staff::list_branch_staff))
        .routes(routes!(staff::add_branch_staff, staff::remove_branch_staff))
}

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
    tell(db, branch.id, BRANCH_NAME, name.into()).await?;
    tell(db, branch.id, "site_no", branch.site_no.into()).await?;
    tell(db, branch.id, TIME_ZONE, time_zone.into()).await?;
    if let Some(sealed) = organizations::sealed_sun_keys(db, organization).await? {
        secret_setting_changed(db, branch.id, organizations::SUN_KEYS, &sealed).await?;
    }
    members::tell_branch(db, organization, branch.id, time_zone).await?;
    accounts::tell_branch(db, organization, branch.id).await?;
    Ok(branch)
}

/// Makes a branch what somebody says of it, and tells it what is different. The caller holds the organization alone.
pub async fn change(
    db: &mut PgConnection,
    before: &BranchRecord,
    after: &BranchSetup,
    now: OffsetDateTime,
) -> Result<BranchRecord> {
    let (id, former) = (before.id, &before.setup);
    if after.name != former.name {
        store::rename(db, id, &after.name)
            .await
            .on_constraint("branches_organization_name_key", || NAME_TAKEN)?;
        tell(db, id, BRANCH_NAME, after.name.as_str().into()).await?;
    }
    if after.time_zone != former.time_zone {
        check_zone(db, &after.time_zone).await?;
        store::set_time_zone(db, id, &after.time_zone).await?;
        tell(db, id, TIME_ZONE, after.time_zone.as_str().into()).await?;
        // The days of memberships begin at other moments now.
        members::tell_branch(db, before.organization_id, id, &after.time_zone).await?;
    }
    if after.joining != former.joining {
        joining::set(db, id, after.joining).await?;
    }
    for ((key, value), (_, known)) in after.settings().zip(former.settings()) {
        if value != known {
            set(db, id, key, value.as_ref(), now).await?;
        }
    }
    record(db, before.organization_id, id).await
}

const BRANCH_NAME: &str = "branch_name";
const TIME_ZONE: &str = "time_zone";
const NAME_TAKEN: Error = Error::Conflict("name_taken");

async fn tell(
    db: &mut PgConnection,
    branch: BranchId,
    key: &str,
    value: serde_json::Value,
) -> Result<()> {
    let setting = Change::Setting { key: key.to_owned(), value: value.to_string() };
    Ok(registry_changed(db, branch, &setting).await?)
}

/// Refuses a zone that the database does not know.
async fn check_zone(db: &mut PgConnection, name: &str) -> Result<()> {
    if is_time_zone(db, name).await? {
        return Ok(());
    }
    let message = "is no time zone of the IANA database".to_owned();
    Err(Error::Field { field: "time_zone", code: "unknown", message })
}

/// A branch that the caller may see; others are not there for them.
pub async fn visible(db: &mut PgConnection, caller: &Caller, id: BranchId) -> Result<Branch> {
    let found = by_id(db, id).await?;
    found.filter(|branch| caller.sees(branch.organization_id, branch.id)).ok_or(Error::NotFound)
}
