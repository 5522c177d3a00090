//! What happens to machines, as events of the log: what they say themselves, and whom they are lent to.

use super::store::{self, Said};
use crate::app::App;
use crate::events::log::{self, Audience, Event};
use crate::ids::{BranchId, DeviceId};
use protocol::sync::entry::DeviceState;
use protocol::sync::state::LiveDevice;
use sqlx::PgConnection;
use time::OffsetDateTime;

/// Takes in what an edge says of its devices; tells what is news.
pub async fn said(
    app: &App,
    branch: BranchId,
    of: (u64, u64),
    devices: &[LiveDevice],
) -> anyhow::Result<()> {
    if devices.is_empty() {
        return Ok(());
    }
    let said: Vec<_> = devices
        .iter()
        .map(|device| Said {
            device: device.device.into(),
            state: name(device.state),
            error: device.error.clone(),
        })
        .collect();
    let mut tx = app.db.begin().await?;
    let news = store::note_said(&mut tx, branch, of, &said).await?;
    if news.is_empty() {
        return Ok(());
    }
    append(&mut tx, &news, app.clock.now()).await?;
    Ok(tx.commit().await?)
}

/// Tells how machines stand that were lent, given back or waited for.
pub async fn tell(
    db: &mut PgConnection,
    machines: &[DeviceId],
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    if machines.is_empty() {
        return Ok(());
    }
    store::hold_machines(db, machines).await?;
    append(db, machines, now).await
}

async fn append(
    db: &mut PgConnection,
    machines: &[DeviceId],
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    let told = store::machines(db, machines).await?;
    let events: Vec<_> = told
        .into_iter()
        .map(|status| (Audience::Branch(status.branch_id), Event::MachineStatus(status)))
        .collect();
    log::append_all(db, &events, now).await
}

fn name(state: DeviceState) -> &'static str {
    match state {
        DeviceState::Idle => "idle",
        DeviceState::InUse => "in_use",
        DeviceState::Paused => "paused",
        DeviceState::Finished => "finished",
        DeviceState::OutOfOrder => "out_of_order",
        DeviceState::Offline => "offline",
    }
}
