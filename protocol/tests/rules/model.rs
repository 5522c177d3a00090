//! Any facts in any order: the same as a model that goes through the day minute by minute, and what must always hold.

use crate::kit::*;
use proptest::collection::vec;
use proptest::prelude::*;
use protocol::ids::{BranchId, DeviceId, MemberId, SetId};
use protocol::rules::{Deed, Effect, Fact, Folded, LinkEnd, MAX_QUEUE, Means, SessionEnd, fold};
use std::collections::BTreeMap;
use uuid::Uuid;

const DAY: i64 = 24 * 60;
const CLOSING: i64 = 23 * 60;
const OPENING: i64 = 6 * 60;

/// A lent thing or a stay of the model; times are minutes.
#[derive(Debug, Clone)]
struct Span {
    ids: Vec<u128>,
    name: u128,
    member: MemberId,
    branch: BranchId,
    since: i64,
    active: i64,
}

#[derive(Debug, Default)]
struct Model {
    stays: Vec<Span>,
    links: BTreeMap<DeviceId, Span>,
    used: Vec<DeviceId>,
    broken: Vec<DeviceId>,
    faulty: Vec<DeviceId>,
    stay_ends: Vec<(u128, i64, SessionEnd)>,
    link_ends: Vec<(u128, i64, LinkEnd)>,
}

impl Model {
    fn run(facts: &[Fact]) -> Self {
        let mut model = Self::default();
        for minute in 0..2 * DAY {
            model.pass(minute);
            let mut due: Vec<_> =
                facts.iter().filter(|fact| fact.key.at_ms == ms(minute)).collect();
            due.sort_by_key(|fact| (fact.key.origin, fact.key.seq));
            for fact in due {
                model.take(minute, fact);
            }
        }
        model.stay_ends.sort_by_key(|end| (end.1, end.0));
        model.link_ends.sort_by_key(|end| (end.1, end.0));
        model
    }

    fn pass(&mut self, minute: i64) {
        for machine in self.links.keys().copied().collect::<Vec<_>>() {
            if !self.used.contains(&machine) && self.links[&machine].active + 5 <= minute {
                self.end_link(minute, machine, LinkEnd::Idle);
            }
        }
        for stay in self.stays.clone() {
            let was_open = (OPENING..CLOSING).contains(&stay.since);
            if minute >= stay.since + 240 {
                self.end_stay(minute, stay.member, SessionEnd::TimeLimit);
            } else if was_open && minute >= CLOSING {
                self.end_stay(minute, stay.member, SessionEnd::Closing);
            }
        }
    }

    fn take(&mut self, minute: i64, fact: &Fact) {
        match fact.deed {
            Deed::CheckIn { session, member, .. } => {
                self.come(minute, session.0.as_u128(), member, fact.branch);
            }
            Deed::CheckOut { session, member, by } => {
                let id = session.0.as_u128();
                let is_tap = by != Means::Rejected;
                let is_own = is_tap && !fact.key.origin.is_cloud();
                let Some(stay) = self.stays.iter_mut().find(|stay| {
                    let is_named =
                        if is_own { stay.branch == fact.branch } else { stay.ids.contains(&id) };
                    stay.member == member && is_named
                }) else {
                    return;
                };
                if is_tap {
                    self.end_stay(minute, member, SessionEnd::CheckedOut);
                } else if stay.ids.len() == 1 {
                    self.end_stay(minute, member, SessionEnd::Rejected);
                } else {
                    stay.ids.retain(|claim| *claim != id);
                }
            }
            Deed::Link { link, member, machine, .. } => {
                if !fact.key.origin.is_cloud() {
                    self.take_back(minute, member, machine);
                }
                self.lend(minute, link.0.as_u128(), member, machine, fact.branch);
            }
            Deed::Unlink { link, machine, by } => {
                let id = link.0.as_u128();
                let Some(span) = self.links.get_mut(&machine) else { return };
                let is_own = by != Means::Rejected && !fact.key.origin.is_cloud();
                if !is_own && !span.ids.contains(&id) {
                } else if by != Means::Rejected {
                    self.end_link(minute, machine, LinkEnd::Unlinked);
                } else if span.ids.len() == 1 {
                    self.end_link(minute, machine, LinkEnd::Rejected);
                } else {
                    span.ids.retain(|claim| *claim != id);
                }
            }
            Deed::Use { machine, is_in_use } => {
                self.used.retain(|used| *used != machine);
                self.used.extend(is_in_use.then_some(machine));
                self.touch(minute, machine);
            }
            Deed::Work { machine, .. } => self.touch(minute, machine),
            Deed::OutOfOrder { machine, is_out } => {
                self.broken.retain(|broken| *broken != machine);
                self.broken.extend(is_out.then_some(machine));
                self.usable_or_not(minute, machine);
            }
            Deed::Faulty { machine, is_faulty } => {
                self.faulty.retain(|faulty| *faulty != machine);
                self.faulty.extend(is_faulty.then_some(machine));
                self.usable_or_not(minute, machine);
            }
            Deed::Enqueue { .. } | Deed::Dequeue { .. } => {}
        }
    }

