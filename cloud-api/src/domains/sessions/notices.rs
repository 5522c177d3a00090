//! What folding came to, told live: only what is news against the rows that stand, so that what is folded anew, or comes
//! late, is not told again.

use super::outcome::{Lent, Outcome, Stay};
use super::store::ids;
use crate::clock::at_ms;
use crate::domains::realtime::machines;
use crate::events::log::{
    self, Audience, Event, MachineLinked, MachineUnlinked, QueueLeft, QueueOffer, SessionEnded,
    SessionStarted,
};
use crate::ids::{BranchId, DeviceId, MemberId};
use protocol::rules::State;
use sqlx::{PgConnection, query};
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;
use uuid::Uuid;

/// How things stood before.
#[derive(Debug, Default)]
pub struct Before {
    /// Whether they had ended.
    stays: BTreeMap<Uuid, bool>,
    links: BTreeMap<Uuid, bool>,
    /// Place and end of the offer, by machine and member.
    queues: Queues,
}

type Queues = BTreeMap<(DeviceId, MemberId), (i32, Option<OffsetDateTime>)>;

/// What began so long ago is history.
const NEWS_FOR_MS: i64 = 10 * 60_000;

/// Reads it, of what folding touched.
pub async fn before(
    db: &mut PgConnection,
    outcome: &Outcome,
    branches: &BTreeSet<BranchId>,
) -> sqlx::Result<Before> {
    let stays: Vec<Uuid> = outcome.stays.keys().map(|id| id.0).collect();
    let links: Vec<Uuid> = outcome.links.keys().map(|id| id.0).collect();
    let rows = query!(
        r#"SELECT id, true AS "is_stay!", ended_at IS NOT NULL AS "has_ended!"
           FROM gym_sessions WHERE id = ANY($1)
           UNION ALL SELECT id, false, ended_at IS NOT NULL FROM links WHERE id = ANY($2)"#,
        &stays,
        &links,
    );
    let mut before = Before::default();
    for row in rows.fetch_all(&mut *db).await? {
        let Some(id) = row.id else { continue };
        let known = if row.is_stay { &mut before.stays } else { &mut before.links };
        known.insert(id, row.has_ended);
    }
    let entries = query!(
        r#"SELECT machine_id AS "machine_id: DeviceId", member_id AS "member_id: MemberId", place,
                  offered_until
           FROM queue_entries WHERE branch_id = ANY($1)"#,
        &ids(branches),
    );
    for row in entries.fetch_all(db).await? {
        before.queues.insert((row.machine_id, row.member_id), (row.place, row.offered_until));
    }
    Ok(before)
}

/// Tells what is news.
pub async fn tell(
    db: &mut PgConnection,
    before: &Before,
    outcome: &Outcome,
    branches: &BTreeSet<BranchId>,
    state: &State,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    let mut news = News { from_ms: now.unix_timestamp() * 1_000 - NEWS_FOR_MS, ..News::default() };
    for (id, stay) in &outcome.stays {
        news.stay(id.0, stay, before.stays.get(&id.0).copied());
    }
    for (id, lent) in &outcome.links {
        let branch = state.machine(lent.machine).map(|machine| machine.branch.into());
        if let Some(branch) = branch {
            news.link(id.0, branch, lent, before.links.get(&id.0).copied());
        }
    }
    news.queues(&before.queues, branches, state);
    log::append_all(db, &news.events, now).await?;
    let machines: Vec<_> = news.machines.into_iter().collect();
    machines::tell(db, &machines, now).await
}

#[derive(Default)]
struct News {
    from_ms: i64,
    events: Vec<(Audience, Event)>,
    machines: BTreeSet<DeviceId>,
}

