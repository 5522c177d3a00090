//! The registry of hardware: machines, readers, bridges and observers of a branch. Codes are unique in a
//! branch over all kinds, since MQTT topics carry them. Every change is told to the branch's edge.

mod adopt;
pub mod credential;
mod model;
mod secret;
mod store;

pub use adopt::{Adoption, SecretChange, adopt, change_secret};
pub use credential::DeviceCaller;
pub use model::{Device, DeviceKind, MachineType, NewDevice};
pub use secret::Secret;
pub use store::by_code;

use crate::domains::edges::registry_changed;
use crate::http::{Error, OnConstraint, Result};
use crate::ids::{BranchId, DeviceId};
use anyhow::Context;
use protocol::sync::changes::{Change, DeviceRecord};
use protocol::sync::roster::{ReaderPlace, ReaderRecord, RosterItem};
use sqlx::PgConnection;
use time::OffsetDateTime;

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
