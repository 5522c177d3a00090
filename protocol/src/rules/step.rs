//! One fact, or the passing of time: what changes, and what comes of it.

use super::turn::Turn;
use super::{Deed, Fact, Means, Refusal, Rules, State};
use crate::ids::{BranchId, DeviceId, LinkId, MemberId, SessionId, SetId};

/// Why a stay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionEnd {
    /// Somebody checked out, or was checked out.
    CheckedOut,
    /// It had lasted as long as the branch allows.
    TimeLimit,
    /// The branch closed.
    Closing,
    /// The member came in elsewhere.
    Elsewhere,
    /// It never was.
    Rejected,
}

/// Why a link ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkEnd {
    /// Given back.
    Unlinked,
    /// Not used for too long.
    Idle,
    /// The member took another machine.
    Moved,
    /// The stay ended.
    SessionEnded,
    /// The machine cannot be used.
    OutOfOrder,
    /// It never was.
    Rejected,
}

/// What comes of a fact or of the passing of time. Moments are Unix milliseconds; what ends is over at `until_ms`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Effect {
    SessionStarted {
        session: SessionId,
        member: MemberId,
        branch: BranchId,
        since_ms: i64,
    },
    /// The same stay under a second id.
    SessionMerged {
        session: SessionId,
        into: SessionId,
    },
    SessionEnded {
        session: SessionId,
        /// All ids under which it was known.
        claims: Vec<SessionId>,
        member: MemberId,
        branch: BranchId,
        since_ms: i64,
        until_ms: i64,
        why: SessionEnd,
    },
    LinkStarted {
        link: LinkId,
        member: MemberId,
        machine: DeviceId,
        since_ms: i64,
    },
    /// The same link under a second id.
    LinkMerged {
        link: LinkId,
        into: LinkId,
    },
    /// The fact came too late: the machine was not free.
    LinkRefused {
        link: LinkId,
        why: Refusal,
    },
    /// What the machine measured between the two moments is this member's.
    LinkEnded {
        link: LinkId,
        member: MemberId,
        machine: DeviceId,
        since_ms: i64,
        until_ms: i64,
        why: LinkEnd,
    },
    /// The machine is kept for the first who waited.
    Offered {
        machine: DeviceId,
        member: MemberId,
        until_ms: i64,
    },
    /// They did not come; they wait no more.
    OfferLapsed {
        machine: DeviceId,
        member: MemberId,
    },
    /// Whose work a set is; nobody's if the machine was not lent.
    Attributed {
        set: SetId,
        machine: DeviceId,
        owner: Option<(MemberId, LinkId)>,
    },
}

/// Something that happens by itself. Where two fall on one moment, they happen in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Idle(DeviceId),
    Lapse(DeviceId),
    End(MemberId),
}

impl State {
    /// Takes over a fact. Facts are to come in the order of their keys; one that comes late counts as of
    /// [`State::now_ms`], and only [`super::fold()`] puts it where it belongs.
    pub fn step(&mut self, rules: &Rules, fact: &Fact) -> Vec<Effect> {
        let mut effects = self.advance(rules, fact.key.at_ms);
        let mut turn = Turn::new(self, rules, &mut effects).of_fact(&fact.key);
        let branch = fact.branch;
        match fact.deed {
            Deed::CheckIn { session, member, .. } => turn.check_in(session, member, branch),
            Deed::CheckOut { session, member, by: Means::Rejected } => {
                turn.reject_stay(session, member);
            }
            Deed::CheckOut { session, member, .. } => turn.check_out(session, member, branch),
            Deed::Link { link, member, machine, .. } => turn.link(link, member, machine, branch),
            Deed::Unlink { link, machine, by: Means::Rejected } => turn.reject_link(link, machine),
            Deed::Unlink { link, machine, .. } => turn.unlink(link, machine),
            Deed::Enqueue { member, machine } => turn.enqueue(member, machine, branch),
            Deed::Dequeue { member, machine } => turn.dequeue(member, machine),
            Deed::Use { machine, is_in_use } => turn.used(machine, branch, Some(is_in_use)),
            Deed::Work { machine, set } => turn.work(machine, branch, set),
            Deed::OutOfOrder { machine, is_out } => turn.out_of_order(machine, branch, is_out),
            Deed::Faulty { machine, is_faulty } => turn.faulty(machine, branch, is_faulty),
        }
        effects
    }

    /// Lets everything happen that falls due until `now_ms`, itself included.
    pub fn advance(&mut self, rules: &Rules, now_ms: i64) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some((due_ms, due)) = self.next_due(rules).filter(|(due_ms, _)| *due_ms <= now_ms)
        {
            self.now_ms = self.now_ms.max(due_ms);
            let mut turn = Turn::new(self, rules, &mut effects);
            match due {
                Due::Idle(machine) => turn.end_link(machine, LinkEnd::Idle),
                Due::Lapse(machine) => turn.lapse(machine),
                Due::End(member) => turn.end_by_time(member),
            }
        }
        self.now_ms = self.now_ms.max(now_ms);
        self.forget_taps();
        effects
    }

    /// When something happens by itself next, Unix milliseconds.
    pub fn wake_at_ms(&self, rules: &Rules) -> Option<i64> {
        self.next_due(rules).map(|(due_ms, _)| due_ms)
    }

    fn next_due(&self, rules: &Rules) -> Option<(i64, Due)> {
        let ends = self.sessions().map(|(member, session)| (session.ends_by_ms, Due::End(member)));
        let machines = self.machines().flat_map(|(id, machine)| {
            let idle = machine.idle_at_ms(rules.link_idle_ms(machine.branch));
            let lapse = machine.offer.map(|offer| (offer.until_ms, Due::Lapse(id)));
            idle.map(|idle_ms| (idle_ms, Due::Idle(id))).into_iter().chain(lapse)
        });
        ends.chain(machines).min()
    }
}
