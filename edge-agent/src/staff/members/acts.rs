//! What is done for a member by hand. Each is a fact at the branch that the cloud takes over.

use super::detail::find;
use crate::floor::FloorRequest;
use crate::staff::accounts::Caller;
use crate::staff::act::{ask, asker, words};
use crate::staff::app::Staff;
use crate::staff::machines;
use crate::staff::reply::{Refusal, Reply, done};
use axum::Form;
use axum::extract::{Path, State};
use protocol::ids::MemberId;
use protocol::sync::entry::DeviceKind;
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Reason {
    #[serde(default)]
    reason: String,
}

#[derive(Deserialize)]
pub struct AtReader {
    #[serde(default)]
    reader: String,
}

#[derive(Deserialize)]
pub struct AtMachine {
    #[serde(default)]
    machine: String,
    #[serde(default)]
    act: String,
}

async fn act(
    staff: &Staff,
    caller: &Caller,
    id: &str,
    said: &str,
    request: impl FnOnce(MemberId) -> FloorRequest,
) -> Reply {
    let member = find(staff, id)?.id;
    ask(staff, caller, request(member)).await?;
    Ok(done(staff, &caller.session, &format!("/members/{member}"), said))
}

pub async fn check_in(State(staff): State<Staff>, caller: Caller, Path(id): Path<String>) -> Reply {
    act(&staff, &caller, &id, "Checked in.", |member| FloorRequest::CheckIn { member }).await
}

pub async fn check_out(
    State(staff): State<Staff>,
    caller: Caller,
    Path(id): Path<String>,
) -> Reply {
    act(&staff, &caller, &id, "Checked out.", |member| FloorRequest::CheckOut { member }).await
}

pub async fn machine(
    State(staff): State<Staff>,
    caller: Caller,
    Path(id): Path<String>,
    Form(given): Form<AtMachine>,
) -> Reply {
    let machine = machines::find(&staff.floor.look(), &given.machine)?.id;
    let (said, request): (_, fn(_, _) -> _) = match given.act.as_str() {
        "link" => {
            ("The machine is theirs.", |member, machine| FloorRequest::Link { member, machine })
        }
        "enqueue" => ("They wait for the machine.", |member, machine| FloorRequest::Enqueue {
            member,
            machine,
        }),
        "dequeue" => {
            ("They wait no more.", |member, machine| FloorRequest::Dequeue { member, machine })
        }
        _ => return Err(Refusal::invalid("Choose what to do with the machine.")),
    };
    act(&staff, &caller, &id, said, |member| request(member, machine)).await
}

pub async fn block(
    State(staff): State<Staff>,
    caller: Caller,
    Path(id): Path<String>,
    Form(given): Form<Reason>,
) -> Reply {
    let request = |member| FloorRequest::BlockMember { member, reason: given.reason };
    act(&staff, &caller, &id, "Locked out.", request).await
}

pub async fn unblock(State(staff): State<Staff>, caller: Caller, Path(id): Path<String>) -> Reply {
    let request = |member| FloorRequest::UnblockMember { member };
    act(&staff, &caller, &id, "They may come in again.", request).await
}

/// Waits for the card on a page of its own, up to a minute.
pub async fn card(
    State(staff): State<Staff>,
    caller: Caller,
    Path(id): Path<String>,
    Form(given): Form<AtReader>,
) -> Reply {
    let member = find(&staff, &id)?;
    let device = staff.watched.registry.by_code(&given.reader);
    let device = device.filter(|device| device.kind == DeviceKind::Reader);
    let reader = device.ok_or_else(|| Refusal::not_found("such reader").at("reader"))?;
    let request = FloorRequest::EnrolCard { member: member.id, reader: reader.id };
    let (floor, by) = (staff.floor.clone(), asker(&caller));
    let title = format!("New card for {}", member.display_name);
    let waits_for = format!("Present the card at {} now.", reader.name);
    let back = format!("/members/{}", member.id);
    staff.works.begin(caller.session, (&title, &waits_for, &back), async move {
        match floor.ask(by, request).await {
            Ok(_) => Ok("The card is theirs.".to_owned()),
            Err(refused) => Err(words(&refused)),
        }
    })
}
