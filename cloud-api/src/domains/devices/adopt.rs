//! What staff did to devices at a branch, perhaps while the cloud was away: devices that were added keep the id
//! that the edge gave them, and secrets that were changed are taken over.

use super::{store, tell};
use crate::domains::edges::registry_changed;
use crate::ids::BranchId;
use protocol::sync::changes::Change;
use protocol::sync::entry::{DeviceProposal, DeviceSecret};
use sqlx::PgConnection;
use time::OffsetDateTime;

/// What became of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adoption {
    /// It is a device of the branch, since now or since before.
    Adopted,
    /// Its code is another device's, or its id is of another branch.
    Refused,
}

/// Adopts a device that a branch proposes; the edge is told either way.
pub async fn adopt(
    db: &mut PgConnection,
    branch: BranchId,
    proposal: &DeviceProposal,
    now: OffsetDateTime,
) -> anyhow::Result<Adoption> {
    if let Some(id) = store::insert_proposed(db, branch, proposal, now).await? {
        tell(db, branch, id).await?;
        return Ok(Adoption::Adopted);
    }
    if store::is_of(db, branch, proposal.id.into()).await? {
        return Ok(Adoption::Adopted);
    }
    registry_changed(db, branch, &Change::DeviceRemoved(proposal.id)).await?;
    Ok(Adoption::Refused)
}

/// What became of a secret that was changed at a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretChange {
    /// The device with this code has it now, or had it already.
    Taken(String),
    /// The device with this code has another secret since: the cloud's word counts.
    Kept(String),
    /// The branch has no such device.
    NoDevice,
}

/// Takes over a secret that was changed at the branch; the edge is told what counts.
pub async fn change_secret(
    db: &mut PgConnection,
    branch: BranchId,
    change: &DeviceSecret,
) -> anyhow::Result<SecretChange> {
    if let Some(id) = store::replace_secret(db, branch, change).await? {
        return Ok(SecretChange::Taken(tell(db, branch, id).await?.code));
    }
    let id = change.id.into();
    if store::by_id(db, branch, id).await?.is_none() {
        return Ok(SecretChange::NoDevice);
    }
    let device = tell(db, branch, id).await?;
    let wanted = change.secret_sha256.as_ref().map(<[u8; 32]>::as_slice);
    let has_it = device.secret_sha256.as_deref() == wanted;
    Ok(if has_it { SecretChange::Taken(device.code) } else { SecretChange::Kept(device.code) })
}
