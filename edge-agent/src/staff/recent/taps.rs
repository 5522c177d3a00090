//! The last taps with what was decided.

use protocol::credential::StoredCredential;
use protocol::ids::{DeviceId, MemberId, TapId};
use protocol::mqtt::payloads::{DecisionAction, DecisionOutcome};
use protocol::sync::entry::{Decision, Tap};
use protocol::time::Stamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

const MAX: usize = 1_000;

/// What was presented.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presented {
    /// Nobody knows any more.
    #[default]
    Unknown,
    /// A card that only has a number.
    Card,
    /// A card that proves itself.
    SecureCard,
    /// A code to be scanned.
    Code,
    /// A phone.
    Phone,
}

impl Presented {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Card => "Card",
            Self::SecureCard => "Secure card",
            Self::Code => "Code",
            Self::Phone => "Phone",
        }
    }
}

/// A tap and its decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    pub credential: Presented,
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
    presented: VecDeque<(TapId, Presented)>,
}

impl Taps {
    /// A credential was presented.
    pub fn presented(&mut self, tap: &Tap) {
        let kind = match tap.credential {
            StoredCredential::NfcUid { .. } => Presented::Card,
            StoredCredential::Sun { .. } => Presented::SecureCard,
            StoredCredential::Qr { .. } => Presented::Code,
            StoredCredential::Hce { .. } => Presented::Phone,
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
        self.seen(TapSeen {
            tap_id: decision.tap_id,
            stamp,
            reader: decision.reader,
            member: decision.member,
            credential: credential.map_or(Presented::Unknown, |(_, kind)| kind),
            outcome: decision.outcome,
            action: decision.action,
            reason: decision.reason.clone(),
            time_uncertain: decision.time_uncertain,
        });
    }

    /// It is known from before. What is there already does not come twice.
    pub fn seen(&mut self, tap: TapSeen) {
        if self.seen.iter().any(|known| known.tap_id == tap.tap_id) {
            return;
        }
        self.seen.push_front(tap);
        self.seen.truncate(MAX);
    }

    /// The newest first.
    pub fn newest(&self, count: usize) -> Vec<TapSeen> {
        self.seen.iter().take(count).cloned().collect()
    }
}
