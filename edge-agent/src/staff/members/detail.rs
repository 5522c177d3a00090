//! `/members/{id}`: one member.

use crate::floor::FloorView;
use crate::staff::accounts::{Caller, Permission};
use crate::staff::app::Staff;
use crate::staff::layout::Layout;
use crate::staff::reply::{Refusal, Reply, html};
use crate::staff::taps;
use askama::Template;
use axum::extract::{Path, State};
use page_kit::times;
use protocol::access::standing;
use protocol::ids::MemberId;
use protocol::sync::entry::DeviceKind;
use protocol::sync::roster::Member;

#[derive(Template)]
#[template(path = "member.html")]
struct View {
    layout: Layout,
    id: String,
    number: u64,
    since: Option<String>,
    standing: Standing,
    blocked: Option<String>,
    machine: Option<String>,
    machines: Vec<(String, String)>,
    readers: Vec<(String, String)>,
    may_check_in: bool,
    may_enrol: bool,
    may_block: bool,
}

/// The member with this id, with what staff changed here since the cloud told.
pub fn find(staff: &Staff, id: &str) -> Result<Member, Refusal> {
    let id: MemberId = id.parse().map_err(|_| Refusal::not_found("such member"))?;
    let known = staff.watched.registry.roster().read().member(id);
    let mut member = known.ok_or_else(|| Refusal::not_found("such member"))?;
    staff.access.pictures().borrow().local.amend(&mut member);
    Ok(member)
}

/// Whether somebody may come in, in words.
pub struct Standing {
    pub is_fine: bool,
    pub words: String,
}

/// Where a member is, and whether they may be here: a class of the style sheet, and words.
pub fn words(staff: &Staff, seen: &FloorView, id: MemberId) -> (&'static str, String) {
    match (find(staff, &id.to_string()), since(staff, seen, id)) {
        (_, Some(since)) => ("good", format!("inside since {since}")),
        (Ok(member), None) => match standing_of(staff, &member) {
            Standing { is_fine: true, words } => ("gone", words),
            Standing { is_fine: false, words } => ("bad", words),
        },
        (Err(_), None) => ("gone", "gone".to_owned()),
    }
}

fn since(staff: &Staff, seen: &FloorView, id: MemberId) -> Option<String> {
    let session = seen.sessions.iter().find(|session| session.member == id)?;
    Some(times::minute(&staff.access.zone(), session.since_ms))
}

fn standing_of(staff: &Staff, member: &Member) -> Standing {
    match standing(member, &staff.access.settings(), staff.watched.clock.trusted()) {
        Ok(()) => Standing { is_fine: true, words: "may come in".to_owned() },
        Err(reason) => Standing { is_fine: false, words: taps::refusal(reason.as_str()) },
    }
}

pub async fn show(State(staff): State<Staff>, caller: Caller, Path(id): Path<String>) -> Reply {
    let member = find(&staff, &id)?;
    let seen = staff.floor.look();
    let has = |link: &Option<(protocol::rules::Link, String)>| {
        link.as_ref().is_some_and(|(link, _)| link.member == member.id)
    };
    let machine = seen.machines.iter().find(|machine| has(&machine.link));
    let readers = staff.watched.registry.all();
    let readers = readers.iter().filter(|device| device.kind == DeviceKind::Reader);
    let named = |code: &str, name: &str| (code.to_owned(), name.to_owned());
    html(&View {
        id: member.id.to_string(),
        number: member.member_no,
        since: since(&staff, &seen, member.id),
        standing: standing_of(&staff, &member),
        blocked: member.blocked.clone(),
        machine: machine.map(|machine| machine.name.clone()),
        machines: seen.machines.iter().map(|one| named(&one.code, &one.name)).collect(),
        readers: readers.map(|reader| named(reader.code.as_str(), &reader.name)).collect(),
        may_check_in: caller.role.may(Permission::CheckIn),
        may_enrol: caller.role.may(Permission::Enrol),
        may_block: caller.role.may(Permission::Block),
        layout: Layout::of(&staff, &caller, member.display_name, "/members"),
    })
}
