//! Decides about taps on the journal's thread: what was proven, whose it is, whether it was used before, what the rules
//! say, and what it comes to on the floor. Only memory is looked at; what changes is part of the tap's commit.

use super::holder::Holder;
use super::policy::Policy;
use super::{Access, Proof};
use crate::floor::{Book, Clerk, Desk, Hour, Painter, Petition, SeenTap, action_of};
use crate::journal::{Answer, Came, CodeTime, Decide, Kept, NewTap, Spent, Told, UsedCode};
use protocol::access::decision::MAX_TAP_AGE_MS;
use protocol::access::{self, Question, ReaderKind, Reason, Use};
use protocol::credential::qr::QrPayload;
use protocol::ids::{DeviceId, SetId};
use protocol::mqtt::payloads::{DecisionAction, DecisionMessage, DecisionOutcome};
use protocol::mqtt::topics::Topic;
use protocol::rules::{Means, Request, Resolved, deeds_of};
use protocol::sync::entry::{Body, Decision};
use protocol::sync::roster::ReaderPlace;
use protocol::time::{Stamp, TrustedTime};
use std::sync::Arc;
use uuid::Uuid;

/// A decision is void so long after it was made, in milliseconds.
const DECISION_MS: u64 = 2_000;

/// Who decides.
pub struct Judge {
    pub(super) access: Access,
    pub(super) clerk: Clerk,
    painter: Painter,
    started_mono_ms: u64,
}

/// How old a tap is, and when it is looked at.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    age_ms: u64,
    mono_ms: u64,
    time: TrustedTime,
}

/// What was decided, and what of it is to be journaled beside the decision.
pub(super) struct Verdict {
    pub made: access::Decision,
    pub reason: &'static str,
    pub opens_door: bool,
    pub bodies: Vec<Body>,
    pub told: Vec<Told>,
}

impl Judge {
    /// The agent has just been started: what was used before is only known from disk.
    pub fn new(access: Access) -> Self {
        let started_mono_ms = access.clock.mono_ms();
        let clerk = Clerk::new(access.registry.clone());
        let painter = Painter::new(access.pictures.clone());
        Self { access, clerk, painter, started_mono_ms }
    }
}

impl Decide for Judge {
    fn decide(&mut self, tap: &NewTap<'_>, kept: &mut Kept<'_>) -> Came {
        let (clock, mono_ms) = (&self.access.clock, self.access.clock.mono_ms());
        let waited_ms = mono_ms.saturating_sub(tap.stamp.mono_ms);
        let age_ms = u64::from(tap.tap.age_ms).saturating_add(waited_ms);
        let moment = Moment { age_ms, mono_ms, time: clock.trusted() };
        let is_unused = self.use_up(tap, kept.spent, moment);
        let policy = self.access.policies.current();
        let holder = Holder::of(tap, &self.access.registry.roster().read(), &kept.book.local);
        let (verdict, publishes) = self.judge(tap, &holder, &policy, moment, (is_unused, kept));
        let reason = verdict.made.reason;
        if let Some(member) = &holder.member {
            kept.spent.let_in.note(member.id, reason);
        }
        metrics::counter!("gymwire_decisions_total", "reason" => verdict.reason).increment(1);
        if !verdict.made.warnings.is_empty() {
            metrics::counter!("gymwire_decisions_with_warnings_total").increment(1);
        }
        let decision = Decision {
            tap_id: tap.tap.tap_id,
            reader: tap.reader,
            member: holder.member.as_ref().map(|member| member.id),
            credential: holder.credential,
            card: holder.card,
            sun_counter: holder.counter.filter(|_| is_unused),
            outcome: verdict.made.outcome,
            action: verdict.made.action,
            reason: verdict.reason.to_owned(),
            time_uncertain: verdict.made.time_uncertain,
        };
        self.painter.saw(seen(&decision, &verdict, kept.book.at(tap.stamp.mono_ms)));
        let door_open_ms = verdict.opens_door.then_some(policy.settings.door_open_ms);
        let answer = self.answer(&decision, verdict.made.display, door_open_ms, moment);
        let bodies = [Body::Decision(decision)].into_iter().chain(verdict.bodies).collect();
        Came { bodies, answer, publishes, told: verdict.told }
    }

