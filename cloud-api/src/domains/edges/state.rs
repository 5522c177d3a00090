//! `/state`: the live lane, and how its state reaches other instances.

use super::caller::EdgeCaller;
use super::live::Kept;
use super::live_store;
use super::schema;
use crate::app::App;
use crate::domains::realtime;
use crate::events::Signal;
use crate::http::{Error, Json, Problem, Result};
use crate::ids::{BranchId, DeviceId};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use protocol::sync::WireError;
use protocol::sync::state::{LiveState, STATE_MEDIA_TYPE, STATE_VERSION, StateAnswer};
use std::collections::HashSet;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{MissedTickBehavior, interval};

/// Tell the present state of the floor.
///
/// Kept only if (boot, n) is newer than what is known; builds no history.
#[utoipa::path(put, path = "/state", tag = "edges", security(("edge" = [])),
    params(("Content-Encoding" = Option<String>, Header, description = "`zstd`, or none")),
    request_body(content = Vec<u8>, content_type = "application/vnd.gymwire.state",
        description = "Version byte and postcard of `LiveState`, at most 1 MiB, packed and unpacked"), responses(
    (status = 200, body = schema::StateAnswer, description = "kept, or not newer"),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`edge_conflict`; `full_state_needed`: it only says what changed, and the rest is not known"),
    (status = 413, body = Problem, content_type = "application/problem+json",
     description = "`payload_too_large`, packed or unpacked"),
    (status = 415, body = Problem, content_type = "application/problem+json",
     description = "`unsupported_version`, `unsupported_encoding`; `supported` lists the versions")))]
pub async fn replace_edge_state(
    State(app): State<App>,
    caller: EdgeCaller,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<StateAnswer>> {
    super::media::check(&headers, STATE_MEDIA_TYPE, STATE_VERSION)?;
    let is_packed = super::media::is_zstd(&headers, STATE_VERSION)?;
    let state = if is_packed { LiveState::unpack(&body) } else { LiveState::decode(&body) };
    let mut state = state.map_err(|error| refuse(&error))?;
    drop_foreign(&app, caller.branch, &mut state).await?;
    if !state.full && !app.live.has_base(caller.branch, caller.edge, state.boot) {
        reload(&app, caller.branch).await?;
    }
    let now = app.clock.now();
    let (of, devices) = ((state.boot, state.n), state.machines.clone());
    match app.live.keep(caller.branch, caller.edge, state, now) {
        Kept::Yes => {
            realtime::measured(&app, caller.branch, &devices).await?;
            realtime::machines::said(&app, caller.branch, of, &devices).await?;
        }
        Kept::Stale => metrics::counter!("edge_states_stale_total").increment(1),
        Kept::NeedsFull => return Err(Error::Conflict("full_state_needed")),
    }
    metrics::counter!("edge_states_total").increment(1);
    let followed = app.followed.of_branch(caller.branch);
    Ok(Json(StateAnswer {
        watched: app.watched.has(caller.branch, now),
        followed: followed.into_iter().map(Into::into).collect(),
    }))
}

fn refuse(error: &WireError) -> Error {
    super::media::refuse(error, "malformed_state", &[STATE_VERSION])
}

/// An edge speaks for the devices of its branch only.
async fn drop_foreign(app: &App, branch: BranchId, state: &mut LiveState) -> Result<()> {
    let unknown = app.live.unknown(branch, &state.machines);
    if unknown.is_empty() {
        return Ok(());
    }
    let own = live_store::own_devices(&mut *app.db.acquire().await?, branch, &unknown).await?;
    let foreign: HashSet<_> = unknown.into_iter().filter(|id| !own.contains(id)).collect();
    state.machines.retain(|device| !foreign.contains(&DeviceId::from(device.device)));
    metrics::counter!("edge_state_foreign_devices_total").increment(foreign.len() as u64);
    Ok(())
}

async fn reload(app: &App, branch: BranchId) -> Result<()> {
    let saved = live_store::load(&mut *app.db.acquire().await?, Some(branch)).await?;
    for saved in saved {
        app.live.restore(saved);
    }
    Ok(())
}

/// Stores what has changed, for other instances.
pub async fn save_live(app: &App) -> anyhow::Result<()> {
    let due = app.live.due(app.clock.now());
    if due.is_empty() {
        return Ok(());
    }
    let mut db = app.db.acquire().await?;
    for save in due {
        live_store::save(&mut db, &save).await?;
        app.live.saved(save.branch, save.received_at);
    }
    Ok(())
}

/// Stores this instance's states and takes over those of others, until `stop`.
pub async fn run(app: App) -> anyhow::Result<()> {
    let mut signals = app.bus.subscribe();
    let mut tick = interval(SAVE_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let done = tokio::select! {
            () = app.stop.cancelled() => break,
            _ = tick.tick() => save_live(&app).await,
            signal = signals.recv() => match signal {
                Ok(Signal::Live(branch)) => follow(&app, Some(branch)).await,
                Ok(Signal::Changes(branch)) => forget_removed(&app, branch).await,
                Ok(Signal::Any) | Err(RecvError::Lagged(_)) => follow(&app, None).await,
                Ok(Signal::Watched(branch)) => {
                    app.watched.note(branch, app.clock.now());
                    Ok(())
                }
                Ok(
                    Signal::Commands(_) | Signal::Answers(_) | Signal::User(_) | Signal::Events,
                ) => Ok(()),
                Err(RecvError::Closed) => break,
            },
        };
        if let Err(error) = done {
            tracing::warn!(error = format!("{error:#}"), "the live state is not shared");
        }
    }
    save_live(&app).await
}

const SAVE_EVERY: Duration = Duration::from_secs(1);

async fn follow(app: &App, branch: Option<BranchId>) -> anyhow::Result<()> {
    let saved = live_store::load(&mut *app.db.acquire().await?, branch).await?;
    for saved in saved {
        app.live.restore(saved);
    }
    Ok(())
}

async fn forget_removed(app: &App, branch: BranchId) -> anyhow::Result<()> {
    let existing = live_store::devices(&mut *app.db.acquire().await?, branch).await?;
    app.live.retain(branch, &existing);
    Ok(())
}
