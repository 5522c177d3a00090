//! The decision about one tap.
//!
//! Where several reasons hold, the first of this list is given. It goes from what proves nothing (so that a forged or
//! copied credential learns nothing about a member) over what the member is to what the branch is:
//!
//! | reason | holds when |
//! |---|---|
//! | `stale` | presented more than 5 s ago |
//! | `no_roster` | the branch was never told its members |
//! | `bad_signature`, `code_expired`, `wrong_branch`, `unknown_card`, `replayed` | what the check of the credential found |
//! | `replayed` | counter not above the last one, nonce or code used |
//! | `unknown_card` | nobody's |
//! | `disabled_credential` | lost or given back |
//! | `blocked` | the member is locked out |
//! | `outside_hours`, `frozen`, `wrong_branch`, `expired` | no membership counts; the nearest says why, see [`super::standing()`] |
//! | `closed` | outside opening hours |
//! | `time_uncertain` | nobody knows the time and the branch's policy is `deny` |
//! | `roster_too_old` | older than its grace, and not let in last time |
//! | `already_inside` | at an entry, with anti-passback `deny` |
//!
//! Who is inside may leave: an exit opens for every genuine credential of a member, whatever the member has become. At a
//! door for both ways and at a machine, what only depends on the time (`expired`, `outside_hours`, `closed`,
//! `time_uncertain`, `roster_too_old`) does not count for somebody who is inside.

use super::settings::{AntiPassback, TimeUncertainPolicy};
use super::{BranchSettings, Reason, standing};
use crate::mqtt::payloads::{DecisionAction, DecisionOutcome};
use crate::sync::roster::Member;
use crate::time::TrustedTime;

/// A tap that is older decides nothing, in milliseconds.
pub const MAX_TAP_AGE_MS: u64 = 5_000;

const DAY_MS: i64 = 86_400_000;

/// Where the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReaderKind {
    /// A door for both ways: who is inside leaves by it.
    Door,
    /// A door or gate that only leads in.
    Entry,
    /// A door or gate that only leads out.
    Exit,
    /// On a machine.
    Machine,
}

/// Where the member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// A gym session is open here.
    Inside,
    /// None is.
    Outside,
    /// Nobody looked; counts as outside.
    Unknown,
}

/// What makes a credential good once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Nothing: the number of a card.
    Unlimited,
    /// A counter of the card.
    Counter {
        /// What the card says now.
        now: u32,
        /// The last one that was taken; none if it was never seen.
        last: Option<u32>,
    },
    /// A nonce or a code.
    Once {
        /// It was used before.
        is_used: bool,
    },
}

impl Use {
    /// Whether it was used before.
    pub fn is_replayed(self) -> bool {
        match self {
            Self::Unlimited => false,
            Self::Counter { now, last } => last.is_some_and(|last| now <= last),
            Self::Once { is_used } => is_used,
        }
    }
}

/// All that a decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Milliseconds since the presentation.
    pub age_ms: u64,
    /// Where.
    pub reader: ReaderKind,
    /// Why the credential proved nothing, if it did not: what its check found.
    pub flaw: Option<Reason>,
    /// What makes it good once.
    pub once: Use,
    /// Whether the credential counts, by the roster.
    pub is_enabled: bool,
    /// Whose it is.
    pub member: Option<&'a Member>,
    /// Where they are.
    pub presence: Presence,
    /// Whether they were let in the last time they came.
    pub was_granted_last: bool,
    /// Whether the branch was ever told its members.
    pub has_roster: bool,
    /// Unix milliseconds at which the cloud last said that the roster is complete; none if that is not known, which
    /// counts as just now.
    pub roster_confirmed_ms: Option<i64>,
    /// What is known of the time.
    pub now: TrustedTime,
    /// What staff have set.
    pub settings: &'a BranchSettings,
}

/// Something staff should see although the door opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    /// The roster is older than its grace; they are let in because they were last time.
    RosterTooOld,
    /// They were inside already.
    AlreadyInside,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// May they.
    pub outcome: DecisionOutcome,
    /// Why.
    pub reason: Reason,
    /// What it is meant to do; the rules of sessions and links may still refuse a link.
    pub action: DecisionAction,
    /// For the reader's display.
    pub display: String,
    /// Decided without knowing the time.
    pub time_uncertain: bool,
    /// What staff should see.
    pub warnings: Vec<Warning>,
}

