//! Answers requests, on the journal's thread: what the rules make of them is one commit with who asked for it.

use super::desk::{Desk, RuleBook};
use super::enrolments::Enrolments;
use super::request::{Asker, FloorAnswer, FloorRefusal, FloorRequest, Petition};
use crate::access::Policy;
use crate::journal::Came;
use crate::registry::Registry;
use protocol::access::{Reason, standing};
use protocol::ids::{DeviceId, LinkId, MemberId, SessionId};
use protocol::rules::{Deed, Machine, Means, Refusal, Request, Resolved};
use protocol::sync::entry::{Body, DeviceKind};
use protocol::sync::roster::Member;
use protocol::sync::staff::{Act, StaffAct};
use protocol::time::{Stamp, TrustedTime};
use std::sync::Arc;
use uuid::Uuid;

const MAX_TEXT_CHARS: usize = 500;
const MAX_NAME_CHARS: usize = 200;

/// Who answers.
pub struct Clerk {
    pub registry: Registry,
    pub rules: RuleBook,
    pub enrolments: Enrolments,
}

/// When somebody asks, and by which settings they are answered.
pub struct Hour<'a> {
    pub stamp: Stamp,
    pub time: TrustedTime,
    pub policy: &'a Arc<Policy>,
}

type Answered = Result<(FloorAnswer, Vec<Body>), FloorRefusal>;

impl Clerk {
    pub fn new(registry: Registry) -> Self {
        Self { registry, rules: RuleBook::default(), enrolments: Enrolments::default() }
    }

    /// Carries a request out, or refuses it.
    pub fn ask(&mut self, hour: &Hour<'_>, petition: Petition, book: &mut super::Book) -> Came {
        let Petition { by, request, id, reply } = petition;
        if let FloorRequest::EnrolCard { member, reader } = request {
            return self.await_card(hour, (member, reader), by, reply);
        }
        let rules = self.rules.current(&self.registry, hour.policy);
        let mut desk = Desk::at(book, rules, hour.stamp, hour.time.floor_ms());
        let asked = Asked { registry: &self.registry, hour, by: &by, id };
        let mut came = Came::default();
        let answer = asked.carry_out(&request, &mut desk).map(|(answer, bodies)| {
            came.bodies = bodies;
            answer
        });
        if let FloorRequest::CancelEnrolment { reader } = request {
            self.enrolments.cancel(reader);
        }
        came.publishes = desk.publishes(&self.registry);
        came.told.push(Box::new(move || {
            // Who asked may have gone.
            let _ = reply.send(answer);
        }));
        came
    }

    fn await_card(
        &mut self,
        hour: &Hour<'_>,
        (member, reader): (MemberId, DeviceId),
        by: Asker,
        reply: super::request::Reply,
    ) -> Came {
        let is_member = self.registry.roster().read().member(member).is_some();
        let device = self.registry.by_id(reader);
        let refusal = if !is_member {
            Some(FloorRefusal::UnknownMember)
        } else if device.is_none_or(|device| device.kind != DeviceKind::Reader) {
            Some(FloorRefusal::UnknownDevice)
        } else {
            None
        };
        match refusal {
            Some(refusal) => {
                let _ = reply.send(Err(refusal));
            }
            None => self.enrolments.wait(reader, (member, by, reply), hour.stamp.mono_ms),
        }
        Came::default()
    }
}

/// One request, but for what is wanted.
struct Asked<'a> {
    registry: &'a Registry,
    hour: &'a Hour<'a>,
    by: &'a Asker,
    id: Option<Uuid>,
}

