//! Asks the branch, and tells what came of it.

use super::model::Certainty;
use crate::app::App;
use crate::domains::branches::{self, Branch};
use crate::domains::edges;
use crate::domains::members::{self, Member};
use crate::domains::sessions::{self, Wanted};
use crate::http::{Caller, Error, Refusal, Result};
use axum::http::StatusCode;
use protocol::access::{Reason, standing};
use protocol::time::TrustedTime;
use serde_json::Value;
use sqlx::PgConnection;
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

/// A branch that is heard answers much sooner.
const PATIENCE: Duration = Duration::from_secs(3);

/// What came of a wish: the id of the stay or link that it is about.
pub struct Answered {
    pub id: Uuid,
    pub certainty: Certainty,
}

/// Asks a branch for something, and waits a moment for what it says.
pub async fn ask(app: &App, branch: &Branch, wanted: Wanted) -> Result<Answered> {
    let mut tx = app.db.begin().await?;
    let (command, id) = sessions::ask_branch(&mut tx, branch.id, wanted, &app.clock).await?;
    tx.commit().await?;
    let until = Instant::now() + PATIENCE;
    let Some((outcome, detail)) = edges::answer_by(app, branch.id, command, until).await? else {
        return Ok(Answered { id, certainty: Certainty::Requested });
    };
    let detail: Value =
        detail.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    if outcome != "done" {
        return Err(refused(detail["code"].as_str().unwrap_or_default()));
    }
    // Who came in by the door meanwhile has a stay already; it goes on under its first id.
    let known = ["link", "session"].iter().find_map(|key| detail[key].as_str()?.parse().ok());
    Ok(Answered { id: known.unwrap_or(id), certainty: Certainty::Confirmed })
}

/// What a branch says, in words of the API.
fn refused(code: &str) -> Error {
    const CONFLICTS: [&str; 8] = [
        "already_inside",
        "not_inside",
        "machine_taken",
        "machine_kept",
        "machine_out_of_order",
        "already_linked",
        "not_linked",
        "queue_full",
    ];
    if let Some(code) = CONFLICTS.iter().find(|known| **known == code) {
        return Error::Conflict(code);
    }
    if code == "stopping" || code.is_empty() {
        return Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "branch_unavailable").into();
    }
    not_allowed(code)
}

fn not_allowed(reason: &str) -> Error {
    Refusal::new(StatusCode::FORBIDDEN, "branch_not_allowed")
        .detail("the member may not use this branch now")
        .with("reason", reason)
        .into()
}

/// The member who the caller is, if they may use a branch now: the door would say the same, but it may be silent.
pub async fn admitted(
    app: &App,
    db: &mut PgConnection,
    caller: &Caller,
    branch: &Branch,
) -> Result<Member> {
    let member = members::of_caller(db, caller).await?;
    let told = members::as_told(db, branch.id, &branch.time_zone, member.id).await?;
    let told = told.ok_or(Error::Conflict("not_a_member"))?;
    let settings = branches::in_force(db, branch.id, &branch.time_zone).await?;
    let now_ms = app.clock.now_ms();
    let closed = !settings.hours.is_open(&settings.zone, now_ms);
    let objection = standing(&told, &settings, TrustedTime::Synced(now_ms)).err();
    match objection.or(closed.then_some(Reason::Closed)) {
        Some(reason) => Err(not_allowed(reason.as_str())),
        None => Ok(member),
    }
}