    fn hear(
        &mut self,
        device: DeviceId,
        stamp: Stamp,
        body: &Body,
        kept: &mut Kept<'_>,
    ) -> Option<Came> {
        let deeds = deeds_of(device, body, SetId(Uuid::nil()));
        if deeds.is_empty() {
            return None;
        }
        let policy = self.access.policies.current();
        let rules = self.clerk.rules.current(&self.access.registry, &policy);
        let floor_ms = self.access.clock.trusted().floor_ms();
        let mut desk = Desk::at(kept.book, rules, stamp, floor_ms);
        let mono_ms = if let Body::Set(set) = body { set.mono_ms } else { stamp.mono_ms };
        for deed in deeds {
            desk.take(deed, mono_ms);
        }
        let publishes = desk.publishes(&self.access.registry);
        Some(Came { publishes, ..Came::default() })
    }

    fn ask(&mut self, stamp: Stamp, petition: Petition, kept: &mut Kept<'_>) -> Came {
        let policy = self.access.policies.current();
        let hour = Hour { stamp, time: self.access.clock.trusted(), policy: &policy };
        self.clerk.ask(&hour, petition, kept.book)
    }

    fn pass(&mut self, stamp: Stamp, kept: &mut Kept<'_>) -> Came {
        let policy = self.access.policies.current();
        self.clerk.enrolments.pass(stamp.mono_ms);
        if kept.book.has_local() {
            let roster = self.access.registry.roster().read();
            kept.book.settle(&roster, self.access.registry.roster().tellings());
        }
        let rules = self.clerk.rules.current(&self.access.registry, &policy);
        let floor_ms = self.access.clock.trusted().floor_ms();
        let desk = Desk::at(kept.book, rules, stamp, floor_ms);
        Came { publishes: desk.publishes(&self.access.registry), ..Came::default() }
    }

    fn show(&mut self, book: &Book, has_changed: bool) {
        self.painter.show(book, has_changed);
    }
}

impl Judge {
    /// Uses up what can be used once, whatever is decided in the end. Whether it was unused.
    fn use_up(&self, tap: &NewTap<'_>, spent: &mut Spent, moment: Moment) -> bool {
        match tap.proof {
            Proof::Card { uid_hash, counter } => spent.use_counter(*uid_hash, *counter),
            Proof::Code(payload) => spent.use_code(used(payload), self.code_time(moment)),
            Proof::Phone { nonce, .. } => {
                self.access.nonces.spend(tap.reader, nonce, moment.mono_ms)
            }
            Proof::Number | Proof::Nothing(_) => true,
        }
    }

    fn code_time(&self, moment: Moment) -> CodeTime {
        let running_ms = moment.mono_ms.saturating_sub(self.started_mono_ms);
        let now_ms = moment.time.unix_ms();
        let seconds = |ms: i64| u32::try_from(ms.div_euclid(1_000)).ok();
        CodeTime {
            now_s: now_ms.and_then(seconds),
            started_s: now_ms.and_then(|ms| seconds(ms.saturating_sub_unsigned(running_ms))),
        }
    }