impl News {
    fn stay(&mut self, session_id: Uuid, stay: &Stay, had_ended: Option<bool>) {
        let (branch_id, member_id) = (stay.branch.into(), stay.member.into());
        let started_at = at_ms(stay.since_ms);
        if had_ended.is_none() && stay.since_ms >= self.from_ms {
            let started = SessionStarted { session_id, branch_id, member_id, started_at };
            self.tell_both(member_id, branch_id, &Event::SessionStarted(started));
        }
        let Some((until_ms, reason)) = stay.end else { return };
        if had_ended == Some(false) || had_ended.is_none() && until_ms >= self.from_ms {
            let ended = SessionEnded {
                session_id,
                branch_id,
                member_id,
                started_at,
                ended_at: at_ms(until_ms),
                reason: reason.to_owned(),
                is_automatic: ["time_limit", "closing", "elsewhere"].contains(&reason),
            };
            self.tell_both(member_id, branch_id, &Event::SessionEnded(ended));
        }
    }

    fn link(&mut self, link_id: Uuid, branch_id: BranchId, lent: &Lent, had_ended: Option<bool>) {
        let (machine_id, member_id) = (lent.machine.into(), lent.member.into());
        let started_at = at_ms(lent.since_ms);
        if had_ended.is_none() && lent.since_ms >= self.from_ms {
            let linked = MachineLinked { link_id, machine_id, branch_id, member_id, started_at };
            self.tell_both(member_id, branch_id, &Event::MachineLinked(linked));
            self.machines.insert(machine_id);
        }
        let Some((until_ms, reason)) = lent.end else { return };
        if had_ended == Some(false) || had_ended.is_none() && until_ms >= self.from_ms {
            let unlinked = MachineUnlinked {
                link_id,
                machine_id,
                branch_id,
                member_id,
                started_at,
                ended_at: at_ms(until_ms),
                reason: reason.to_owned(),
            };
            self.tell_both(member_id, branch_id, &Event::MachineUnlinked(unlinked));
            self.machines.insert(machine_id);
        }
    }

    /// Offers that are new, and who waits no more without having got the machine.
    fn queues(&mut self, before: &Queues, branches: &BTreeSet<BranchId>, state: &State) {
        let mut now: BTreeMap<(DeviceId, MemberId), BranchId> = BTreeMap::new();
        for (id, machine) in state.machines() {
            let (machine_id, branch_id): (DeviceId, BranchId) = (id.into(), machine.branch.into());
            if let Some(offer) = &machine.offer {
                let member = offer.member.into();
                now.insert((machine_id, member), branch_id);
                if before.get(&(machine_id, member)).is_none_or(|(place, _)| *place != 0) {
                    let offered_until = at_ms(offer.until_ms);
                    let offer = QueueOffer { machine_id, branch_id, offered_until };
                    self.events.push((Audience::Member(member), Event::QueueOffer(offer)));
                    self.machines.insert(machine_id);
                }
            }
            for member in &machine.queue {
                now.insert((machine_id, (*member).into()), branch_id);
                if !before.contains_key(&(machine_id, (*member).into())) {
                    self.machines.insert(machine_id);
                }
            }
        }
        for ((machine_id, member), (place, _)) in before {
            if now.contains_key(&(*machine_id, *member)) {
                continue;
            }
            self.machines.insert(*machine_id);
            let machine = state.machine((*machine_id).into());
            let got_it =
                machine.and_then(protocol::rules::Machine::holder) == Some((*member).into());
            let branch = machine.map(|machine| machine.branch.into());
            let branch = branch.or_else(|| branches.first().copied());
            if let (false, Some(branch_id)) = (got_it, branch) {
                let was_offered = *place == 0;
                let left = QueueLeft { machine_id: *machine_id, branch_id, was_offered };
                self.events.push((Audience::Member(*member), Event::QueueLeft(left)));
            }
        }
    }

    fn tell_both(&mut self, member: MemberId, branch: BranchId, event: &Event) {
        self.events.push((Audience::Member(member), event.clone()));
        self.events.push((Audience::Staff(branch), event.clone()));
    }
}
