//! Decides about taps on the journal's thread: what was proven, whose it is, whether it was used before, and what the
//! rules say. Only memory is looked at; what is used up is part of the tap's commit.

use super::holder::Holder;
use super::{Access, Proof};
use crate::journal::{Answer, CodeTime, Decide, Decided, NewTap, Spent, UsedCode};
use protocol::access::decision::MAX_TAP_AGE_MS;
use protocol::access::{self, BranchSettings, Presence, Question, ReaderKind, Use};
use protocol::credential::qr::QrPayload;
use protocol::mqtt::payloads::{DecisionAction, DecisionMessage, DecisionOutcome};
use protocol::mqtt::topics::Topic;
use protocol::sync::entry::Decision;
use protocol::time::TrustedTime;

/// A decision is void so long after it was made, in milliseconds.
const DECISION_MS: u64 = 2_000;

/// Who decides.
pub struct Judge {
    access: Access,
    started_mono_ms: u64,
}

/// How old a tap is, and when it is looked at.
#[derive(Clone, Copy)]
struct Moment {
    age_ms: u64,
    mono_ms: u64,
    time: TrustedTime,
}

impl Judge {
    /// The agent has just been started: what was used before is only known from disk.
    pub fn new(access: Access) -> Self {
        let started_mono_ms = access.clock.mono_ms();
        Self { access, started_mono_ms }
    }
}

impl Decide for Judge {
    fn decide(&mut self, tap: &NewTap<'_>, spent: &mut Spent) -> Decided {
        let (clock, mono_ms) = (&self.access.clock, self.access.clock.mono_ms());
        let waited_ms = mono_ms.saturating_sub(tap.stamp.mono_ms);
        let age_ms = u64::from(tap.tap.age_ms).saturating_add(waited_ms);
        let moment = Moment { age_ms, mono_ms, time: clock.trusted() };
        let is_unused = self.use_up(tap, spent, moment);
        let holder = Holder::of(tap, &self.access.registry.roster().read());
        let policy = self.access.policies.current();
        let made = self.ask(&holder, &policy.settings, moment, (is_unused, spent));
        if let Some(member) = &holder.member {
            spent.let_in.note(member.id, made.reason);
        }
        let reason = made.reason.as_str();
        metrics::counter!("gymwire_decisions_total", "reason" => reason).increment(1);
        if !made.warnings.is_empty() {
            metrics::counter!("gymwire_decisions_with_warnings_total").increment(1);
        }
        let decision = Decision {
            tap_id: tap.tap.tap_id,
            reader: tap.reader,
            member: holder.member.as_ref().map(|member| member.id),
            credential: holder.credential,
            card: holder.card,
            sun_counter: holder.counter.filter(|_| is_unused),
            outcome: made.outcome,
            // A tap only opens the door as long as nobody keeps sessions.
            action: DecisionAction::None,
            reason: reason.to_owned(),
            time_uncertain: made.time_uncertain,
        };
        let answer = self.answer(&decision, made.display, policy.settings.door_open_ms, moment);
        Decided { decision, answer }
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

    fn ask(
        &self,
        holder: &Holder,
        settings: &BranchSettings,
        moment: Moment,
        (is_unused, spent): (bool, &Spent),
    ) -> access::Decision {
        let member = holder.member.as_ref();
        access::decide(&Question {
            age_ms: moment.age_ms,
            reader: ReaderKind::Door,
            flaw: holder.flaw,
            once: Use::Once { is_used: !is_unused },
            is_enabled: holder.is_enabled,
            member,
            presence: Presence::Unknown,
            was_granted_last: member.is_some_and(|member| spent.let_in.knows(member.id)),
            has_roster: holder.has_roster,
            roster_confirmed_ms: self.access.registry.roster().confirmed_ms(),
            now: moment.time,
            settings,
        })
    }

    /// What the reader is told; nothing about a tap that is too old, since nothing may follow from it.
    fn answer(
        &self,
        decision: &Decision,
        display: String,
        door_open_ms: u32,
        moment: Moment,
    ) -> Option<Answer> {
        let left_ms = MAX_TAP_AGE_MS.checked_sub(moment.age_ms)?.min(DECISION_MS);
        let reader = self.access.registry.by_id(decision.reader)?;
        let is_granted = decision.outcome == DecisionOutcome::Granted;
        let message = DecisionMessage {
            tap_id: decision.tap_id,
            outcome: decision.outcome,
            action: decision.action,
            reason: decision.reason.clone(),
            display,
            open_door_ms: is_granted.then_some(door_open_ms),
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

fn used(payload: &QrPayload) -> UsedCode {
    let (issued_s, expires_s) = (payload.iat_s, payload.used_until_s());
    UsedCode { id: payload.use_id(), issued_s, expires_s }
}