impl Asked<'_> {
    fn carry_out(&self, request: &FloorRequest, desk: &mut Desk<'_>) -> Answered {
        match *request {
            FloorRequest::CheckIn { member } => {
                self.may_come(member, desk)?;
                self.resolve(member, Request::Start, Act::CheckIn { member }, desk)
                    .or_else(|refusal| self.same_again(refusal, member, None, desk))
            }
            FloorRequest::EndSession { member, ref sessions } => {
                self.end_session(member, sessions, desk)
            }
            FloorRequest::EndLink { machine, link } => {
                let lent = desk.book().state.machine(machine).and_then(|place| place.link.as_ref());
                let lent = lent.filter(|lent| lent.claims.contains(&link));
                let member = lent.map(|lent| lent.member).ok_or(Refusal::NotLinked)?;
                self.resolve(member, Request::Unlink(machine), Act::Unlink { machine }, desk)
            }
            FloorRequest::Adopt { ref sessions, ref links } => {
                desk.adopt(sessions, links);
                Ok((FloorAnswer::default(), Vec::new()))
            }
            FloorRequest::CheckOut { member } => {
                self.resolve(member, Request::End, Act::CheckOut { member }, desk)
            }
            FloorRequest::Link { member, machine } => {
                self.device(machine, DeviceKind::Machine)?;
                self.may_come(member, desk)?;
                self.resolve(member, Request::Link(machine), Act::Link { member, machine }, desk)
                    .or_else(|refusal| self.same_again(refusal, member, Some(machine), desk))
            }
            FloorRequest::Unlink { machine } => {
                let place = desk.book().state.machine(machine);
                let member = place.and_then(Machine::holder).ok_or(Refusal::NotLinked)?;
                self.resolve(member, Request::Unlink(machine), Act::Unlink { machine }, desk)
            }
            FloorRequest::Enqueue { member, machine } => {
                self.device(machine, DeviceKind::Machine)?;
                let act = Act::Enqueue { member, machine };
                self.resolve(member, Request::Enqueue(machine), act, desk)
            }
            FloorRequest::Dequeue { member, machine } => {
                let act = Act::Dequeue { member, machine };
                self.resolve(member, Request::Dequeue(machine), act, desk)
            }
            _ => self.carry_out_by_hand(request, desk),
        }
    }

    /// A stay that has begun anew meanwhile, under an id that is not meant, goes on: only what was known by the others ends.
    fn end_session(
        &self,
        member: MemberId,
        sessions: &[SessionId],
        desk: &mut Desk<'_>,
    ) -> Answered {
        let claims = desk.book().state.session(member).map_or(&[][..], |open| &open.claims);
        let (meant, others): (Vec<SessionId>, Vec<SessionId>) =
            claims.iter().copied().partition(|claim| sessions.contains(claim));
        if meant.is_empty() {
            return Err(Refusal::NotInside.into());
        }
        if others.is_empty() || *self.by != Asker::Cloud {
            return self.resolve(member, Request::End, Act::CheckOut { member }, desk);
        }
        let machine = desk.book().state.machine_of(member);
        let mut bodies = match machine {
            Some(machine) => {
                let act = Act::Unlink { machine };
                self.resolve(member, Request::Unlink(machine), act, desk)?.1
            }
            None => Vec::new(),
        };
        for session in meant {
            let deed = Deed::CheckOut { session, member, by: Means::Rejected };
            desk.take(deed.clone(), self.hour.stamp.mono_ms);
            bodies.push(Body::Deed(deed));
        }
        Ok((FloorAnswer::default(), bodies))
    }

    fn carry_out_by_hand(&self, request: &FloorRequest, desk: &mut Desk<'_>) -> Answered {
        let mono_ms = self.hour.stamp.mono_ms;
        let (act, reason) = match request {
            FloorRequest::OpenDoor { reader, reason } => {
                self.device(*reader, DeviceKind::Reader)?;
                (Act::OpenDoor { reader: *reader }, Some(text("reason", reason)?))
            }
            FloorRequest::LockMachine { machine, reason } => {
                self.device(*machine, DeviceKind::Machine)?;
                desk.book_mut().change().1.lock(*machine, true);
                (Act::LockMachine { machine: *machine }, optional(reason.as_deref())?)
            }
            FloorRequest::UnlockMachine { machine } => {
                self.device(*machine, DeviceKind::Machine)?;
                desk.book_mut().change().1.lock(*machine, false);
                (Act::UnlockMachine { machine: *machine }, None)
            }
            FloorRequest::OutOfOrder { machine, is_out, reason } => {
                self.device(*machine, DeviceKind::Machine)?;
                let (machine, is_out, reason) = (*machine, *is_out, optional(reason.as_deref())?);
                let deed = Deed::OutOfOrder { machine, is_out };
                desk.take(deed.clone(), mono_ms);
                let audit = self.audit(Act::OutOfOrder { machine, is_out }, reason);
                return Ok((FloorAnswer::default(), vec![Body::Deed(deed), audit]));
            }
            FloorRequest::Maintenance { machine, note } => {
                self.device(*machine, DeviceKind::Machine)?;
                (Act::Maintenance { machine: *machine }, Some(text("note", note)?))
            }
            FloorRequest::BlockMember { member, reason } => {
                let reason = text("reason", reason)?;
                self.block(*member, Some(reason.clone()), desk)?;
                (Act::BlockMember { member: *member }, Some(reason))
            }
            FloorRequest::UnblockMember { member } => {
                self.block(*member, None, desk)?;
                (Act::UnblockMember { member: *member }, None)
            }
            _ => return Ok((FloorAnswer::default(), Vec::new())),
        };
        Ok((FloorAnswer::default(), vec![self.audit(act, reason)]))
    }

    fn resolve(
        &self,
        member: MemberId,
        request: Request,
        act: Act,
        desk: &mut Desk<'_>,
    ) -> Answered {
        let by = match self.by {
            Asker::Staff { .. } => Means::Staff,
            Asker::Cloud => Means::Cloud,
            Asker::App => Means::App,
        };
        match desk.carry_out(member, request, by, self.id)? {
            Resolved::Repeat(_) => {
                Ok((FloorAnswer { is_repeat: true, ..FloorAnswer::default() }, Vec::new()))
            }
            Resolved::Deed(deed) => {
                let answer = answer_of(&deed);
                let audit = matches!(self.by, Asker::Staff { .. }).then(|| self.audit(act, None));
                Ok((answer, [Body::Deed(deed)].into_iter().chain(audit).collect()))
            }
        }
    }

    /// Who was recorded elsewhere and came in here meanwhile: both ids are of one stay or link from now on.
    fn same_again(
        &self,
        refusal: FloorRefusal,
        member: MemberId,
        machine: Option<DeviceId>,
        desk: &mut Desk<'_>,
    ) -> Answered {
        let is_so =
            matches!(refusal, FloorRefusal::Rules(Refusal::AlreadyInside | Refusal::AlreadyLinked));
        let Some(id) = self.id.filter(|_| is_so) else { return Err(refusal) };
        let by = Means::App;
        let deed = match machine {
            Some(machine) => Deed::Link { link: LinkId(id), member, machine, by },
            None => Deed::CheckIn { session: SessionId(id), member, by },
        };
        let answer = FloorAnswer { is_repeat: true, ..answer_of(&deed) };
        if desk.knows(&deed) {
            return Ok((answer, Vec::new()));
        }
        desk.take(deed.clone(), self.hour.stamp.mono_ms);
        Ok((answer, vec![Body::Deed(deed)]))
    }

    fn block(
        &self,
        member: MemberId,
        reason: Option<String>,
        desk: &mut Desk<'_>,
    ) -> Result<(), FloorRefusal> {
        self.member(member, desk)?;
        if !desk.book().local.has_room() {
            return Err(FloorRefusal::TooManyChanges);
        }
        desk.book_mut().change().1.block(member, reason);
        Ok(())
    }

    fn member(&self, member: MemberId, desk: &Desk<'_>) -> Result<Member, FloorRefusal> {
        let found = self.registry.roster().read().member(member);
        let mut found = found.ok_or(FloorRefusal::UnknownMember)?;
        desk.book().local.amend(&mut found);
        Ok(found)
    }

    /// Staff see who stands before them and may let in whom no membership lets in; nobody lets in who is blocked.
    fn may_come(&self, member: MemberId, desk: &Desk<'_>) -> Result<(), FloorRefusal> {
        let found = self.member(member, desk)?;
        let settings = &self.hour.policy.settings;
        let objection = match self.by {
            Asker::Staff { .. } => found.blocked.is_some().then_some(Reason::Blocked),
            Asker::Cloud | Asker::App => {
                let is_open = |now_ms: i64| settings.hours.is_open(&settings.zone, now_ms);
                let closed = self.hour.time.unix_ms().is_some_and(|now_ms| !is_open(now_ms));
                let standing = standing(&found, settings, self.hour.time).err();
                standing.or(closed.then_some(Reason::Closed))
            }
        };
        objection.map_or(Ok(()), |reason| Err(FloorRefusal::Access(reason)))
    }

    fn device(&self, device: DeviceId, kind: DeviceKind) -> Result<(), FloorRefusal> {
        let found = self.registry.by_id(device).filter(|device| device.kind == kind);
        found.map(drop).ok_or(FloorRefusal::UnknownDevice)
    }

    fn audit(&self, act: Act, reason: Option<String>) -> Body {
        audit(self.by, act, reason)
    }
}

