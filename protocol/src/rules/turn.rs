//! The changes that facts and the passing of time are made of, at one moment.

use super::state::{Link, MAX_QUEUE, Machine, Offer, Recent, Session};
use super::{Effect, FactKey, LinkEnd, Refusal, Rules, SessionEnd, State};
use crate::ids::{BranchId, DeviceId, LinkId, MemberId, SessionId, SetId};
use crate::mqtt::payloads::DecisionAction;

/// So many ids one stay or link has at most.
const MAX_CLAIMS: usize = 16;

/// The state at a moment, and what comes of its changes.
pub(super) struct Turn<'a> {
    state: &'a mut State,
    rules: &'a Rules,
    effects: &'a mut Vec<Effect>,
    now_ms: i64,
    /// When the fact happened: before `now_ms` where it comes late.
    at_ms: i64,
    /// Whether the branch itself says it.
    is_of_branch: bool,
}

impl<'a> Turn<'a> {
    pub(super) fn new(
        state: &'a mut State,
        rules: &'a Rules,
        effects: &'a mut Vec<Effect>,
    ) -> Self {
        let now_ms = state.now_ms;
        Self { state, rules, effects, now_ms, at_ms: now_ms, is_of_branch: false }
    }

    pub(super) fn of_fact(self, key: &FactKey) -> Self {
        let is_of_branch = !key.origin.is_cloud();
        Self { at_ms: key.at_ms.min(self.now_ms), is_of_branch, ..self }
    }

    pub(super) fn check_in(&mut self, session: SessionId, member: MemberId, branch: BranchId) {
        match self.state.sessions.get_mut(&member) {
            Some(open) if open.branch == branch => {
                if claim(&mut open.claims, session) {
                    self.effects.push(Effect::SessionMerged { session, into: open.id });
                }
            }
            Some(_) => {
                self.end_session(member, SessionEnd::Elsewhere);
                self.open(session, member, branch);
            }
            None => self.open(session, member, branch),
        }
    }

    fn open(&mut self, session: SessionId, member: MemberId, branch: BranchId) {
        let since_ms = self.now_ms;
        let (ends_by_ms, ends_at_closing) = self.rules.end_of_stay(branch, since_ms);
        let claims = vec![session];
        let id = session;
        let open = Session { id, claims, branch, since_ms, ends_by_ms, ends_at_closing };
        self.state.sessions.insert(member, open);
        self.remember(member, branch, DecisionAction::CheckIn);
        self.effects.push(Effect::SessionStarted { session, member, branch, since_ms });
    }

    pub(super) fn check_out(&mut self, session: SessionId, member: MemberId, branch: BranchId) {
        let Some(open) = self.state.sessions.get(&member) else { return };
        let is_meant =
            if self.is_of_branch { open.branch == branch } else { open.claims.contains(&session) };
        if is_meant {
            let branch = open.branch;
            self.end_session(member, SessionEnd::CheckedOut);
            self.remember(member, branch, DecisionAction::CheckOut);
        }
    }

    pub(super) fn reject_stay(&mut self, session: SessionId, member: MemberId) {
        let open = self.state.sessions.get_mut(&member);
        if open.is_some_and(|open| disclaim(&mut open.claims, &session)) {
            self.end_session(member, SessionEnd::Rejected);
        }
    }

    pub(super) fn end_by_time(&mut self, member: MemberId) {
        let Some(open) = self.state.sessions.get(&member) else { return };
        let is_closing = open.ends_at_closing;
        let why = if is_closing { SessionEnd::Closing } else { SessionEnd::TimeLimit };
        self.end_session(member, why);
    }

    /// Machines first, so that no link outlives its stay.
    fn end_session(&mut self, member: MemberId, why: SessionEnd) {
        if let Some(machine) = self.state.machine_of(member) {
            self.end_link(machine, LinkEnd::SessionEnded);
        }
        let machines: Vec<DeviceId> = self.state.machines.keys().copied().collect();
        for machine in machines {
            self.dequeue(member, machine);
        }
        let Some(Session { id: session, claims, branch, since_ms, .. }) =
            self.state.sessions.remove(&member)
        else {
            return;
        };
        let until_ms = self.now_ms;
        self.effects.push(Effect::SessionEnded {
            session,
            claims,
            member,
            branch,
            since_ms,
            until_ms,
            why,
        });
    }

