//! What folding came to, as rows: the last word about each stay, link and set.

use protocol::ids::{BranchId, DeviceId, LinkId, MemberId, SessionId, SetId};
use protocol::rules::{Effect, LinkEnd, SessionEnd};
use std::collections::BTreeMap;

/// A stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    pub member: MemberId,
    pub branch: BranchId,
    pub since_ms: i64,
    pub end: Option<(i64, &'static str)>,
    /// All ids under which it was known, once it has ended.
    pub claims: Vec<SessionId>,
}

/// A lent machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lent {
    pub member: MemberId,
    pub machine: DeviceId,
    pub since_ms: i64,
    pub end: Option<(i64, &'static str)>,
}

/// By id.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub stays: BTreeMap<SessionId, Stay>,
    pub links: BTreeMap<LinkId, Lent>,
    pub sets: BTreeMap<SetId, Option<(MemberId, LinkId)>>,
}

impl Outcome {
    /// Stays that ended because their members came in elsewhere: their branches cannot know it.
    pub fn moved(&self) -> impl Iterator<Item = (SessionId, &Stay)> {
        let is_moved = |stay: &Stay| stay.end.is_some_and(|(_, why)| why == ELSEWHERE);
        self.stays.iter().filter(move |(_, stay)| is_moved(stay)).map(|(id, stay)| (*id, stay))
    }

    /// Takes in effects, in their order.
    pub fn take_in(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::SessionStarted { session, member, branch, since_ms } => {
                    let (end, claims) = (None, Vec::new());
                    let stay = Stay { member, branch, since_ms, end, claims };
                    self.stays.insert(session, stay);
                }
                Effect::SessionEnded {
                    session,
                    claims,
                    member,
                    branch,
                    since_ms,
                    until_ms,
                    why,
                } => {
                    let end = Some((until_ms, session_end(why)));
                    let stay = Stay { member, branch, since_ms, end, claims };
                    self.stays.insert(session, stay);
                }
                Effect::LinkStarted { link, member, machine, since_ms } => {
                    self.links.insert(link, Lent { member, machine, since_ms, end: None });
                }
                Effect::LinkEnded { link, member, machine, since_ms, until_ms, why } => {
                    let end = Some((until_ms, link_end(why)));
                    self.links.insert(link, Lent { member, machine, since_ms, end });
                }
                Effect::Attributed { set, owner, .. } => {
                    self.sets.insert(set, owner);
                }
                Effect::SessionMerged { .. }
                | Effect::LinkMerged { .. }
                | Effect::LinkRefused { .. }
                | Effect::Offered { .. }
                | Effect::OfferLapsed { .. } => {}
            }
        }
    }
}

const ELSEWHERE: &str = "elsewhere";

fn session_end(why: SessionEnd) -> &'static str {
    match why {
        SessionEnd::CheckedOut => "checked_out",
        SessionEnd::TimeLimit => "time_limit",
        SessionEnd::Closing => "closing",
        SessionEnd::Elsewhere => ELSEWHERE,
        SessionEnd::Rejected => "rejected",
    }
}

fn link_end(why: LinkEnd) -> &'static str {
    match why {
        LinkEnd::Unlinked => "unlinked",
        LinkEnd::Idle => "idle",
        LinkEnd::Moved => "moved",
        LinkEnd::SessionEnded => "session_ended",
        LinkEnd::OutOfOrder => "out_of_order",
        LinkEnd::Rejected => "rejected",
    }
}
