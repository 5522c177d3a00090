//! Events to rows: what may be taken from whom, and where it goes.

use super::dating::Offsets;
use super::unpack::{SetAside, Unpacked};
use crate::domains::activity::{self, Origin, Rows};
use crate::domains::devices::{self, Adoption, SecretChange};
use crate::domains::edges::caller::EdgeCaller;
use crate::domains::sessions;
use crate::domains::telemetry::Delivery;
use crate::http::Result;
use crate::ids::{BranchId, DeviceId};
use protocol::sync::entry::{Body, DeviceProposal, DeviceSecret, Event, Source};
use sqlx::PgConnection;
use std::collections::HashSet;
use time::OffsetDateTime;

/// Takes over what staff did to devices at the branch; the entries that follow may be theirs already.
pub async fn take_over_devices(
    db: &mut PgConnection,
    caller: &EdgeCaller,
    batch: &mut Unpacked,
    now: OffsetDateTime,
) -> Result<()> {
    let mut refused = Vec::new();
    for (&seq, (event, _)) in &batch.events {
        let said = match (event.source, &event.body) {
            (Source::Edge, Body::DeviceProposed(proposal)) => {
                adopted(db, caller.branch, proposal, now).await?
            }
            (Source::Edge, Body::DeviceSecret(change)) => {
                secret_changed(db, caller.branch, change).await?
            }
            _ => continue,
        };
        let Some(Said { code, detail, is_refused }) = said else { continue };
        activity::notice(db, caller.branch, Some(caller.edge), code, &detail, now).await?;
        if is_refused {
            refused.push((seq, code, detail));
        }
    }
    for (seq, code, detail) in refused {
        put_aside(batch, seq, code, detail);
    }
    Ok(())
}

/// What staff are told.
struct Said {
    code: &'static str,
    detail: String,
    is_refused: bool,
}

async fn adopted(
    db: &mut PgConnection,
    branch: BranchId,
    proposal: &DeviceProposal,
    now: OffsetDateTime,
) -> Result<Option<Said>> {
    if devices::adopt(db, branch, proposal, now).await? == Adoption::Adopted {
        return Ok(None);
    }
    let code = &proposal.code;
    let detail = format!(
        "A device that was added at the branch has the code {code}, which another device \
         has already. It was not adopted; give one of them another code."
    );
    Ok(Some(Said { code: "device_refused", detail, is_refused: true }))
}

async fn secret_changed(
    db: &mut PgConnection,
    branch: BranchId,
    change: &DeviceSecret,
) -> Result<Option<Said>> {
    let (code, detail, is_refused) = match devices::change_secret(db, branch, change).await? {
        SecretChange::Taken(_) if change.secret_sha256.is_some() => return Ok(None),
        SecretChange::Taken(device) => {
            ("device_revoked", format!("Staff locked {device} out at the branch."), false)
        }
        SecretChange::Kept(device) => {
            let detail = format!(
                "The secret of {device} was changed at the branch, and in the cloud as well. \
                 The cloud's counts."
            );
            ("device_secret_kept", detail, true)
        }
        SecretChange::NoDevice => {
            let detail = format!("no device {} in this branch", change.id);
            ("device_unknown", detail, true)
        }
    };
    Ok(Some(Said { code, detail, is_refused }))
}

/// Sorts events into the rows of their tables; what is not for us to take is set aside.
pub fn into_rows(
    delivery: Delivery,
    batch: &mut Unpacked,
    devices: &HashSet<DeviceId>,
    offsets: &Offsets,
) -> Rows {
    let mut rows = Rows::default();
    let mut refused = Vec::new();
    for (&seq, (event, _)) in &batch.events {
        if let Some(reason) = objection(event, devices) {
            refused.push((seq, reason));
            continue;
        }
        let mono_ms = happened_mono_ms(event);
        let (at_ms, is_dated) = offsets.date(&event.stamp, mono_ms);
        let origin = Origin { delivery, seq, mono_ms, at_ms, is_dated };
        rows.add(origin, event);
    }
    for (seq, (reason, detail)) in refused {
        put_aside(batch, seq, reason, detail.to_owned());
    }
    rows
}

/// Events with when they happened.
pub fn dated<'a>(
    delivery: Delivery,
    batch: &'a Unpacked,
    offsets: &Offsets,
) -> Vec<(Origin, &'a Event)> {
    let dated = |(&seq, (event, _)): (&i64, &'a (Event, Vec<u8>))| {
        let mono_ms = happened_mono_ms(event);
        let (at_ms, is_dated) = offsets.date(&event.stamp, mono_ms);
        (Origin { delivery, seq, mono_ms, at_ms, is_dated }, event)
    };
    batch.events.iter().map(dated).collect()
}

fn put_aside(batch: &mut Unpacked, seq: i64, reason: &'static str, detail: String) {
    if let Some((event, content)) = batch.events.remove(&seq) {
        let device = event.source.device().map(Into::into);
        batch.set_aside.push(SetAside { seq, kind: "event", device, reason, detail, content });
    }
}

/// Why an event is not taken from where it came.
fn objection(event: &Event, devices: &HashSet<DeviceId>) -> Option<(&'static str, &'static str)> {
    let device = event.source.device().map(DeviceId::from);
    let about = match &event.body {
        Body::Decision(decision) => Some(decision.reader.into()),
        Body::Deed(deed) => sessions::machine_of(deed),
        _ => device,
    };
    if about.is_some_and(|about| !devices.contains(&about)) {
        return Some(("foreign_device", "no such device in this branch"));
    }
    let needs_device =
        matches!(event.body, Body::Tap(_) | Body::Set(_) | Body::Status(_) | Body::Maintenance(_));
    let needs_edge = matches!(
        event.body,
        Body::Gap(_)
            | Body::Notice(_)
            | Body::DeviceProposed(_)
            | Body::DeviceSecret(_)
            | Body::Decision(_)
            | Body::Deed(_)
            | Body::StaffAct(_)
    );
    if needs_device && device.is_none() {
        return Some(("wrong_source", "only a device can tell this"));
    }
    if needs_edge && device.is_some() {
        return Some(("wrong_source", "only the edge itself can tell this"));
    }
    None
}

/// The monotonic time at which it happened, which may be before it was journaled.
fn happened_mono_ms(event: &Event) -> u64 {
    match &event.body {
        Body::Tap(tap) => event.stamp.mono_ms.saturating_sub(tap.age_ms.into()),
        Body::Set(set) => set.mono_ms,
        _ => event.stamp.mono_ms,
    }
}