    fn judge(
        &mut self,
        tap: &NewTap<'_>,
        holder: &Holder,
        policy: &Arc<Policy>,
        moment: Moment,
        (is_unused, kept): (bool, &mut Kept<'_>),
    ) -> (Verdict, Vec<crate::journal::Publish>) {
        let place = self.access.registry.roster().read().reader_place(tap.reader);
        let is_genuine = is_unused && moment.age_ms <= MAX_TAP_AGE_MS;
        if is_genuine && let Some(verdict) = self.enrol(tap, holder, kept.book) {
            return (verdict, Vec::new());
        }
        let rules = self.clerk.rules.current(&self.access.registry, policy);
        let mut desk = Desk::at(kept.book, rules, tap.stamp, moment.time.floor_ms());
        let member = holder.member.as_ref();
        let made = access::decide(&Question {
            age_ms: moment.age_ms,
            reader: kind_of(place),
            flaw: holder.flaw,
            once: Use::Once { is_used: !is_unused },
            is_enabled: holder.is_enabled,
            member,
            presence: desk.presence(member.map(|member| member.id)),
            was_granted_last: member.is_some_and(|member| kept.spent.let_in.knows(member.id)),
            has_roster: holder.has_roster,
            roster_confirmed_ms: self.access.registry.roster().confirmed_ms(),
            now: moment.time,
            settings: &policy.settings,
        });
        let verdict = carry_out(made, holder, place, &mut desk);
        (verdict, desk.publishes(&self.access.registry))
    }

    /// What the reader is told; nothing about a tap that is too old, since nothing may follow from it.
    fn answer(
        &self,
        decision: &Decision,
        display: String,
        open_door_ms: Option<u32>,
        moment: Moment,
    ) -> Option<Answer> {
        let left_ms = MAX_TAP_AGE_MS.checked_sub(moment.age_ms)?.min(DECISION_MS);
        let reader = self.access.registry.by_id(decision.reader)?;
        let message = DecisionMessage {
            tap_id: decision.tap_id,
            outcome: decision.outcome,
            action: decision.action,
            reason: decision.reason.clone(),
            display,
            open_door_ms,
            valid_ms: u32::try_from(left_ms).ok()?,
        };
        Some(Answer {
            reader: decision.reader,
            topic: Topic::ReaderDecision(reader.code.clone()).to_string(),
            payload: serde_json::to_vec(&message).ok()?.into(),
            until_mono_ms: moment.mono_ms + left_ms,
        })
    }
}

/// Whom the decision lets in comes in, goes, takes a machine or gives it back; the floor may still refuse it.
fn carry_out(
    mut made: access::Decision,
    holder: &Holder,
    place: ReaderPlace,
    desk: &mut Desk<'_>,
) -> Verdict {
    let granted = holder.member.as_ref().filter(|_| made.reason == Reason::Granted);
    let mut bodies = Vec::new();
    if let Some(member) = granted {
        match desk.carry_out(member.id, request_at(place), Means::Tap, None) {
            Ok(Resolved::Deed(deed)) => {
                made.action = action_of(&deed);
                bodies.push(Body::Deed(deed));
            }
            Ok(Resolved::Repeat(action)) => made.action = action,
            Err(refusal) => {
                made.outcome = DecisionOutcome::Denied;
                made.reason = refusal.reason();
                made.action = DecisionAction::None;
                made.warnings.clear();
            }
        }
        made.display = made.reason.display(made.action, Some(&member.display_name));
    }
    let is_door = !matches!(place, ReaderPlace::Machine(_));
    let opens_door = is_door && made.outcome == DecisionOutcome::Granted;
    Verdict { reason: made.reason.as_str(), opens_door, bodies, told: Vec::new(), made }
}

fn kind_of(place: ReaderPlace) -> ReaderKind {
    match place {
        ReaderPlace::Door => ReaderKind::Door,
        ReaderPlace::Entry => ReaderKind::Entry,
        ReaderPlace::Exit => ReaderKind::Exit,
        ReaderPlace::Machine(_) => ReaderKind::Machine,
    }
}

fn request_at(place: ReaderPlace) -> Request {
    match place {
        ReaderPlace::Door => Request::TapDoor,
        ReaderPlace::Entry => Request::TapEntry,
        ReaderPlace::Exit => Request::TapExit,
        ReaderPlace::Machine(machine) => Request::TapMachine(machine),
    }
}

fn seen(decision: &Decision, verdict: &Verdict, at_ms: i64) -> SeenTap {
    SeenTap {
        tap: decision.tap_id,
        at_ms,
        reader: decision.reader,
        member: decision.member,
        outcome: decision.outcome,
        action: decision.action,
        reason: decision.reason.clone(),
        warnings: verdict.made.warnings.clone(),
    }
}

fn used(payload: &QrPayload) -> UsedCode {
    let (issued_s, expires_s) = (payload.iat_s, payload.used_until_s());
    UsedCode { id: payload.use_id(), issued_s, expires_s }
}
