//! `/commands`: orders to a branch and its devices, told until their result is known.

#![expect(unused_qualifications, reason = "utoipa's macro repeats the names of query types")]

mod asked;
mod rest;
mod result;
mod store;

pub use rest::router;
pub(super) use result::__path_report_command_result;
pub use result::{ExpireCommands, finish_from_journal, report_command_result};

use super::caller::EdgeCaller;
use super::schema;
use crate::app::App;
use crate::clock::Clock;
use crate::events::{Signal, wait_for};
use crate::http::{Json, Problem, Query, Result};
use crate::ids::{BranchId, CommandId};
use axum::extract::State;
use garde::Validate;
use protocol::sync::commands::{Command, Commands, Target};
use serde::Deserialize;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use std::time::Duration as StdDuration;
use time::Duration;
use tokio::time::Instant;
use utoipa::IntoParams;

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Order {
    pub branch: BranchId,
    /// The edge itself if there is none.
    pub target: Option<Target>,
    pub command: String,
    pub args: Map<String, Value>,
    /// It is void after this.
    pub ttl: Duration,
}

/// Gives an order; the branch is told when the transaction is committed.
pub async fn give_command(
    db: &mut PgConnection,
    order: &Order,
    clock: &Clock,
) -> anyhow::Result<CommandId> {
    let id = CommandId::new();
    store::insert(db, id, order, clock.now()).await?;
    Ok(id)
}

/// What came of a command (its outcome, and what the branch said), as soon as it is known; nothing, if it is not by then.
pub async fn answer_by(
    app: &App,
    branch: BranchId,
    id: CommandId,
    until: Instant,
) -> Result<Option<(String, Option<String>)>> {
    let mut signals = app.bus.subscribe();
    loop {
        let answer = store::answer(&mut *app.db.acquire().await?, id).await?;
        if answer.is_some() || app.stop.is_cancelled() || Instant::now() >= until {
            return Ok(answer);
        }
        tokio::select! {
            () = app.stop.cancelled() => {}
            _ = wait_for(&mut signals, Signal::Answers(branch), until) => {}
        }
    }
}

/// How long to wait when there is nothing.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct CommandsQuery {
    /// Seconds.
    #[garde(range(max = MAX_WAIT_S))]
    #[serde(default)]
    #[param(minimum = 0, maximum = 30, default = 0)]
    pub wait_s: u64,
}

/// The longest wait of a long poll in seconds.
pub(super) const MAX_WAIT_S: u64 = 30;

/// Ask for commands.
///
/// Answers at once if there are any that this start of the agent was not told within the last 10 s, else as soon
/// as one is given, else with none when the wait is over.
#[utoipa::path(get, path = "/commands", tag = "edges", security(("edge" = [])), params(CommandsQuery), responses(
    (status = 200, body = schema::Commands),
    (status = 429, body = Problem, content_type = "application/problem+json",
     description = "`too_many_polls`: this edge waits too many times already")))]
pub async fn list_commands(
    State(app): State<App>,
    caller: EdgeCaller,
    Query(query): Query<CommandsQuery>,
) -> Result<Json<Commands>> {
    let _waiting = app.polls.begin(caller.edge)?;
    let until = Instant::now() + StdDuration::from_secs(query.wait_s);
    // Heard from before the first look, so that nothing is given unnoticed in between.
    let mut signals = app.bus.subscribe();
    loop {
        let items = tell(&app, &caller).await?;
        if !items.is_empty() || Instant::now() >= until || app.stop.is_cancelled() {
            let now_ms = app.clock.now().unix_timestamp_nanos() / 1_000_000;
            return Ok(Json(Commands { items, now_ms: i64::try_from(now_ms).ok() }));
        }
        // What was told already is told again after a while; nobody signals that.
        let look_again = until.min(Instant::now() + TELL_AGAIN);
        tokio::select! {
            () = app.stop.cancelled() => {}
            _ = wait_for(&mut signals, Signal::Commands(caller.branch), look_again) => {}
        }
    }
}

const TELL_AGAIN: StdDuration = StdDuration::from_secs(10);

async fn tell(app: &App, caller: &EdgeCaller) -> Result<Vec<Command>> {
    let now = app.clock.now();
    let mut db = app.db.acquire().await?;
    let mut told = store::tell(&mut db, caller.branch, &caller.boot, now, now - TELL_AGAIN).await?;
    told.sort_by_key(|command| (command.created_at, command.id));
    let commands = told.into_iter().map(|row| row.command(now));
    Ok(commands.collect::<anyhow::Result<_>>()?)
}
