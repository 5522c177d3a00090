//! What somebody wants, and what it comes to: the deed to be journaled, a repeat of what has been done, or a refusal.

use super::state::{MAX_QUEUE, Machine};
use super::{Deed, Means, State};
use crate::access::Reason;
use crate::ids::{BranchId, DeviceId, LinkId, MemberId, SessionId};
use crate::mqtt::payloads::DecisionAction;
use uuid::Uuid;

/// A tap at a door so soon after a member came or went, in milliseconds, means the same once more: who checks in with
/// the app and then taps is not checked out.
pub const DOOR_REPEAT_MS: i64 = 30_000;
/// The same at a machine.
pub const MACHINE_REPEAT_MS: i64 = 5_000;

/// What a member, or somebody for them, wants. Whether they may be in the branch at all was decided before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// A tap at a door for both ways.
    TapDoor,
    /// A tap at a door that leads in.
    TapEntry,
    /// A tap at a door that leads out.
    TapExit,
    /// A tap at a machine, or its code scanned: takes it or gives it back.
    TapMachine(DeviceId),
    /// Begins a stay.
    Start,
    /// Ends the stay.
    End,
    /// Takes a machine.
    Link(DeviceId),
    /// Gives a machine back.
    Unlink(DeviceId),
    /// Waits for a machine.
    Enqueue(DeviceId),
    /// Waits for it no more.
    Dequeue(DeviceId),
}

/// What a request comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// To be journaled as a fact, and then done.
    Deed(Deed),
    /// It has been done: the same answer, and nothing changes.
    Repeat(DecisionAction),
}

/// Why a request comes to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// A stay is open already.
    #[error("already inside")]
    AlreadyInside,
    /// No stay is open here.
    #[error("not inside")]
    NotInside,
    /// Somebody else has the machine.
    #[error("the machine is taken")]
    MachineTaken,
    /// The machine is kept for somebody who waited.
    #[error("the machine is kept for somebody else")]
    MachineKept,
    /// The machine cannot be used.
    #[error("the machine is out of order")]
    MachineOutOfOrder,
    /// They have it.
    #[error("already linked")]
    AlreadyLinked,
    /// They do not have it.
    #[error("not linked")]
    NotLinked,
    /// Too many wait.
    #[error("the queue is full")]
    QueueFull,
}

impl Refusal {
    /// For machines: the app and the cloud.
    pub fn code(self) -> &'static str {
        match self {
            Self::AlreadyInside => "already_inside",
            Self::NotInside => "not_inside",
            Self::MachineTaken => "machine_taken",
            Self::MachineKept => "machine_kept",
            Self::MachineOutOfOrder => "machine_out_of_order",
            Self::AlreadyLinked => "already_linked",
            Self::NotLinked => "not_linked",
            Self::QueueFull => "queue_full",
        }
    }

    /// What a reader says, where a tap was refused.
    pub fn reason(self) -> Reason {
        match self {
            Self::MachineOutOfOrder => Reason::MachineOutOfOrder,
            Self::AlreadyInside => Reason::AlreadyInside,
            _ => Reason::MachineTaken,
        }
    }
}

impl State {
    /// What a request of a member comes to in a branch, now: the state must have been advanced to this moment.
    /// `fresh` becomes the id of what begins.
    pub fn resolve(
        &self,
        member: MemberId,
        branch: BranchId,
        request: Request,
        by: Means,
        fresh: Uuid,
    ) -> Result<Resolved, Refusal> {
        let asked = Asked { state: self, member, branch, by, fresh };
        match request {
            Request::TapDoor => Ok(asked.tap_door()),
            Request::TapEntry if asked.session().is_some() => {
                Ok(Resolved::Repeat(DecisionAction::CheckIn))
            }
            Request::TapExit => {
                Ok(asked.end().unwrap_or(Resolved::Repeat(DecisionAction::CheckOut)))
            }
            Request::TapMachine(machine) => asked.tap_machine(machine),
            Request::Start if asked.session().is_some() => Err(Refusal::AlreadyInside),
            Request::TapEntry | Request::Start => Ok(asked.start()),
            Request::End => asked.end().ok_or(Refusal::NotInside),
            Request::Link(machine) => asked.link(machine),
            Request::Unlink(machine) => asked.unlink(machine).ok_or(Refusal::NotLinked),
            Request::Enqueue(machine) => asked.enqueue(machine),
            Request::Dequeue(machine) => Ok(Resolved::Deed(Deed::Dequeue { member, machine })),
        }
    }

