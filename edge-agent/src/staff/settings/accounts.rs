//! `/settings/accounts`: who may sign in.

use super::page;
use crate::staff::accounts::{Caller, Role};
use crate::staff::act::journal;
use crate::staff::app::Staff;
use crate::staff::reply::{Refusal, Reply, done};
use axum::Form;
use axum::extract::State;
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Account {
    name: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    sure: String,
}

impl Account {
    fn role(&self) -> Result<Role, Refusal> {
        self.role.parse().map_err(|error| Refusal::invalid(format!("{error}")).at("role"))
    }

    fn ensure_sure(&self) -> Result<(), Refusal> {
        if self.sure == "yes" {
            return Ok(());
        }
        Err(Refusal::invalid("Tick the box first: this cannot be undone."))
    }
}

pub async fn add(State(staff): State<Staff>, caller: Caller, Form(new): Form<Account>) -> Reply {
    let (role, name) = (new.role()?, new.name.trim());
    let known = staff.watched.registry.cloud_staff().await?;
    let same = known.iter().find(|record| record.name.eq_ignore_ascii_case(name));
    let of_cloud = same.map(|record| record.id);
    journal(&staff, &caller, "account_add", name).await?;
    let password = staff.accounts.add(name, role, None, of_cloud).await;
    let password = password.map_err(|error| Refusal::from(error).at("name"))?;
    page(&staff, &caller, Some((name.to_owned(), password.to_string()))).await
}

pub async fn set_role(
    State(staff): State<Staff>,
    caller: Caller,
    Form(given): Form<Account>,
) -> Reply {
    let role = given.role()?;
    journal(&staff, &caller, "account_role", &given.name).await?;
    staff.accounts.set_role(&given.name, role).await?;
    let words = format!("{} is {role} now.", given.name);
    Ok(done(&staff, &caller.session, "/settings", words))
}

pub async fn reset(
    State(staff): State<Staff>,
    caller: Caller,
    Form(given): Form<Account>,
) -> Reply {
    given.ensure_sure()?;
    journal(&staff, &caller, "account_reset", &given.name).await?;
    let password = staff.accounts.reset(&given.name, None, Some(caller.session)).await?;
    page(&staff, &caller, Some((given.name, password.to_string()))).await
}

pub async fn remove(
    State(staff): State<Staff>,
    caller: Caller,
    Form(given): Form<Account>,
) -> Reply {
    given.ensure_sure()?;
    journal(&staff, &caller, "account_remove", &given.name).await?;
    staff.accounts.remove(&given.name, false).await?;
    let words = format!("{} cannot sign in any more.", given.name);
    Ok(done(&staff, &caller.session, "/settings", words))
}
