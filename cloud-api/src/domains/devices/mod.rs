//! The registry of hardware: machines, readers, bridges and observers of a branch. Codes are unique in a
//! branch over all kinds, since MQTT topics carry them. Every change is told to the branch's edge.

#![expect(unused_qualifications, reason = "utoipa's macro repeats the names of query types")]

mod adopt;
pub mod credential;
pub mod machines;
mod model;
pub mod readers;
mod secret;
mod store;

pub use adopt::{Adoption, SecretChange, adopt, change_secret};
pub use credential::DeviceCaller;
pub use model::{Device, DeviceKind, MachineType, NewDevice};
pub use secret::{NewSecret, Secret};
pub use store::{Condition, by_code, hold, set_condition};

use crate::app::App;
use crate::domains::edges::registry_changed;
use crate::http::{Error, OnConstraint, Result};
use crate::ids::{BranchId, DeviceId};
use anyhow::Context;
use protocol::ids::Code;
use protocol::sync::changes::{Change, DeviceRecord};
use protocol::sync::roster::{ReaderPlace, ReaderRecord, RosterItem, RosterKind};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;

pub fn router() -> OpenApiRouter<App> {
    machines::router().merge(readers::router())
}

/// Adds a device and makes the secret it logs in with. The secret is shown once: only its hash is kept.
pub async fn add(
    db: &mut PgConnection,
    branch: BranchId,
    new: &NewDevice,
    now: OffsetDateTime,
) -> Result<(Device, Secret)> {
    let secret = Secret::generate()?;
    let id = store::insert(db, branch, new, &secret.sha256(), now)
        .await
        .on_constraint("devices_branch_code_key", || Error::Conflict("code_taken"))?;
    Ok((tell(db, branch, id).await?, secret))
}

/// Tells the branch how one of its devices is now.
async fn tell(db: &mut PgConnection, branch: BranchId, id: DeviceId) -> anyhow::Result<Device> {
    let device = store::by_id(db, branch, id).await?.context("the device is gone")?;
    registry_changed(db, branch, &Change::Device(record(&device)?)).await?;
    Ok(device)
}

/// Says what a reader is for; the branch is told.
pub async fn place_reader(
    db: &mut PgConnection,
    branch: BranchId,
    reader: DeviceId,
    place: ReaderPlace,
) -> Result<()> {
    store::place_reader(db, branch, reader, place).await?;
    let item = RosterItem::Reader(ReaderRecord { id: reader.into(), place });
    Ok(registry_changed(db, branch, &item.change()).await?)
}

/// Gives a device another secret; its branch is told.
pub async fn rotate(db: &mut PgConnection, branch: BranchId, id: DeviceId) -> Result<Secret> {
    let secret = Secret::generate()?;
    store::set_secret(db, id, &secret.sha256()).await?;
    tell(db, branch, id).await?;
    Ok(secret)
}

/// Takes a device out of the registry; its row stays, for what it measured. Its branch is told.
pub async fn remove_device(
    db: &mut PgConnection,
    branch: BranchId,
    id: DeviceId,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    if store::remove(db, id, now).await? == DeviceKind::Reader {
        registry_changed(db, branch, &RosterKind::Reader.removed(id.0)).await?;
    }
    registry_changed(db, branch, &Change::DeviceRemoved(id.into())).await
}

/// Refuses a bridge that is none of the branch.
async fn check_bridge(
    db: &mut PgConnection,
    branch: BranchId,
    bridge: Option<DeviceId>,
) -> Result<()> {
    let Some(bridge) = bridge else { return Ok(()) };
    match store::by_id(db, branch, bridge).await? {
        Some(found) if found.kind == DeviceKind::Bridge => Ok(()),
        _ => {
            let message = "is no bridge of this branch".to_owned();
            Err(Error::Field { field: "bridge_id", code: "unknown", message })
        }
    }
}

/// Refuses another value of what is said once.
fn fixed(field: &'static str, is_same: bool) -> Result<()> {
    if is_same {
        return Ok(());
    }
    Err(Error::Field { field, code: "fixed", message: "cannot be changed".to_owned() })
}

/// A rule for codes.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde calls it so")]
fn valid_code(code: &str, (): &()) -> garde::Result {
    if Code::is_valid(code) {
        return Ok(());
    }
    Err(garde::Error::new("has small letters, digits and minus signs only"))
}

/// What the edge is told about a device.
fn record(device: &Device) -> anyhow::Result<DeviceRecord> {
    Ok(DeviceRecord {
        id: device.id.into(),
        code: device.code.parse()?,
        kind: device.kind.into(),
        name: device.name.clone(),
        secret_sha256: device.secret_sha256.as_deref().map(<[u8; 32]>::try_from).transpose()?,
        bridge: device.bridge_id.map(Into::into),
        topics: device.topics.clone(),
        enabled: device.enabled,
    })
}
