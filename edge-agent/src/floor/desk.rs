//! The floor at one moment: the time has passed until now, and deeds are carried out on it.

use super::book::Book;
use super::line::Line;
use crate::access::Policy;
use crate::journal::Publish;
use crate::registry::Registry;
use protocol::access::{BranchSettings, OpeningHours, Presence};
use protocol::ids::{BranchId, DeviceId, LinkId, MemberId, SessionId};
use protocol::mqtt::payloads::{DecisionAction, LinkMessage};
use protocol::mqtt::topics::Topic;
use protocol::rules::{Deed, Effect, Fact, FactKey, Means, Refusal, Request, Resolved, Rules};
use protocol::time::Stamp;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;

/// The rules as staff have set them, made anew when they change.
#[derive(Default)]
pub struct RuleBook(Option<(Arc<Policy>, BranchRules)>);

/// The rules of a branch.
pub struct BranchRules {
    pub branch: BranchId,
    whole: Rules,
    /// Without opening hours, for as long as nobody knows the time.
    timeless: Rules,
}

impl RuleBook {
    /// The branch and its rules.
    pub fn current(&mut self, registry: &Registry, policy: &Arc<Policy>) -> &BranchRules {
        let branch = registry.enrolled().map(|enrolled| enrolled.enrolment.answer.branch_id);
        let branch = branch.unwrap_or(BranchId(Uuid::nil()));
        let is_known = |(of, rules): &(Arc<Policy>, BranchRules)| {
            Arc::ptr_eq(of, policy) && rules.branch == branch
        };
        if !self.0.as_ref().is_some_and(is_known) {
            self.0 = Some((Arc::clone(policy), BranchRules::new(branch, &policy.settings)));
        }
        let (_, rules) = self.0.as_ref().expect("it was just put there");
        rules
    }
}

impl BranchRules {
    fn new(branch: BranchId, settings: &BranchSettings) -> Self {
        let timeless = BranchSettings { hours: OpeningHours::default(), ..settings.clone() };
        Self {
            branch,
            whole: Rules::of_branch(branch, settings.clone()),
            timeless: Rules::of_branch(branch, timeless),
        }
    }

    /// Those that hold on a line of time: closing time ends a stay only where somebody knows the time.
    pub fn on(&self, line: Option<Line>) -> &Rules {
        let is_certain = line.is_none_or(|line| line.is_certain());
        if is_certain { &self.whole } else { &self.timeless }
    }
}

/// The floor, now.
pub struct Desk<'a> {
    book: &'a mut Book,
    rules: &'a Rules,
    branch: BranchId,
    stamp: Stamp,
    effects: Vec<Effect>,
}

impl<'a> Desk<'a> {
    /// Lets the time pass until `stamp`.
    pub fn at(book: &'a mut Book, rules: &'a BranchRules, stamp: Stamp, floor_ms: i64) -> Self {
        book.mend(rules);
        let effects = book.follow(rules, stamp, floor_ms);
        let (branch, rules) = (rules.branch, rules.on(book.line()));
        Self { book, rules, branch, stamp, effects }
    }

    /// What holds now.
    pub fn book(&self) -> &Book {
        self.book
    }

    /// What holds now, to change more than deeds do.
    pub fn book_mut(&mut self) -> &mut Book {
        self.book
    }

    /// Where a member is.
    pub fn presence(&self, member: Option<MemberId>) -> Presence {
        match member {
            Some(member) if self.book.state.is_inside(member, self.branch) => Presence::Inside,
            _ => Presence::Outside,
        }
    }

    /// What a request comes to; the deed is done.
    pub fn carry_out(
        &mut self,
        member: MemberId,
        request: Request,
        by: Means,
        id: Option<Uuid>,
    ) -> Result<Resolved, Refusal> {
        let fresh = id.unwrap_or_else(Uuid::new_v4);
        let resolved = self.book.state.resolve(member, self.branch, request, by, fresh)?;
        if let Resolved::Deed(deed) = &resolved {
            self.take(deed.clone(), self.stamp.mono_ms);
        }
        Ok(resolved)
    }

    /// Takes over a deed that was done at a monotonic time.
    pub fn take(&mut self, deed: Deed, mono_ms: u64) {
        let key = FactKey::at_branch(self.book.at(mono_ms));
        let fact = Fact { key, branch: self.branch, deed };
        let (state, _) = self.book.change();
        let effects = state.step(self.rules, &fact);
        self.book.link_times.note(&effects);
        self.effects.extend(effects);
    }

    /// Whether a beginning is that of an open stay or link.
    pub fn knows(&self, deed: &Deed) -> bool {
        let state = &self.book.state;
        match deed {
            Deed::CheckIn { session, member, .. } => {
                state.session(*member).is_some_and(|open| open.claims.contains(session))
            }
            Deed::Link { link, machine, .. } => {
                let lent = state.machine(*machine).and_then(|place| place.link.as_ref());
                lent.is_some_and(|lent| lent.claims.contains(link))
            }
            _ => false,
        }
    }

    /// Takes over what a former edge of the branch knew.
    pub fn adopt(
        &mut self,
        sessions: &[(SessionId, MemberId, i64)],
        links: &[(LinkId, MemberId, DeviceId, i64)],
    ) {
        let (branch, rules) = (self.branch, self.rules);
        let (state, _) = self.book.change();
        for (session, member, since_ms) in sessions {
            state.adopt_session(rules, branch, (*session, *member, *since_ms));
        }
        for &(link, member, machine, since_ms) in links {
            if state.adopt_link(branch, machine, (link, member, since_ms)) {
                self.effects.push(Effect::LinkStarted { link, member, machine, since_ms });
            }
        }
        // What should have ended by now ends now.
        let now_ms = state.now_ms();
        let effects = state.advance(rules, now_ms);
        self.effects.extend(effects);
    }

    /// What displays of machines are to be told of all that happened.
    pub fn publishes(self, registry: &Registry) -> Vec<Publish> {
        let machines: BTreeSet<DeviceId> = self.effects.iter().filter_map(lent_or_back).collect();
        machines.into_iter().filter_map(|machine| told(machine, self.book, registry)).collect()
    }
}

fn lent_or_back(effect: &Effect) -> Option<DeviceId> {
    match effect {
        Effect::LinkStarted { machine, .. } | Effect::LinkEnded { machine, .. } => Some(*machine),
        _ => None,
    }
}

fn told(machine: DeviceId, book: &Book, registry: &Registry) -> Option<Publish> {
    let code = registry.by_id(machine)?.code.clone();
    let link = book.state.machine(machine).and_then(|place| place.link.as_ref());
    let name = |member| registry.roster().read().member(member).map(|member| member.display_name);
    let message = LinkMessage {
        linked: link.is_some(),
        link_id: link.map(|link| link.id.to_string()),
        display_name: link.and_then(|link| name(link.member)),
        since_ms: link.map(|link| link.since_ms),
    };
    let payload = serde_json::to_vec(&message).ok()?.into();
    Some(Publish { topic: Topic::MachineLink(code).to_string(), payload, retain: true })
}

/// What a deed is called in a decision.
pub fn action_of(deed: &Deed) -> DecisionAction {
    match deed {
        Deed::CheckIn { .. } => DecisionAction::CheckIn,
        Deed::CheckOut { .. } => DecisionAction::CheckOut,
        Deed::Link { .. } => DecisionAction::Link,
        Deed::Unlink { .. } => DecisionAction::Unlink,
        _ => DecisionAction::None,
    }
}