    pub(super) fn link(
        &mut self,
        link: LinkId,
        member: MemberId,
        machine: DeviceId,
        branch: BranchId,
    ) {
        let place = self.machine(machine, branch);
        if let Some(own) = place.link.as_mut().filter(|own| own.member == member) {
            if claim(&mut own.claims, link) {
                let into = own.id;
                self.effects.push(Effect::LinkMerged { link, into });
            }
            return;
        }
        if let Some(why) = place.refusal(member) {
            if why == Refusal::MachineOutOfOrder || !self.is_of_branch {
                self.effects.push(Effect::LinkRefused { link, why });
                return;
            }
            self.take_from_others(machine);
        }
        if !self.state.is_inside(member, branch) {
            if self.state.session(member).is_some() {
                self.end_session(member, SessionEnd::Elsewhere);
            }
            self.open(SessionId(link.0), member, branch);
        }
        if let Some(former) = self.state.machine_of(member) {
            self.end_link(former, LinkEnd::Moved);
        }
        let since_ms = self.now_ms;
        let place = self.machine(machine, branch);
        place.offer = None;
        place.queue.retain(|waiting| *waiting != member);
        let lent = Link { id: link, claims: vec![link], member, since_ms, active_ms: since_ms };
        place.link = Some(lent);
        self.effects.push(Effect::LinkStarted { link, member, machine, since_ms });
    }

    /// The branch lends it, so nobody else can have it or be the first who waits.
    fn take_from_others(&mut self, machine: DeviceId) {
        self.end_link(machine, LinkEnd::Rejected);
        let Some(place) = self.state.machines.get_mut(&machine) else { return };
        if let Some(Offer { member, .. }) = place.offer.take() {
            place.queue.insert(0, member);
        }
    }

    pub(super) fn unlink(&mut self, link: LinkId, machine: DeviceId) {
        let place = self.state.machines.get_mut(&machine);
        let Some(lent) = place.and_then(|place| place.link.as_ref()) else { return };
        let member = lent.member;
        if !self.is_of_branch && !lent.claims.contains(&link) {
            return;
        }
        self.end_link(machine, LinkEnd::Unlinked);
        let now_ms = self.now_ms;
        if let Some(place) = self.state.machines.get_mut(&machine) {
            place.returned = Some((member, now_ms));
        }
    }

    pub(super) fn reject_link(&mut self, link: LinkId, machine: DeviceId) {
        let place = self.state.machines.get_mut(&machine);
        let lent = place.and_then(|place| place.link.as_mut());
        if lent.is_some_and(|lent| disclaim(&mut lent.claims, &link)) {
            self.end_link(machine, LinkEnd::Rejected);
        }
    }

    pub(super) fn end_link(&mut self, machine: DeviceId, why: LinkEnd) {
        let Some(place) = self.state.machines.get_mut(&machine) else { return };
        let Some(Link { id: link, member, since_ms, .. }) = place.link.take() else { return };
        let until_ms = self.now_ms;
        self.effects.push(Effect::LinkEnded { link, member, machine, since_ms, until_ms, why });
        self.offer_next(machine);
    }

    pub(super) fn enqueue(&mut self, member: MemberId, machine: DeviceId, branch: BranchId) {
        let is_inside = self.state.is_inside(member, branch);
        let place = self.machine(machine, branch);
        let is_served = place.holder() == Some(member)
            || place.offer.is_some_and(|offer| offer.member == member);
        let waits = place.queue.contains(&member) || place.queue.len() >= MAX_QUEUE;
        if is_inside && !is_served && !waits {
            place.queue.push(member);
            self.offer_next(machine);
        }
    }