    /// Forgets taps that no repeat can follow any more.
    pub(super) fn forget_taps(&mut self) {
        let now_ms = self.now_ms;
        self.recent.retain(|_, recent| now_ms.saturating_sub(recent.at_ms) <= DOOR_REPEAT_MS);
    }
}

impl Machine {
    /// Why a member who does not have it cannot take it.
    pub(super) fn refusal(&self, member: MemberId) -> Option<Refusal> {
        if !self.is_usable() {
            Some(Refusal::MachineOutOfOrder)
        } else if self.link.is_some() {
            Some(Refusal::MachineTaken)
        } else if self.offer.is_some_and(|offer| offer.member != member) {
            Some(Refusal::MachineKept)
        } else {
            None
        }
    }
}

struct Asked<'a> {
    state: &'a State,
    member: MemberId,
    branch: BranchId,
    by: Means,
    fresh: Uuid,
}

impl Asked<'_> {
    fn session(&self) -> Option<SessionId> {
        let session = self.state.session(self.member)?;
        // The id under which it began may have been rejected since.
        let claim = session.claims.first().copied().unwrap_or(session.id);
        (session.branch == self.branch).then_some(claim)
    }

    fn start(&self) -> Resolved {
        let (session, member, by) = (SessionId(self.fresh), self.member, self.by);
        Resolved::Deed(Deed::CheckIn { session, member, by })
    }

    fn end(&self) -> Option<Resolved> {
        let (member, by) = (self.member, self.by);
        let deed = |session| Resolved::Deed(Deed::CheckOut { session, member, by });
        self.session().map(deed)
    }

    fn tap_door(&self) -> Resolved {
        let is_inside = self.session().is_some();
        let last = self.state.recent.get(&self.member).filter(|last| last.branch == self.branch);
        match last.map(|last| last.action) {
            Some(action) if is_inside == (action == DecisionAction::CheckIn) => {
                Resolved::Repeat(action)
            }
            _ => self.end().unwrap_or_else(|| self.start()),
        }
    }

    fn tap_machine(&self, machine: DeviceId) -> Result<Resolved, Refusal> {
        let is_just_now = |at_ms: i64| self.state.now_ms - at_ms <= MACHINE_REPEAT_MS;
        if let Some(place) = self.state.machine(machine) {
            let own = place.link.as_ref().filter(|link| link.member == self.member);
            if own.is_some_and(|link| is_just_now(link.since_ms)) {
                return Ok(Resolved::Repeat(DecisionAction::Link));
            }
            let returned = place.returned.filter(|(member, _)| *member == self.member);
            if own.is_none() && returned.is_some_and(|(_, at_ms)| is_just_now(at_ms)) {
                return Ok(Resolved::Repeat(DecisionAction::Unlink));
            }
        }
        self.unlink(machine).map_or_else(|| self.link(machine), Ok)
    }

    fn link(&self, machine: DeviceId) -> Result<Resolved, Refusal> {
        if let Some(place) = self.state.machine(machine) {
            if place.holder() == Some(self.member) {
                return Err(Refusal::AlreadyLinked);
            }
            place.refusal(self.member).map_or(Ok(()), Err)?;
        }
        let (link, member, by) = (LinkId(self.fresh), self.member, self.by);
        Ok(Resolved::Deed(Deed::Link { link, member, machine, by }))
    }

    fn unlink(&self, machine: DeviceId) -> Option<Resolved> {
        let link = self.state.machine(machine)?.link.as_ref()?;
        let by = self.by;
        (link.member == self.member).then_some(Resolved::Deed(Deed::Unlink {
            link: link.claims.first().copied().unwrap_or(link.id),
            machine,
            by,
        }))
    }

    fn enqueue(&self, machine: DeviceId) -> Result<Resolved, Refusal> {
        self.session().ok_or(Refusal::NotInside)?;
        let member = self.member;
        if let Some(place) = self.state.machine(machine) {
            if !place.is_usable() {
                return Err(Refusal::MachineOutOfOrder);
            }
            if place.holder() == Some(member) {
                return Err(Refusal::AlreadyLinked);
            }
            let is_offered = place.offer.is_some_and(|offer| offer.member == member);
            if is_offered || place.queue.contains(&member) {
                return Ok(Resolved::Repeat(DecisionAction::None));
            }
            if place.queue.len() >= MAX_QUEUE {
                return Err(Refusal::QueueFull);
            }
        }
        Ok(Resolved::Deed(Deed::Enqueue { member, machine }))
    }
}
