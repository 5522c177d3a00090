//! `/machines/heartbeat`: machines without a gateway tell of themselves over HTTPS.

use super::beat_store::{self as store, News};
use super::condition::{self, Word};
use super::report_store::{self, NewReport, Severity, Source};
use crate::app::App;
use crate::domains::accounts::{plain_text, text_block};
use crate::domains::devices::DeviceCaller;
use crate::domains::sessions;
use crate::events::log::{Audience, Event, MachineStatus, append};
use crate::http::{Json, Problem, Result, Valid};
use crate::ids::{BranchId, DeviceId};
use crate::jobs::Job;
use axum::extract::State;
use garde::Validate;
use protocol::ids::SetId;
use protocol::rules::deeds_of;
use protocol::sync::entry::{Body, DeviceState, DeviceStatus};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// What a machine is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BeatState {
    Idle,
    InUse,
    Paused,
    Finished,
    OutOfOrder,
}

/// A fault or a wish for service. A `fault` puts the machine out of use until staff put it back.
#[derive(Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// In words of the machine's maker.
    #[garde(length(chars, min = 1, max = 64), custom(plain_text))]
    #[schema(min_length = 1, max_length = 64, example = "E42")]
    code: String,
    #[garde(skip)]
    #[schema(inline)]
    severity: Severity,
    #[garde(length(chars, min = 1, max = 500), custom(text_block))]
    #[schema(min_length = 1, max_length = 500, example = "belt slips")]
    message: String,
}

/// What a machine says of itself.
#[derive(Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    #[garde(skip)]
    #[schema(inline)]
    state: BeatState,
    /// What is wrong, for people.
    #[garde(length(chars, min = 1, max = 200), inner(custom(plain_text)))]
    #[schema(min_length = 1, max_length = 200, example = "door open")]
    error: Option<String>,
    #[garde(length(chars, min = 1, max = 64), inner(custom(plain_text)))]
    #[schema(min_length = 1, max_length = 64, example = "2.1.0")]
    firmware: Option<String>,
    /// Since it was switched on.
    #[garde(range(min = 0, max = 4_000_000_000_000))]
    #[schema(minimum = 0, maximum = 4_000_000_000_000_i64, example = 3_600_000)]
    uptime_ms: Option<i64>,
    /// Something that has happened since the last heartbeat; told once.
    #[garde(dive)]
    fault: Option<Fault>,
}

/// What a machine should know.
#[derive(Debug, Serialize, ToSchema)]
pub struct BeatAnswer {
    /// Seconds until the next heartbeat.
    #[schema(example = 30)]
    next_in_s: u32,
    /// Staff have put it out of use.
    is_out_of_use: bool,
    /// The link under which somebody has it.
    link_id: Option<Uuid>,
}

/// Tell what the machine is doing. Who is not heard for some beats is offline.
#[utoipa::path(post, path = "/machines/heartbeat", tag = "machines",
    security(("device" = [])), request_body = Heartbeat,
    extensions(("x-rate-limit" = json!({"limit": 30, "window_s": 60}))), responses(
    (status = 200, body = BeatAnswer),
    (status = 401, body = Problem, content_type = "application/problem+json",
     description = "`invalid_credential`: no such machine, switched off, retired, or another secret")))]
pub async fn take_heartbeat(
    State(app): State<App>,
    caller: DeviceCaller,
    Valid(beat): Valid<Heartbeat>,
) -> Result<Json<BeatAnswer>> {
    let now = app.clock.now();
    let (machine, branch) = (caller.machine()?, caller.branch);
    let status = DeviceStatus {
        state: beat.state.into(),
        firmware: beat.firmware,
        uptime_ms: beat.uptime_ms.map(i64::unsigned_abs),
        error: beat.error,
    };
    let mut tx = app.db.begin().await?;
    let is_news = store::keep(&mut tx, branch, machine, &status, now).await?;
    if is_news {
        tell(&mut tx, branch, machine, status, now).await?;
    }
    if let Some(fault) = &beat.fault {
        report(&mut tx, &app, branch, machine, fault).await?;
    }
    let (is_out_of_use, link_id) = store::condition(&mut tx, machine).await?;
    tx.commit().await?;
    if is_news {
        sessions::settle(&app, caller.organization).await?;
    }
    let next_in_s = app.config.machines.heartbeat_s;
    Ok(Json(BeatAnswer { next_in_s, is_out_of_use, link_id }))
}

/// A new status: history, what it means for whoever has the machine, and who looks.
async fn tell(
    db: &mut PgConnection,
    branch: BranchId,
    machine: DeviceId,
    status: DeviceStatus,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    store::insert_status(db, &News { branch, machine, status: &status, now }).await?;
    let present = super::store::present(db, &[machine.0], None).await?.remove(&machine);
    let present = present.unwrap_or_default();
    let event = Event::MachineStatus(MachineStatus {
        machine_id: machine,
        branch_id: branch,
        state: Some(store::name(status.state).to_owned()),
        error: status.error.clone(),
        is_lent: present.is_taken,
        waiting: present.waiting,
    });
    append(db, Audience::Branch(branch), &event, now).await?;
    let deeds = deeds_of(machine.into(), &Body::Status(status), SetId(Uuid::nil()));
    sessions::note_here(db, branch, &deeds, now).await
}

async fn report(
    db: &mut PgConnection,
    app: &App,
    branch: BranchId,
    machine: DeviceId,
    fault: &Fault,
) -> Result<()> {
    let new = NewReport {
        branch,
        machine,
        source: Source::Machine,
        user: None,
        severity: fault.severity,
        code: Some(&fault.code),
        message: &fault.message,
    };
    report_store::insert(db, &new, app.clock.now()).await?;
    if fault.severity == Severity::Fault {
        let reason = Some(fault.message.as_str());
        let word = Word { branch, machine, is_out: true, reason, by: None };
        condition::say(db, &word, &app.clock).await?;
    }
    Ok(())
}

/// Looks for machines that are not heard any more.
#[derive(Debug, Serialize, Deserialize)]
pub struct MissBeats;

impl Job for MissBeats {
    const KIND: &'static str = "machines.miss_beats";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        let missed = store::miss(&mut tx, now - app.config.machines.silence()).await?;
        for (branch, machine) in missed {
            let state = DeviceState::Offline;
            let status = DeviceStatus { state, firmware: None, uptime_ms: None, error: None };
            tell(&mut tx, branch, machine, status, now).await?;
        }
        Ok(tx.commit().await?)
    }
}

impl From<BeatState> for DeviceState {
    fn from(state: BeatState) -> Self {
        match state {
            BeatState::Idle => Self::Idle,
            BeatState::InUse => Self::InUse,
            BeatState::Paused => Self::Paused,
            BeatState::Finished => Self::Finished,
            BeatState::OutOfOrder => Self::OutOfOrder,
        }
    }
}