/// Decides about a tap.
pub fn decide(question: &Question<'_>) -> Decision {
    let reason = question.refusal().err().unwrap_or(Reason::Granted);
    let is_granted = reason == Reason::Granted;
    let action = if is_granted { question.action() } else { DecisionAction::None };
    let name = question.member.map(|member| member.display_name.as_str());
    Decision {
        outcome: if is_granted { DecisionOutcome::Granted } else { DecisionOutcome::Denied },
        reason,
        action,
        display: reason.display(action, name),
        time_uncertain: question.now.unix_ms().is_none(),
        warnings: if is_granted { question.warnings() } else { Vec::new() },
    }
}

impl Question<'_> {
    fn refusal(&self) -> Result<(), Reason> {
        let member = self.genuine()?;
        if self.reader == ReaderKind::Exit {
            return Ok(());
        }
        let is_inside = self.is_inside();
        let leaves_or_stays = is_inside && self.reader != ReaderKind::Entry;
        match standing(member, self.settings, self.now).and_then(|()| self.branch_lets_in()) {
            Err(reason) if !(leaves_or_stays && reason.is_of_time()) => return Err(reason),
            _ => {}
        }
        let is_again = is_inside && self.reader == ReaderKind::Entry;
        if is_again && self.settings.anti_passback == AntiPassback::Deny {
            return Err(Reason::AlreadyInside);
        }
        Ok(())
    }

    /// The member, if the credential is genuine, fresh and theirs.
    fn genuine(&self) -> Result<&Member, Reason> {
        if self.age_ms > MAX_TAP_AGE_MS {
            return Err(Reason::Stale);
        }
        if !self.has_roster {
            return Err(Reason::NoRoster);
        }
        if let Some(flaw) = self.flaw {
            return Err(flaw);
        }
        if self.once.is_replayed() {
            return Err(Reason::Replayed);
        }
        let member = self.member.ok_or(Reason::UnknownCard)?;
        if self.is_enabled { Ok(member) } else { Err(Reason::DisabledCredential) }
    }

    fn branch_lets_in(&self) -> Result<(), Reason> {
        let settings = self.settings;
        match self.now.unix_ms() {
            Some(now_ms) if !settings.hours.is_open(&settings.zone, now_ms) => {
                return Err(Reason::Closed);
            }
            None if settings.time_uncertain == TimeUncertainPolicy::Deny => {
                return Err(Reason::TimeUncertain);
            }
            _ => {}
        }
        if self.is_roster_too_old() && !self.was_granted_last {
            return Err(Reason::RosterTooOld);
        }
        Ok(())
    }

    /// Without the time it is at least as old as the floor says.
    fn is_roster_too_old(&self) -> bool {
        let grace_ms = i64::from(self.settings.grace_days) * DAY_MS;
        self.roster_confirmed_ms
            .is_some_and(|confirmed_ms| self.now.floor_ms().saturating_sub(confirmed_ms) > grace_ms)
    }

    fn is_inside(&self) -> bool {
        self.presence == Presence::Inside
    }

    fn action(&self) -> DecisionAction {
        match self.reader {
            ReaderKind::Machine => DecisionAction::Link,
            ReaderKind::Exit => DecisionAction::CheckOut,
            ReaderKind::Door if self.is_inside() => DecisionAction::CheckOut,
            ReaderKind::Door | ReaderKind::Entry => DecisionAction::CheckIn,
        }
    }

    fn warnings(&self) -> Vec<Warning> {
        let is_again = self.is_inside() && self.reader == ReaderKind::Entry;
        let is_watched = self.settings.anti_passback == AntiPassback::Warn;
        let roster = self.is_roster_too_old().then_some(Warning::RosterTooOld);
        let inside = (is_again && is_watched).then_some(Warning::AlreadyInside);
        roster.into_iter().chain(inside).collect()
    }
}

impl Reason {
    /// Holds only because of the time, so that it does not hold somebody who is inside.
    fn is_of_time(self) -> bool {
        matches!(
            self,
            Self::Expired
                | Self::OutsideHours
                | Self::Closed
                | Self::TimeUncertain
                | Self::RosterTooOld
        )
    }
}
