//! Entries of batches to facts.

use super::store::{self, NewAct, NewFact};
use crate::domains::activity::Origin;
use crate::domains::machines;
use crate::ids::{BranchId, EdgeId};
use protocol::ids::{DeviceId, MemberId, SetId};
use protocol::rules::{Deed, deeds_of};
use protocol::sync::entry::{Body, Event};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// Notes what entries mean for stays and machines; it is folded after the batch. Whether there was anything.
pub async fn note(db: &mut PgConnection, events: &[(Origin, &Event)]) -> anyhow::Result<bool> {
    let mut facts = Vec::new();
    let mut has_acts = false;
    for (origin, event) in events {
        if let Body::StaffAct(act) = &event.body {
            store::insert_act(db, origin, &NewAct::of(act)?).await?;
            has_acts = true;
            continue;
        }
        // The nil device: the edge itself, whose deeds name their machines.
        let machine = event.source.device().unwrap_or(DeviceId(Uuid::nil()));
        let deeds = deeds_of(machine, &event.body, unnamed(origin));
        for (part, deed) in (0..).zip(&deeds) {
            if let Deed::OutOfOrder { machine, is_out } = *deed {
                let (branch, now) = (origin.delivery.branch, origin.delivery.received_at);
                machines::follow(db, branch, machine.into(), is_out, origin.at_ms, now).await?;
            }
            facts.push(NewFact::of(*origin, event.stamp.boot, part, deed)?);
        }
    }
    store::insert_facts(db, &facts).await?;
    Ok(has_acts || !facts.is_empty())
}

/// Notes deeds of machines that no edge speaks for, as done now.
pub async fn note_here(
    db: &mut PgConnection,
    branch: BranchId,
    deeds: &[Deed],
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    let at_ms = i64::try_from(now.unix_timestamp_nanos() / 1_000_000)?;
    let mut facts = Vec::new();
    for deed in deeds {
        let seq = store::next_number(db).await?;
        facts.push(NewFact::provisional(branch, seq, at_ms, now, deed.clone())?);
    }
    Ok(store::insert_facts(db, &facts).await?)
}

/// The machine that a deed is about.
pub fn machine_of(deed: &Deed) -> Option<crate::ids::DeviceId> {
    parties(deed).2.map(Into::into)
}

/// A set without an id of its own is named after its place in the journal.
pub fn unnamed(origin: &Origin) -> SetId {
    let epoch = u128::from(origin.delivery.epoch);
    SetId(Uuid::from_u128((epoch << 64) | u128::from(origin.seq.unsigned_abs())))
}

/// Dates the facts of a boot that had no date, and has them folded where they belong.
pub async fn redate(
    db: &mut PgConnection,
    edge: EdgeId,
    boot: u64,
    offset_ms: i64,
) -> sqlx::Result<()> {
    store::redate(db, edge, boot, offset_ms).await
}

/// Whom and what a deed is about.
pub fn parties(deed: &Deed) -> (&'static str, Option<MemberId>, Option<DeviceId>) {
    match *deed {
        Deed::CheckIn { member, .. } => ("check_in", Some(member), None),
        Deed::CheckOut { member, .. } => ("check_out", Some(member), None),
        Deed::Link { member, machine, .. } => ("link", Some(member), Some(machine)),
        Deed::Unlink { machine, .. } => ("unlink", None, Some(machine)),
        Deed::Enqueue { member, machine } => ("enqueue", Some(member), Some(machine)),
        Deed::Dequeue { member, machine } => ("dequeue", Some(member), Some(machine)),
        Deed::Use { machine, .. } => ("use", None, Some(machine)),
        Deed::Work { machine, .. } => ("work", None, Some(machine)),
        Deed::OutOfOrder { machine, .. } => ("out_of_order", None, Some(machine)),
        Deed::Faulty { machine, .. } => ("faulty", None, Some(machine)),
    }
}
