//! `/settings/password`: one's own.

use crate::staff::accounts::{Caller, Secret};
use crate::staff::act::journal;
use crate::staff::app::Staff;
use crate::staff::guard::From;
use crate::staff::reply::{Refusal, Reply, done};
use axum::Form;
use axum::extract::State;
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Change {
    present: Secret,
    password: Secret,
    again: Secret,
}

pub async fn change(
    State(staff): State<Staff>,
    caller: Caller,
    From(address): From,
    Form(given): Form<Change>,
) -> Reply {
    if given.password != given.again {
        return Err(Refusal::invalid("The new passwords are not the same.").at("again"));
    }
    let present = given.present.into_inner();
    let checked = staff.accounts.is_password(&caller.name, present, address).await;
    checked.map_err(|refused| {
        Refusal::invalid(format!("The present password was not taken: {refused}.")).at("present")
    })?;
    journal(&staff, &caller, "account_password", &caller.name).await?;
    let password = Some(given.password.into_inner());
    let changed = staff.accounts.reset(&caller.name, password, Some(caller.session)).await;
    changed.map_err(|error| Refusal::from(error).at("password"))?;
    let words = "Your password is changed. Your other devices are signed out.";
    Ok(done(&staff, &caller.session, "/settings", words))
}
