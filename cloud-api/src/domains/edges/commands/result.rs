//! `/commands/{id}/result`, and the other ways in which a command ends.

use super::store;
use crate::app::App;
use crate::domains::edges::caller::EdgeCaller;
use crate::domains::edges::schema;
use crate::http::{Error, Json, Path, Problem, Result};
use crate::ids::{BranchId, CommandId};
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
    let mut db = app.db.acquire().await?;
    let now = app.clock.now();
    let (outcome, detail) = (name(report.outcome), report.detail.as_deref());
    if store::finish(&mut db, caller.branch, id, outcome, detail, now).await?
        || store::exists(&mut db, caller.branch, id).await?
    {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Error::NotFound)
    }
}

/// What a device answered, as the edge journaled it. A result of a command that is not ours, or not of this
/// branch, is only kept as what the device said.
pub async fn finish_from_journal(
    db: &mut PgConnection,
    branch: BranchId,
    id: CommandId,
    result: &CommandResult,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    store::finish(db, branch, id, name(result.outcome), result.detail.as_deref(), now).await?;
    Ok(())
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
        store::expire(&mut *app.db.acquire().await?, now - REPORTS_TAKE, now).await?;
        Ok(())
    }
}

/// A command may end just in time and its result still be on its way.
const REPORTS_TAKE: Duration = Duration::minutes(1);
