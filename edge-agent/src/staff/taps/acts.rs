//! Opening a door by hand, and presenting a code for somebody whose phone no scanner reads.

use super::rows::result;
use crate::floor::FloorRequest;
use crate::journal::{Committed, Received, What};
use crate::registry::Device;
use crate::staff::accounts::Caller;
use crate::staff::act::{ask, journal};
use crate::staff::app::Staff;
use crate::staff::reply::{Refusal, Reply, done};
use anyhow::Context as _;
use axum::Form;
use axum::extract::State;
use protocol::credential::Credential;
use protocol::ids::TapId;
use protocol::mqtt::payloads::MAX_QR_CHARS;
use protocol::sync::entry::{Body, Decision, DeviceKind, Source, Tap};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio::time::timeout;
use uuid::Uuid;

/// A decision is in the tap's own commit.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
pub struct Open {
    #[serde(default)]
    reader: String,
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
pub struct Presented {
    #[serde(default)]
    reader: String,
    #[serde(default)]
    code: String,
}

pub async fn open_door(
    State(staff): State<Staff>,
    caller: Caller,
    Form(given): Form<Open>,
) -> Reply {
    let reader = reader(&staff, &given.reader)?;
    let request = FloorRequest::OpenDoor { reader: reader.id, reason: given.reason };
    ask(&staff, &caller, request).await?;
    Ok(done(&staff, &caller.session, "/taps", format!("{} is open.", reader.name)))
}

/// The code goes the way of every tap: proven, journaled, decided, told to the reader.
pub async fn present_code(
    State(staff): State<Staff>,
    caller: Caller,
    Form(given): Form<Presented>,
) -> Reply {
    let reader = reader(&staff, &given.reader)?;
    let code = given.code.trim();
    let length = code.chars().count();
    if !(1..=MAX_QR_CHARS).contains(&length) || code.chars().any(char::is_control) {
        return Err(Refusal::invalid(format!(
            "A code has 1 to {MAX_QR_CHARS} printable characters."
        ))
        .at("code"));
    }
    journal(&staff, &caller, "present_code", reader.code.as_str()).await?;
    let decided = tap(&staff, &reader, code).await?;
    let words = result(decided.outcome, decided.action, &decided.reason);
    let name = decided.member.map(|member| staff.name_of(member));
    let words = name.map_or_else(|| words.clone(), |name| format!("{name}: {words}"));
    Ok(done(&staff, &caller.session, "/taps", format!("{words} ({}).", reader.name)))
}

async fn tap(staff: &Staff, reader: &Device, code: &str) -> anyhow::Result<Decision> {
    let credential = Credential::Qr { code: code.to_owned() };
    let tap_id = TapId(Uuid::now_v7());
    let stored = credential.stored(&staff.watched.registry.credential_key());
    let body = Body::Tap(Tap { tap_id, credential: stored, age_ms: 0 });
    let mut received = Received::new(Source::Device(reader.id), What::Event(body));
    received.proof = Some(Box::new(staff.access.prove(reader.id, &credential)));
    let committed = staff.watched.journal.events();
    staff.watched.journal.submit(vec![received]).await?;
    let decided = timeout(PATIENCE, decision(committed, tap_id)).await;
    decided.context("the journal cannot be written")?
}

async fn decision(
    mut committed: broadcast::Receiver<Arc<Committed>>,
    tap_id: TapId,
) -> anyhow::Result<Decision> {
    loop {
        let commit = committed.recv().await.context("the decision was missed: see the log")?;
        let found = commit.items.iter().find_map(|item| match &item.what {
            What::Event(Body::Decision(decision)) if decision.tap_id == tap_id => Some(decision),
            _ => None,
        });
        if let Some(decision) = found {
            return Ok(decision.clone());
        }
    }
}

fn reader(staff: &Staff, code: &str) -> Result<Arc<Device>, Refusal> {
    let device = staff.watched.registry.by_code(code);
    let reader = device.filter(|device| device.kind == DeviceKind::Reader);
    reader.ok_or_else(|| Refusal::not_found("such reader").at("reader"))
}
