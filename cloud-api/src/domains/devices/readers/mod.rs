//! `/admin/readers`: readers of cards and codes, at doors and on machines.

mod collection;
mod item;
mod model;
mod secret;
mod store;

pub use model::{ReaderRecord, ReaderSetup};

use super::{NewDevice, Secret, check_bridge, place_reader, tell};
use crate::app::App;
use crate::domains::devices::DeviceKind;
use crate::http::auth::Scope;
use crate::http::{Caller, Error, Result, parse};
use crate::ids::{BranchId, DeviceId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(collection::list_readers, collection::create_reader))
        .routes(routes!(item::read_reader, item::update_reader, item::remove_reader))
        .routes(routes!(secret::replace_reader_secret))
}

/// Makes a reader; its secret is shown once.
pub async fn create(
    db: &mut PgConnection,
    setup: &ReaderSetup,
    now: OffsetDateTime,
) -> Result<(ReaderRecord, Secret)> {
    check_bridge(db, setup.branch_id, setup.bridge_id).await?;
    let new = NewDevice {
        code: parse("code", &setup.code)?,
        kind: DeviceKind::Reader,
        name: setup.name.clone(),
        machine_type: None,
        bridge: setup.bridge_id,
        topics: Vec::new(),
    };
    let (device, secret) = super::add(db, setup.branch_id, &new, now).await?;
    Ok((change(db, device.id, setup).await?, secret))
}

/// Makes a reader what somebody says of it, and tells its branch.
pub async fn change(
    db: &mut PgConnection,
    id: DeviceId,
    setup: &ReaderSetup,
) -> Result<ReaderRecord> {
    let branch = setup.branch_id;
    check_bridge(db, branch, setup.bridge_id).await?;
    let place = setup.wire_place()?;
    if let Some(machine) = setup.machine_id {
        let found = super::store::by_id(db, branch, machine).await?;
        if found.is_none_or(|found| found.kind != DeviceKind::Machine) {
            return Err(unknown("machine_id"));
        }
    }
    store::update(db, id, setup).await?;
    tell(db, branch, id).await?;
    place_reader(db, branch, id, place).await?;
    record(db, branch, id).await
}

/// A reader that the caller may see; others are not there for them.
pub async fn visible(db: &mut PgConnection, caller: &Caller, id: DeviceId) -> Result<ReaderRecord> {
    find(db, caller.scope(), id).await
}

async fn record(db: &mut PgConnection, branch: BranchId, id: DeviceId) -> Result<ReaderRecord> {
    find(db, Scope::Branches(&[branch]), id).await
}

async fn find(db: &mut PgConnection, scope: Scope<'_>, id: DeviceId) -> Result<ReaderRecord> {
    let found = store::list(db, scope, None, Some(id), None, 1).await?.pop();
    found.ok_or(Error::NotFound)
}

fn unknown(field: &'static str) -> Error {
    Error::Field { field, code: "unknown", message: "is not of this branch".to_owned() }
}
