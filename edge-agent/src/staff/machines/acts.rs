//! What can be done about a machine.

use super::detail::find;
use crate::floor::FloorRequest;
use crate::staff::accounts::Caller;
use crate::staff::act::ask;
use crate::staff::app::Staff;
use crate::staff::reply::{Reply, done};
use axum::Form;
use axum::extract::{Path, State};
use protocol::ids::DeviceId;
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Reason {
    #[serde(default)]
    reason: String,
}

impl Reason {
    fn given(self) -> Option<String> {
        Some(self.reason.trim().to_owned()).filter(|reason| !reason.is_empty())
    }
}

#[derive(Deserialize)]
pub struct Note {
    #[serde(default)]
    note: String,
}

/// Asks for something about the machine with a code.
async fn act(
    staff: &Staff,
    caller: &Caller,
    code: &str,
    words: &str,
    request: impl FnOnce(DeviceId) -> FloorRequest,
) -> Reply {
    let machine = find(&staff.floor.look(), code)?;
    ask(staff, caller, request(machine.id)).await?;
    Ok(done(staff, &caller.session, &format!("/machines/{code}"), words))
}

pub async fn lock(
    State(staff): State<Staff>,
    caller: Caller,
    Path(code): Path<String>,
    Form(given): Form<Reason>,
) -> Reply {
    let reason = given.given();
    let request = |machine| FloorRequest::LockMachine { machine, reason };
    act(&staff, &caller, &code, "The machine is locked.", request).await
}

pub async fn unlock(State(staff): State<Staff>, caller: Caller, Path(code): Path<String>) -> Reply {
    let request = |machine| FloorRequest::UnlockMachine { machine };
    act(&staff, &caller, &code, "The machine is unlocked.", request).await
}

pub async fn out_of_order(
    State(staff): State<Staff>,
    caller: Caller,
    Path(code): Path<String>,
    Form(given): Form<Reason>,
) -> Reply {
    let reason = given.given();
    let request = |machine| FloorRequest::OutOfOrder { machine, is_out: true, reason };
    act(&staff, &caller, &code, "The machine is out of service.", request).await
}

pub async fn in_order(
    State(staff): State<Staff>,
    caller: Caller,
    Path(code): Path<String>,
) -> Reply {
    let request = |machine| FloorRequest::OutOfOrder { machine, is_out: false, reason: None };
    act(&staff, &caller, &code, "The machine is in service again.", request).await
}

pub async fn maintenance(
    State(staff): State<Staff>,
    caller: Caller,
    Path(code): Path<String>,
    Form(given): Form<Note>,
) -> Reply {
    let request = |machine| FloorRequest::Maintenance { machine, note: given.note };
    act(&staff, &caller, &code, "Written down.", request).await
}

pub async fn free(State(staff): State<Staff>, caller: Caller, Path(code): Path<String>) -> Reply {
    let request = |machine| FloorRequest::Unlink { machine };
    act(&staff, &caller, &code, "The machine is free.", request).await
}