    fn usable_or_not(&mut self, minute: i64, machine: DeviceId) {
        if self.broken.contains(&machine) || self.faulty.contains(&machine) {
            self.used.retain(|used| *used != machine);
            self.end_link(minute, machine, LinkEnd::OutOfOrder);
        }
    }

    /// The branch lends it to this member: nobody else has it.
    fn take_back(&mut self, minute: i64, member: MemberId, machine: DeviceId) {
        if self.links.get(&machine).is_some_and(|span| span.member != member) {
            self.end_link(minute, machine, LinkEnd::Rejected);
        }
    }

    fn come(&mut self, minute: i64, id: u128, member: MemberId, branch: BranchId) {
        match self.stays.iter_mut().find(|stay| stay.member == member) {
            Some(stay) if stay.branch == branch => stay.ids.push(id),
            found => {
                if found.is_some() {
                    self.end_stay(minute, member, SessionEnd::Elsewhere);
                }
                let (ids, name, since, active) = (vec![id], id, minute, minute);
                self.stays.push(Span { ids, name, member, branch, since, active });
            }
        }
    }

    fn lend(
        &mut self,
        minute: i64,
        id: u128,
        member: MemberId,
        machine: DeviceId,
        branch: BranchId,
    ) {
        match self.links.get_mut(&machine) {
            Some(span) if span.member == member => span.ids.push(id),
            Some(_) => {}
            None if self.broken.contains(&machine) || self.faulty.contains(&machine) => {}
            None => {
                let is_inside =
                    self.stays.iter().any(|stay| stay.member == member && stay.branch == branch);
                if !is_inside {
                    self.come(minute, id, member, branch);
                }
                for other in self.links.keys().copied().collect::<Vec<_>>() {
                    if self.links[&other].member == member {
                        self.end_link(minute, other, LinkEnd::Moved);
                    }
                }
                let (ids, name, since, active) = (vec![id], id, minute, minute);
                let span = Span { ids, name, member, branch, since, active };
                self.links.insert(machine, span);
            }
        }
    }

    fn touch(&mut self, minute: i64, machine: DeviceId) {
        if let Some(span) = self.links.get_mut(&machine) {
            span.active = minute;
        }
    }

    fn end_stay(&mut self, minute: i64, member: MemberId, why: SessionEnd) {
        for machine in self.links.keys().copied().collect::<Vec<_>>() {
            if self.links[&machine].member == member {
                self.end_link(minute, machine, LinkEnd::SessionEnded);
            }
        }
        let (gone, stay): (Vec<Span>, _) =
            self.stays.drain(..).partition(|stay| stay.member == member);
        self.stays = stay;
        self.stay_ends.extend(gone.into_iter().map(|stay| (stay.name, minute, why)));
    }

    fn end_link(&mut self, minute: i64, machine: DeviceId, why: LinkEnd) {
        if let Some(span) = self.links.remove(&machine) {
            self.link_ends.push((span.name, minute, why));
        }
    }
}

/// Machine 0 and 1 are in the north, 2 in the south.
fn place(machine: usize) -> (DeviceId, BranchId) {
    let device = DeviceId(Uuid::from_u128(0xD0 + machine as u128));
    (device, if machine < 2 { NORTH } else { SOUTH })
}

fn any_fact() -> impl Strategy<Value = (i64, usize, usize, u128, u8, bool)> {
    // Crowded around noon and around closing time, so that facts meet each other and the ends by time.
    let minute = prop_oneof![720..760_i64, 700..1_100_i64, 1_360..1_385_i64, 300..370_i64];
    (minute, 0..3_usize, 0..3_usize, 0..60_u128, 0..20_u8, any::<bool>())
}

/// Facts whose beginnings have ids of their own, and whose ends name any of them.
fn facts(with_queues: bool) -> impl Strategy<Value = Vec<Fact>> {
    vec(any_fact(), 0..60).prop_map(move |drawn| {
        (1_u64..)
            .zip(drawn)
            .map(|(seq, (minute, who, machine, any_id, kind, flag))| {
                let member = [ADA, BOB, CLEO][who];
                let (machine, home) = place(machine);
                let by = if flag { Means::Tap } else { Means::Rejected };
                let (new, old) = (u128::from(seq), any_id);
                let anywhere = if flag { NORTH } else { SOUTH };
                let (branch, deed) = match kind {
                    0..=3 => (anywhere, check_in(new, member)),
                    4..=5 => (anywhere, Deed::CheckOut { session: session(old), member, by }),
                    6..=10 => (home, link(new, member, machine)),
                    11..=12 => (home, Deed::Unlink { link: link_id(old), machine, by }),
                    13..=14 => (home, Deed::Use { machine, is_in_use: flag }),
                    15 => (home, Deed::Work { machine, set: SetId(Uuid::from_u128(new)) }),
                    16 => (home, Deed::OutOfOrder { machine, is_out: flag }),
                    17 if any_id % 3 == 0 => (home, Deed::Faulty { machine, is_faulty: flag }),
                    _ if !with_queues => (home, Deed::Use { machine, is_in_use: false }),
                    19 => (home, Deed::Dequeue { member, machine }),
                    _ => (home, Deed::Enqueue { member, machine }),
                };
                let journaled = if any_id % 4 == 0 { recorded } else { fact };
                journaled(minute, branch, seq, deed)
            })
            .collect()
    })
}

