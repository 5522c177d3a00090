//! `/enrolment`: the gateway becomes known to a cloud with a one-time code.

use super::accounts::{Caller, Permission};
use super::act::journal;
use super::app::Staff;
use super::layout::Layout;
use super::reply::{Refusal, Reply, html};
use super::router::{Needs, Route};
use crate::ops::actions::Ask;
use askama::Template;
use axum::Form;
use axum::extract::State;
use serde::Deserialize;

/// The routes.
pub fn routes() -> Vec<Route> {
    let may = Needs::May(Permission::Cloud);
    vec![Route::get("/enrolment", may, show), Route::post("/enrolment", may, enrol)]
}

#[derive(Template)]
#[template(path = "enrolment.html")]
struct View {
    layout: Layout,
    /// Branch and cloud.
    enrolled: Option<(String, String)>,
    cloud: String,
}

#[derive(Deserialize)]
struct Given {
    #[serde(default)]
    cloud: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    sure: String,
}

async fn show(State(staff): State<Staff>, caller: Caller) -> Reply {
    let enrolled = staff.watched.status().enrolled;
    let configured = staff.actions.cloud.url.clone();
    let cloud = configured.or_else(|| enrolled.as_ref().map(|at| at.cloud.clone()));
    html(&View {
        enrolled: enrolled.map(|at| (at.branch, at.cloud)),
        cloud: cloud.unwrap_or_default(),
        layout: Layout::of(&staff, &caller, "Enrolment", "/sync"),
    })
}

async fn enrol(State(staff): State<Staff>, caller: Caller, Form(given): Form<Given>) -> Reply {
    let Given { cloud, code, sure } = given;
    if cloud.trim().is_empty() || code.trim().is_empty() {
        let field = if cloud.trim().is_empty() { "cloud" } else { "code" };
        let words = "Both the address of the cloud and the code are needed.";
        return Err(Refusal::invalid(words).at(field));
    }
    if staff.watched.registry.enrolled().is_some() && sure != "yes" {
        return Err(Refusal::invalid("Tick the box first: the gateway is known already."));
    }
    journal(&staff, &caller, "enrol", cloud.trim()).await?;
    let actions = staff.actions.clone();
    let waits_for = format!("Asking {} …", cloud.trim());
    let ask = Ask::Enroll { cloud: cloud.trim().to_owned(), code: code.trim().to_owned() };
    let page = ("Enrolment", waits_for.as_str(), "/sync");
    staff.works.begin(caller.session, page, async move {
        let done = actions.perform(ask).await.map_err(|error| format!("{error:#}."))?;
        let branch = done["branch"].as_str().unwrap_or_default();
        Ok(format!("The gateway is known as {branch} now. Its members are on their way."))
    })
}