    pub(super) fn dequeue(&mut self, member: MemberId, machine: DeviceId) {
        let Some(place) = self.state.machines.get_mut(&machine) else { return };
        place.queue.retain(|waiting| *waiting != member);
        if place.offer.take_if(|offer| offer.member == member).is_some() {
            self.offer_next(machine);
        }
    }

    pub(super) fn lapse(&mut self, machine: DeviceId) {
        let Some(place) = self.state.machines.get_mut(&machine) else { return };
        if let Some(Offer { member, .. }) = place.offer.take() {
            self.effects.push(Effect::OfferLapsed { machine, member });
        }
        self.offer_next(machine);
    }

    /// A sign of use, and whether it goes on.
    pub(super) fn used(&mut self, machine: DeviceId, branch: BranchId, is_in_use: Option<bool>) {
        let at_ms = self.at_ms;
        let place = self.machine(machine, branch);
        place.is_in_use = is_in_use.unwrap_or(place.is_in_use);
        if let Some(lent) = &mut place.link {
            lent.active_ms = lent.active_ms.max(at_ms);
        }
    }

    pub(super) fn work(&mut self, machine: DeviceId, branch: BranchId, set: SetId) {
        self.used(machine, branch, None);
        let at_ms = self.at_ms;
        let lent = self.machine(machine, branch).link.as_ref();
        // What was finished before it was lent is not theirs, however late it is told.
        let lent = lent.filter(|lent| lent.since_ms <= at_ms);
        let owner = lent.map(|lent| (lent.member, lent.id));
        self.effects.push(Effect::Attributed { set, machine, owner });
    }

    pub(super) fn out_of_order(&mut self, machine: DeviceId, branch: BranchId, is_out: bool) {
        let place = self.machine(machine, branch);
        place.is_out_of_order = is_out;
        self.usable_or_not(machine);
    }

    pub(super) fn faulty(&mut self, machine: DeviceId, branch: BranchId, is_faulty: bool) {
        self.machine(machine, branch).is_faulty = is_faulty;
        self.usable_or_not(machine);
    }

    fn usable_or_not(&mut self, machine: DeviceId) {
        let Some(place) = self.state.machines.get_mut(&machine) else { return };
        if place.is_usable() {
            self.offer_next(machine);
            return;
        }
        place.is_in_use = false;
        // Who it was kept for is first again when it is repaired.
        if let Some(Offer { member, .. }) = place.offer.take() {
            place.queue.insert(0, member);
        }
        self.end_link(machine, LinkEnd::OutOfOrder);
    }

    fn offer_next(&mut self, machine: DeviceId) {
        let Some(place) = self.state.machines.get_mut(&machine) else { return };
        let is_free = place.link.is_none() && place.offer.is_none() && place.is_usable();
        if !is_free || place.queue.is_empty() {
            return;
        }
        let member = place.queue.remove(0);
        let until_ms = self.now_ms.saturating_add(self.rules.offer_ms(place.branch));
        place.offer = Some(Offer { member, until_ms });
        self.effects.push(Effect::Offered { machine, member, until_ms });
    }

    fn machine(&mut self, machine: DeviceId, branch: BranchId) -> &mut Machine {
        self.state.machines.entry(machine).or_insert_with(|| Machine::new(branch))
    }

    fn remember(&mut self, member: MemberId, branch: BranchId, action: DecisionAction) {
        self.state.recent.insert(member, Recent { branch, at_ms: self.now_ms, action });
    }
}

/// Adds an id; says whether it is new.
fn claim<Id: PartialEq>(claims: &mut Vec<Id>, id: Id) -> bool {
    let is_new = !claims.contains(&id);
    if is_new && claims.len() < MAX_CLAIMS {
        claims.push(id);
    }
    is_new
}

/// Takes an id away; says whether none is left.
fn disclaim<Id: PartialEq>(claims: &mut Vec<Id>, id: &Id) -> bool {
    let is_known = claims.contains(id);
    claims.retain(|claim| claim != id);
    is_known && claims.is_empty()
}
