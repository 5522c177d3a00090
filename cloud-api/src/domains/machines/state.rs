//! What becomes of machines now: what their branches say of them live, who has them, who waits.

use super::model::{Availability, Machine};
use super::store;
use crate::app::App;
use crate::domains::edges::HEARD_FOR;
use crate::ids::{DeviceId, MemberId};
use protocol::sync::entry::DeviceState;
use serde::Serialize;
use sqlx::PgConnection;
use std::collections::HashMap;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// Whether a machine is free, and who waits for it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MachineState {
    #[schema(inline)]
    pub availability: Availability,
    /// What the machine last said of itself: `idle`, `in_use`, `paused`, `finished`, `out_of_order` or
    /// `offline`; null if it never did.
    #[schema(value_type = Option<String>, example = "in_use")]
    pub state: Option<DeviceState>,
    /// What is wrong, in the machine's own words.
    pub error: Option<String>,
    /// Somebody has taken it.
    pub is_taken: bool,
    /// The caller has.
    pub is_mine: bool,
    /// How many wait for it.
    #[schema(example = 2)]
    pub waiting: i64,
    /// The caller's place among them, from 1; 0 while it is kept for them; null if they do not wait.
    #[schema(example = 1)]
    pub position: Option<i32>,
    /// Until when it is kept for the caller.
    #[serde(with = "time::serde::rfc3339::option")]
    pub offered_until: Option<OffsetDateTime>,
    /// Reports about it that nobody has looked after yet.
    #[schema(example = 0)]
    pub open_reports: i64,
    /// When it measured something last.
    #[serde(with = "time::serde::rfc3339::option")]
    pub sampled_at: Option<OffsetDateTime>,
    /// When its branch was heard last. Half a minute later its machines are `unknown`.
    #[serde(with = "time::serde::rfc3339::option")]
    pub heard_at: Option<OffsetDateTime>,
}

/// What the database knows of a machine's present.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Debug, Default)]
pub struct Present {
    pub is_taken: bool,
    pub is_mine: bool,
    pub is_offered: bool,
    pub waiting: i64,
    pub position: Option<i32>,
    pub offered_until: Option<OffsetDateTime>,
    pub open_reports: i64,
    pub is_out_of_use: bool,
    /// Of a machine that tells of itself over HTTPS: what it said last, and when.
    pub beat: Option<Beat>,
}

/// What a machine said of itself over HTTPS.
#[derive(Debug)]
pub struct Beat {
    pub state: DeviceState,
    pub error: Option<String>,
    pub at: OffsetDateTime,
}

/// The states of some machines, by id, as they are for a member.
pub async fn states(
    app: &App,
    db: &mut PgConnection,
    member: Option<MemberId>,
    machines: &[Machine],
) -> sqlx::Result<HashMap<DeviceId, MachineState>> {
    let ids: Vec<_> = machines.iter().map(|machine| machine.id.0).collect();
    let mut present = store::present(db, &ids, member).await?;
    let state = |machine: &Machine| {
        let present = present.remove(&machine.id).unwrap_or_default();
        (machine.id, tell(app, machine, present))
    };
    Ok(machines.iter().map(state).collect())
}

fn tell(app: &App, machine: &Machine, present: Present) -> MachineState {
    let now = app.clock.now();
    let mut live = app.live.device(machine.branch_id, machine.id);
    let sampled_at = live.as_ref().and_then(|live| live.sample.as_ref()).map(|(at, _)| *at);
    let by_branch = live.as_ref().is_some_and(|live| live.state != DeviceState::Offline);
    let told = present.beat.filter(|_| !by_branch);
    let (state, error, heard_at, is_heard) = if let Some(beat) = told {
        let is_fresh = now - beat.at <= app.config.machines.silence();
        let state = if is_fresh { beat.state } else { DeviceState::Offline };
        (Some(state), beat.error, Some(beat.at), true)
    } else {
        let heard_at = app.live.branch(machine.branch_id).map(|(at, _)| at);
        let is_heard = heard_at.is_some_and(|at| now - at <= HEARD_FOR);
        let error = live.as_mut().and_then(|live| live.error.take());
        (live.map(|live| live.state), error, heard_at, is_heard)
    };
    let said = if present.is_out_of_use { Some(DeviceState::OutOfOrder) } else { state };
    let availability =
        Availability::of(said, is_heard).or_taken(present.is_taken, present.is_offered);
    MachineState {
        availability,
        state,
        error,
        is_taken: present.is_taken,
        is_mine: present.is_mine,
        waiting: present.waiting,
        position: present.position,
        offered_until: present.offered_until,
        open_reports: present.open_reports,
        sampled_at,
        heard_at,
    }
}