fn sorted<W: Copy>(mut ends: Vec<(u128, i64, W)>) -> Vec<(u128, i64, W)> {
    ends.sort_by_key(|end| (end.1, end.0));
    ends
}

/// (owner, from, until) of all stays, and of all links by member and by machine.
type Spans = Vec<(Uuid, i64, i64)>;

fn spans(folded: &Folded) -> (Spans, Spans, Spans) {
    let (mut stays, mut of_members, mut of_machines) = (vec![], vec![], vec![]);
    for effect in &folded.effects {
        match *effect {
            Effect::SessionEnded { member, since_ms, until_ms, .. } => {
                stays.push((member.0, since_ms, until_ms));
            }
            Effect::LinkEnded { member, machine, since_ms, until_ms, .. } => {
                of_members.push((member.0, since_ms, until_ms));
                of_machines.push((machine.0, since_ms, until_ms));
            }
            _ => {}
        }
    }
    (stays, of_members, of_machines)
}

/// Whether of one owner no two overlap.
fn are_apart(spans: &Spans) -> bool {
    let mut sorted = spans.clone();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0].0 != pair[1].0 || pair[0].2 <= pair[1].1)
}

proptest! {
    #![proptest_config(if std::env::var_os("PROPTEST_CASES").is_some() {
        ProptestConfig::default()
    } else {
        ProptestConfig::with_cases(512)
    })]

    #[test]
    fn stays_and_links_are_those_of_the_model(facts in facts(false)) {
        let folded = folded(2 * DAY, &facts);

        let model = Model::run(&facts);
        prop_assert_eq!(sorted(ends(&folded)), model.stay_ends);
        prop_assert_eq!(sorted(link_ends(&folded)), model.link_ends);
    }

    #[test]
    fn every_order_of_arrival_folds_to_the_same(
        (facts, shuffled, twice) in facts(true).prop_flat_map(|facts| {
            let shuffled = Just(facts.clone()).prop_shuffle();
            let twice = proptest::sample::subsequence(facts.clone(), 0..=facts.len());
            (Just(facts), shuffled, twice)
        })
    ) {
        let folded = fold(&rules(), &facts);

        prop_assert_eq!(fold(&rules(), twice.iter().chain(&shuffled)), folded);
    }

    #[test]
    fn what_must_always_hold(facts in facts(true)) {
        let folded = folded(3 * DAY, &facts);

        let (stays, of_members, of_machines) = spans(&folded);
        prop_assert!(are_apart(&stays), "a member is in one branch at a time");
        prop_assert!(are_apart(&of_members), "a member has one machine at a time");
        prop_assert!(are_apart(&of_machines), "a machine is lent once at a time");
        prop_assert!(stays.iter().all(|stay| stay.2 - stay.1 <= 240 * 60_000));
        for (member, since_ms, until_ms) in of_members {
            let holds = |stay: &&(Uuid, i64, i64)| {
                stay.0 == member && stay.1 <= since_ms && until_ms <= stay.2
            };
            prop_assert!(stays.iter().any(|stay| holds(&stay)), "a link is within a stay");
        }
        let begun = |effect: &&Effect| matches!(effect, Effect::SessionStarted { .. });
        prop_assert_eq!(folded.effects.iter().filter(begun).count(), stays.len());
        prop_assert_eq!(folded.state.sessions().count(), 0);
        let waits = folded.state.machines().any(|(_, machine)| {
            machine.link.is_some() || machine.offer.is_some() || !machine.queue.is_empty()
        });
        prop_assert!(!waits, "nobody waits who is not inside");
    }

    #[test]
    fn a_free_machine_is_never_withheld_from_who_waits(
        facts in facts(true),
        until in 300..1_400_i64,
    ) {
        let early: Vec<Fact> =
            facts.into_iter().filter(|fact| fact.key.at_ms <= ms(until)).collect();

        let state = folded(until, &early).state;

        for (_, machine) in state.machines() {
            let is_free = machine.link.is_none() && machine.is_usable();
            prop_assert!(machine.link.is_none() || machine.offer.is_none());
            prop_assert!(!is_free || machine.queue.is_empty() || machine.offer.is_some());
            prop_assert!(machine.queue.len() <= MAX_QUEUE);
            for member in machine.queue.iter().chain(machine.offer.as_ref().map(|o| &o.member)) {
                prop_assert!(state.is_inside(*member, machine.branch));
            }
        }
        let next = state.wake_at_ms(&rules());
        prop_assert!(next.is_none_or(|next_ms| next_ms > state.now_ms()));
    }
}
