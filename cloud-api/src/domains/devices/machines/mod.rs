//! `/admin/machines`: the registry of machines, for who runs the organization; staff read what is of their branches.

mod collection;
mod item;
mod model;
mod secret;
mod store;

pub use model::{MachineRecord, MachineSetup};

use super::{Secret, remove_device, tell};
use crate::app::App;
use crate::clock::Clock;
use crate::domains::sessions::{self, Wanted};
use crate::domains::tags;
use crate::http::{Caller, Error, OnConstraint, Result};
use crate::ids::{BranchId, DeviceId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(collection::list_registered_machines, collection::create_machine))
        .routes(routes!(item::read_machine_record, item::update_machine, item::remove_machine))
        .routes(routes!(secret::replace_machine_secret))
}

/// Makes a machine; its secret is shown once.
pub async fn create(
    db: &mut PgConnection,
    setup: &MachineSetup,
    now: OffsetDateTime,
) -> Result<(MachineRecord, Secret)> {
    super::check_bridge(db, setup.branch_id, setup.bridge_id).await?;
    let (device, secret) = super::add(db, setup.branch_id, &setup.new_device()?, now).await?;
    Ok((change(db, device.id, setup).await?, secret))
}

/// Makes a machine what somebody says of it, and tells its branch.
pub async fn change(
    db: &mut PgConnection,
    id: DeviceId,
    setup: &MachineSetup,
) -> Result<MachineRecord> {
    super::check_bridge(db, setup.branch_id, setup.bridge_id).await?;
    store::update(db, id, setup)
        .await
        .on_constraint("devices_branch_number_key", || Error::Conflict("number_taken"))?;
    tell(db, setup.branch_id, id).await?;
    record(db, setup.branch_id, id).await
}

/// A machine that the caller may see; others are not there for them.
pub async fn visible(
    db: &mut PgConnection,
    caller: &Caller,
    id: DeviceId,
) -> Result<MachineRecord> {
    let wanted = store::Wanted { only: Some(id), rows: 1, ..store::Wanted::of(caller.scope()) };
    store::list(db, wanted).await?.pop().ok_or(Error::NotFound)
}

/// Takes a machine out of the registry. Whoever has it is asked to give it back, who waits for it to wait no more; what
/// was stays known.
pub async fn retire(db: &mut PgConnection, machine: &MachineRecord, clock: &Clock) -> Result<()> {
    let (branch, id) = (machine.setup.branch_id, machine.id);
    if store::has_reader(db, branch, id).await? {
        return Err(Error::Conflict("reader_on_machine"));
    }
    if let Some(link) = store::open_link(db, id).await? {
        sessions::ask_branch(db, branch, Wanted::Unlink { machine: id, link }, clock).await?;
    }
    for member in store::waiting(db, id).await? {
        sessions::ask_branch(db, branch, Wanted::Dequeue { member, machine: id }, clock).await?;
    }
    tags::revoke_all(db, id, clock.now()).await?;
    Ok(remove_device(db, branch, id, clock.now()).await?)
}

async fn record(db: &mut PgConnection, branch: BranchId, id: DeviceId) -> Result<MachineRecord> {
    let scope = crate::http::auth::Scope::Branches(&[branch]);
    let wanted = store::Wanted { only: Some(id), rows: 1, ..store::Wanted::of(scope) };
    store::list(db, wanted).await?.pop().ok_or(Error::NotFound)
}