/// Who did it, for the journal.
pub fn audit(by: &Asker, act: Act, reason: Option<String>) -> Body {
    let (staff, name) = match by {
        Asker::Staff { id, name } => (*id, name.chars().take(MAX_NAME_CHARS).collect()),
        Asker::Cloud => (None, "cloud".to_owned()),
        Asker::App => (None, "app".to_owned()),
    };
    Body::StaffAct(StaffAct { staff, name, act, reason })
}

fn answer_of(deed: &Deed) -> FloorAnswer {
    let session = |session: &SessionId| (Some(*session), None);
    let link = |link: &LinkId| (None, Some(*link));
    let (session, link) = match deed {
        Deed::CheckIn { session: id, .. } | Deed::CheckOut { session: id, .. } => session(id),
        Deed::Link { link: id, .. } | Deed::Unlink { link: id, .. } => link(id),
        _ => (None, None),
    };
    FloorAnswer { session, link, ..FloorAnswer::default() }
}

fn text(name: &'static str, text: &str) -> Result<String, FloorRefusal> {
    let text = text.trim();
    let is_right = (1..=MAX_TEXT_CHARS).contains(&text.chars().count());
    if is_right { Ok(text.to_owned()) } else { Err(FloorRefusal::Text(name)) }
}

fn optional(reason: Option<&str>) -> Result<Option<String>, FloorRefusal> {
    reason.map(|reason| text("reason", reason)).transpose()
}
