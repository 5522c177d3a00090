//! The last taps with what was decided.

use protocol::credential::StoredCredential;
use protocol::ids::{DeviceId, MemberId, TapId};
use protocol::mqtt::payloads::{DecisionAction, DecisionOutcome};
use protocol::sync::entry::{Decision, Tap};
use protocol::time::Stamp;
use std::collections::VecDeque;

const MAX: usize = 1_000;

/// A tap and its decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapSeen {
    /// Which.
    pub tap_id: TapId,
    /// When it was decided.
    pub stamp: Stamp,
    /// Where.
    pub reader: DeviceId,
    /// Whose credential it was.
    pub member: Option<MemberId>,
    /// What was presented.
    pub credential: &'static str,
    /// May they.
    pub outcome: DecisionOutcome,
    /// What it did.
    pub action: DecisionAction,
    /// Why, as a code.
    pub reason: String,
    /// Without knowing the time for certain.
    pub time_uncertain: bool,
}

/// The log.
#[derive(Debug, Default)]
pub struct Taps {
    seen: VecDeque<TapSeen>,
    /// Presented in the commit that is being read; their decisions follow.
    presented: VecDeque<(TapId, &'static str)>,
}

impl Taps {
    /// A credential was presented.
    pub fn presented(&mut self, tap: &Tap) {
        let kind = match tap.credential {
            StoredCredential::NfcUid { .. } => "Card",
            StoredCredential::Sun { .. } => "Secure card",
            StoredCredential::Qr { .. } => "Code",
            StoredCredential::Hce { .. } => "Phone",
        };
        self.presented.push_back((tap.tap_id, kind));
        if self.presented.len() > 64 {
            self.presented.pop_front();
        }
    }

    /// It was decided.
    pub fn decided(&mut self, decision: &Decision, stamp: Stamp) {
        let place = self.presented.iter().position(|(id, _)| *id == decision.tap_id);
        let credential = place.and_then(|place| self.presented.remove(place));
        self.seen.push_front(TapSeen {
            tap_id: decision.tap_id,
            stamp,
            reader: decision.reader,
            member: decision.member,
            credential: credential.map_or("", |(_, kind)| kind),
            outcome: decision.outcome,
            action: decision.action,
            reason: decision.reason.clone(),
            time_uncertain: decision.time_uncertain,
        });
        self.seen.truncate(MAX);
    }

    /// The newest first.
    pub fn newest(&self, count: usize) -> Vec<TapSeen> {
        self.seen.iter().take(count).cloned().collect()
    }
}
