//! Devices that were added at a branch while the cloud was away keep the id that the edge gave them.

use super::{record, store};
use crate::domains::edges::registry_changed;
use crate::ids::BranchId;
use protocol::sync::changes::Change;
use protocol::sync::entry::DeviceProposal;
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
    if let Some(device) = store::insert_proposed(db, branch, proposal, now).await? {
        registry_changed(db, branch, &Change::Device(record(&device)?)).await?;
        return Ok(Adoption::Adopted);
    }
    if store::is_of(db, branch, proposal.id.into()).await? {
        return Ok(Adoption::Adopted);
    }
    registry_changed(db, branch, &Change::DeviceRemoved(proposal.id)).await?;
    Ok(Adoption::Refused)
}
