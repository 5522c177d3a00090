//! Events to rows: what may be taken from whom, and where it goes.

use super::dating::Offsets;
use super::unpack::{SetAside, Unpacked};
use crate::domains::activity::{self, Origin, Rows};
use crate::domains::devices::{self, Adoption};
use crate::domains::edges::caller::EdgeCaller;
use crate::domains::telemetry::Delivery;
use crate::http::Result;
use crate::ids::DeviceId;
use protocol::sync::entry::{Body, Event, Source};
use sqlx::PgConnection;
use std::collections::HashSet;
use time::OffsetDateTime;

/// Adopts devices that were added at the branch; the entries that follow may be theirs already.
pub async fn adopt_proposals(
    db: &mut PgConnection,
    caller: &EdgeCaller,
    batch: &mut Unpacked,
    now: OffsetDateTime,
) -> Result<()> {
    let mut refused = Vec::new();
    for (&seq, (event, _)) in &batch.events {
        let (Source::Edge, Body::DeviceProposed(proposal)) = (event.source, &event.body) else {
            continue;
        };
        if devices::adopt(db, caller.branch, proposal, now).await? == Adoption::Refused {
            let code = &proposal.code;
            let detail = format!(
                "A device that was added at the branch has the code {code}, which another device \
                 has already. It was not adopted; give one of them another code."
            );
            let edge = Some(caller.edge);
            activity::notice(db, caller.branch, edge, "device_refused", &detail, now).await?;
            refused.push((seq, detail));
        }
    }
    for (seq, detail) in refused {
        put_aside(batch, seq, "device_refused", detail);
    }
    Ok(())
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

fn put_aside(batch: &mut Unpacked, seq: i64, reason: &'static str, detail: String) {
    if let Some((event, content)) = batch.events.remove(&seq) {
        let device = event.source.device().map(Into::into);
        batch.set_aside.push(SetAside { seq, kind: "event", device, reason, detail, content });
    }
}

/// Why an event is not taken from where it came.
fn objection(event: &Event, devices: &HashSet<DeviceId>) -> Option<(&'static str, &'static str)> {
    let device = event.source.device().map(DeviceId::from);
    if device.is_some_and(|device| !devices.contains(&device)) {
        return Some(("foreign_device", "no such device in this branch"));
    }
    let needs_device =
        matches!(event.body, Body::Tap(_) | Body::Set(_) | Body::Status(_) | Body::Maintenance(_));
    let needs_edge = matches!(event.body, Body::Gap(_) | Body::Notice(_) | Body::DeviceProposed(_));
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
