//! `/first-start`: while nobody can sign in, the first manager's account is made here, by whoever has the code that only
//! the gateway itself shows. Being on the branch's network proves nothing.

mod code;

use super::accounts::{Role, Secret};
use super::app::Staff;
use super::guard::{From, SESSION, VISITOR};
use super::layout::Layout;
use super::reply::{Reply, html, see};
use super::router::{Needs, Route};
use super::sign_in::{set_cookie, visitor};
use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;

pub use code::FirstStart;

/// The routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/first-start", Needs::Nothing, show),
        Route::post("/first-start", Needs::Nothing, begin),
    ]
}

#[derive(Template)]
#[template(path = "first_start.html")]
struct View {
    layout: Layout,
    name: String,
    problem: Option<String>,
}

#[derive(Deserialize)]
struct Given {
    code: Secret,
    name: String,
    password: Secret,
    again: Secret,
}

async fn show(State(staff): State<Staff>, headers: HeaderMap) -> Reply {
    if !staff.accounts.is_empty() {
        return Ok(see("/sign-in"));
    }
    form(&headers, String::new(), None)
}

fn form(headers: &HeaderMap, name: String, problem: Option<String>) -> Reply {
    let (visitor, is_new) = visitor(headers)?;
    let layout = Layout::outside("First start", visitor.form_token());
    let is_fine = problem.is_none();
    let mut response = html(&View { layout, name, problem })?;
    if !is_fine {
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    }
    if is_new {
        set_cookie(&mut response, VISITOR, visitor.value())?;
    }
    Ok(response)
}

async fn begin(
    State(staff): State<Staff>,
    From(address): From,
    headers: HeaderMap,
    Form(given): Form<Given>,
) -> Reply {
    let Given { code, name, password, again } = given;
    if !staff.accounts.is_empty() {
        return Ok(see("/sign-in"));
    }
    if password != again {
        return form(&headers, name, Some("The passwords are not the same.".to_owned()));
    }
    let now_ms = staff.watched.clock.mono_ms();
    if let Err(problem) = staff.actions.first_start.check(&code.into_inner(), now_ms) {
        return form(&headers, name, Some(problem));
    }
    let password = password.into_inner();
    let added = staff.accounts.add_first(&name, Role::Manager, password.clone()).await;
    if let Err(error) = added {
        return form(&headers, name, Some(format!("{error:#}.")));
    }
    tracing::info!(%address, "the first account of the staff page was made");
    let signed_in = staff.accounts.sign_in(&name, password, address).await;
    let Ok(signed_in) = signed_in else { return Ok(see("/sign-in")) };
    let mut response = see("/enrolment");
    set_cookie(&mut response, SESSION, signed_in.token.value())?;
    Ok(response)
}
