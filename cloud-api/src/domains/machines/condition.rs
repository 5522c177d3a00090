//! Machines out of use and back: said by staff here or at the branch, by machines themselves, or by several members. The
//! last word counts, wherever it was said; the branch is told of ours.

use super::store;
use crate::clock::Clock;
use crate::domains::devices::{Condition, set_condition};
use crate::domains::edges::{Order, give_command};
use crate::events::log::{Audience, Event, MachineMaintenance, append};
use crate::ids::{BranchId, DeviceId, UserId};
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

/// What is said here of a machine.
#[derive(Debug)]
pub struct Word<'a> {
    pub branch: BranchId,
    pub machine: DeviceId,
    pub is_out: bool,
    pub reason: Option<&'a str>,
    /// Whoever says so, if it is somebody.
    pub by: Option<UserId>,
}

/// A branch that is silent for longer knows better when it is back.
const TOLD_FOR: Duration = Duration::days(7);

/// Puts a machine out of use or back, and has its branch told.
pub async fn say(db: &mut PgConnection, word: &Word<'_>, clock: &Clock) -> anyhow::Result<()> {
    let Word { branch, machine, is_out, reason, by } = *word;
    let condition = Condition { machine, is_out, reason, at_ms: clock.now_ms() };
    put(db, branch, &condition, clock.now()).await?;
    let name = match by {
        Some(user) => store::name_of(db, user).await?,
        None => "cloud".to_owned(),
    };
    let args = json!({
        "machine": machine, "is_out": is_out, "reason": reason, "staff": by, "name": name,
    });
    let args = if let Value::Object(args) = args { args } else { Map::new() };
    let command = "out_of_order".to_owned();
    give_command(db, &Order { branch, target: None, command, args, ttl: TOLD_FOR }, clock).await?;
    Ok(())
}

/// Takes over what a branch has journaled.
pub async fn follow(
    db: &mut PgConnection,
    branch: BranchId,
    machine: DeviceId,
    is_out: bool,
    at_ms: i64,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    put(db, branch, &Condition { machine, is_out, reason: None, at_ms }, now).await
}

async fn put(
    db: &mut PgConnection,
    branch_id: BranchId,
    condition: &Condition<'_>,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    if !set_condition(db, condition, now).await? {
        return Ok(());
    }
    let event = Event::MachineMaintenance(MachineMaintenance {
        machine_id: condition.machine,
        branch_id,
        is_out_of_order: condition.is_out,
        reason: condition.reason.map(str::to_owned),
    });
    append(db, Audience::Branch(branch_id), &event, now).await
}
