//! `/commands/{id}/result`, and the other ways in which a command ends.

use super::store::{self, Ended};
use crate::app::App;
use crate::domains::edges::caller::EdgeCaller;
use crate::domains::edges::schema;
use crate::events::log::{Audience, CommandAnswered, Event, append};
use crate::http::{Error, Json, Path, Problem, Result};
use crate::ids::{BranchId, CommandId, DeviceId};
use crate::jobs::Job;
use axum::extract::State;
use axum::http::StatusCode;
use protocol::sync::commands::CommandReport;
use protocol::sync::entry::{CommandResult, Outcome};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

/// Report how a command ended.
///
/// The first result counts; a repeat changes nothing.
#[utoipa::path(post, path = "/commands/{id}/result", tag = "edges", security(("edge" = [])),
    params(("id" = CommandId, Path, description = "Id of the command")),
    request_body = schema::CommandReport, responses(
    (status = 204, description = "known now, or before"),
    (status = 404, body = Problem, content_type = "application/problem+json",
     description = "`not_found`: this branch was given no such command")))]
pub async fn report_command_result(
    State(app): State<App>,
    caller: EdgeCaller,
    Path(id): Path<CommandId>,
    Json(report): Json<CommandReport>,
) -> Result<StatusCode> {
    let mut tx = app.db.begin().await?;
    let now = app.clock.now();
    let (outcome, detail) = (name(report.outcome), report.detail.as_deref());
    let ended = store::finish(&mut tx, caller.branch, id, outcome, detail, now).await?;
    if ended.is_none() && !store::exists(&mut tx, caller.branch, id).await? {
        return Err(Error::NotFound);
    }
    tell(&mut tx, ended.as_slice(), now).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Staff who gave a command over REST hear what came of it.
async fn tell(db: &mut PgConnection, ended: &[Ended], now: OffsetDateTime) -> anyhow::Result<()> {
    for one in ended {
        let Some(subject) = one.subject else { continue };
        let event = Event::CommandAnswered(CommandAnswered {
            command_id: one.id,
            branch_id: one.branch,
            device_id: one.is_to_device.then_some(DeviceId(subject)),
            outcome: one.outcome.clone(),
            detail: one.detail.clone(),
        });
        append(db, Audience::Staff(one.branch), &event, now).await?;
    }
    Ok(())
}

/// What a device answered, as the edge journaled it. A result of a command that is not ours, or not of this
/// branch, is only kept as what the device said.
pub async fn finish_from_journal(
    db: &mut PgConnection,
    branch: BranchId,
    id: CommandId,
    result: &CommandResult,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    let (outcome, detail) = (name(result.outcome), result.detail.as_deref());
    let ended = store::finish(db, branch, id, outcome, detail, now).await?;
    tell(db, ended.as_slice(), now).await
}

fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Failed => "failed",
        Outcome::Expired => "expired",
        Outcome::Unknown => "unknown",
    }
}

/// Ends commands whose time was over a while ago and that nobody reported on.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExpireCommands;

impl Job for ExpireCommands {
    const KIND: &'static str = "edges.expire_commands";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        let ended = store::expire(&mut tx, now - REPORTS_TAKE, now).await?;
        tell(&mut tx, &ended, now).await?;
        Ok(tx.commit().await?)
    }
}

/// A command may end just in time and its result still be on its way.
const REPORTS_TAKE: Duration = Duration::minutes(1);
