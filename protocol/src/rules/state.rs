//! What holds at a moment: who is inside, who has which machine, who waits.

use crate::access::BranchSettings;
use crate::ids::{BranchId, DeviceId, LinkId, MemberId, SessionId};
use crate::mqtt::payloads::DecisionAction;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So many wait for one machine at most.
pub const MAX_QUEUE: usize = 32;
const MINUTE_MS: i64 = 60_000;

/// What staff have set, by branch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    branches: BTreeMap<BranchId, BranchSettings>,
    otherwise: BranchSettings,
}

/// What holds. It is of the moment [`State::now_ms`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub(super) now_ms: i64,
    pub(super) sessions: BTreeMap<MemberId, Session>,
    pub(super) machines: BTreeMap<DeviceId, Machine>,
    /// Who has just come or gone, for taps that come twice.
    pub(super) recent: BTreeMap<MemberId, Recent>,
}

/// An open stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// All ids under which it was begun: in the app and at the door at once, say.
    pub claims: Vec<SessionId>,
    /// Where.
    pub branch: BranchId,
    /// Unix milliseconds of its beginning.
    pub since_ms: i64,
    /// Unix milliseconds at which it ends by itself.
    pub ends_by_ms: i64,
    /// Whether that is closing time, and not the limit.
    pub ends_at_closing: bool,
}

/// A machine lent to a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its id.
    pub id: LinkId,
    /// All ids under which it was begun.
    pub claims: Vec<LinkId>,
    /// To whom.
    pub member: MemberId,
    /// Unix milliseconds of its beginning.
    pub since_ms: i64,
    /// Unix milliseconds of the last sign of use.
    pub active_ms: i64,
}

/// A free machine that is kept for the first of its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// For whom.
    pub member: MemberId,
    /// Until when, Unix milliseconds.
    pub until_ms: i64,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Where it is.
    pub branch: BranchId,
    /// To whom it is lent.
    pub link: Option<Link>,
    /// For whom it is kept; never while it is lent.
    pub offer: Option<Offer>,
    /// Who waits, the first first.
    pub queue: Vec<MemberId>,
    /// Its status says so.
    pub is_in_use: bool,
    /// Staff, or a fault it reported, put it out of use.
    pub is_out_of_order: bool,
    /// It says itself that it cannot be used.
    pub is_faulty: bool,
    /// Who gave it back last, and when.
    pub(super) returned: Option<(MemberId, i64)>,
}

/// The last thing a member did at a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recent {
    pub branch: BranchId,
    pub at_ms: i64,
    pub action: DecisionAction,
}

impl Rules {
    /// The rules of one branch.
    pub fn of_branch(branch: BranchId, settings: BranchSettings) -> Self {
        let mut rules = Self::default();
        rules.set(branch, settings);
        rules
    }

    /// Sets those of a branch; others have the defaults.
    pub fn set(&mut self, branch: BranchId, settings: BranchSettings) {
        self.branches.insert(branch, settings);
    }

    /// Those of a branch.
    pub fn settings(&self, branch: BranchId) -> &BranchSettings {
        self.branches.get(&branch).unwrap_or(&self.otherwise)
    }

    /// When a stay ends by itself that began at `since_ms`, and whether that is closing time.
    pub(super) fn end_of_stay(&self, branch: BranchId, since_ms: i64) -> (i64, bool) {
        let settings = self.settings(branch);
        let limit_ms = since_ms.saturating_add(i64::from(settings.session_max_min) * MINUTE_MS);
        let closing_ms = settings.hours.closes_at(&settings.zone, since_ms);
        let closing_ms = closing_ms.filter(|closing_ms| *closing_ms < limit_ms);
        (closing_ms.unwrap_or(limit_ms), closing_ms.is_some())
    }

    pub(super) fn link_idle_ms(&self, branch: BranchId) -> i64 {
        i64::from(self.settings(branch).link_idle_s) * 1_000
    }

    pub(super) fn offer_ms(&self, branch: BranchId) -> i64 {
        i64::from(self.settings(branch).queue_offer_s) * 1_000
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            now_ms: i64::MIN,
            sessions: BTreeMap::new(),
            machines: BTreeMap::new(),
            recent: BTreeMap::new(),
        }
    }
}

impl State {
    /// The moment of which this is the state, Unix milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.now_ms
    }

    /// The open stay of a member.
    pub fn session(&self, member: MemberId) -> Option<&Session> {
        self.sessions.get(&member)
    }

    /// Whether a member is in a branch.
    pub fn is_inside(&self, member: MemberId, branch: BranchId) -> bool {
        self.session(member).is_some_and(|session| session.branch == branch)
    }

    /// All open stays.
    pub fn sessions(&self) -> impl Iterator<Item = (MemberId, &Session)> {
        self.sessions.iter().map(|(member, session)| (*member, session))
    }

    /// A machine that was heard of.
    pub fn machine(&self, machine: DeviceId) -> Option<&Machine> {
        self.machines.get(&machine)
    }

    /// All machines that were heard of.
    pub fn machines(&self) -> impl Iterator<Item = (DeviceId, &Machine)> {
        self.machines.iter().map(|(id, machine)| (*id, machine))
    }

    /// The machine that a member has.
    pub fn machine_of(&self, member: MemberId) -> Option<DeviceId> {
        self.machines().find(|(_, machine)| machine.holder() == Some(member)).map(|(id, _)| id)
    }
}

impl Machine {
    pub(super) fn new(branch: BranchId) -> Self {
        Self {
            branch,
            link: None,
            offer: None,
            queue: Vec::new(),
            is_in_use: false,
            is_out_of_order: false,
            is_faulty: false,
            returned: None,
        }
    }

    /// Whether it can be lent at all.
    pub fn is_usable(&self) -> bool {
        !self.is_out_of_order && !self.is_faulty
    }

    /// Who has it.
    pub fn holder(&self) -> Option<MemberId> {
        self.link.as_ref().map(|link| link.member)
    }

    /// When its link ends for want of use: never while it is used.
    pub(super) fn idle_at_ms(&self, idle_ms: i64) -> Option<i64> {
        let link = self.link.as_ref().filter(|_| !self.is_in_use)?;
        Some(link.active_ms.saturating_add(idle_ms))
    }
}
