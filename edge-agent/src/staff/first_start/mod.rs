//! `/first-start`: while nobody can sign in, the first manager's account is made here, by whoever has the code that only
//! the gateway itself shows. Being on the branch's network proves nothing.

mod code;

use super::accounts::{Role, Secret};
use super::act::journal_as;
use super::app::Staff;
use super::guard::{From, SESSION, VISITOR};
use super::layout::Layout;
use super::notes::Objection;
use super::reply::{Reply, html, see};
use super::router::{Needs, Route};
use super::sign_in::{set_cookie, visitor};
use crate::floor::Asker;
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
    form(&headers, None)
}

/// What is wrong with what was typed into a field.
fn problem(name: &str, field: &'static str, words: impl Into<String>) -> Objection {
    let given = vec![("name".to_owned(), name.to_owned())];
    Objection { words: words.into(), action: "/first-start".to_owned(), field, given }
}

fn refuse(headers: &HeaderMap, refused: Objection) -> Reply {
    let mut response = form(headers, Some(refused))?;
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    Ok(response)
}

fn form(headers: &HeaderMap, refused: Option<Objection>) -> Reply {
    let (visitor, is_new) = visitor(headers)?;
    let layout = Layout { refused, ..Layout::outside("First start", visitor.form_token()) };
    let mut response = html(&View { layout })?;
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
        return refuse(&headers, problem(&name, "again", "The passwords are not the same."));
    }
    let now_ms = staff.watched.clock.mono_ms();
    if let Err(words) = staff.actions.first_start.check(&code.into_inner(), now_ms) {
        return refuse(&headers, problem(&name, "code", words));
    }
    // Whoever has the code is who they say: nobody else knows them here.
    let by = Asker::Staff { id: None, name: name.clone() };
    journal_as(&staff, by, "account_first", &name).await?;
    let password = password.into_inner();
    let added = staff.accounts.add_first(&name, Role::Manager, password.clone()).await;
    if let Err(error) = added {
        let words = format!("{error:#}.");
        let field = if words.contains("password") { "password" } else { "name" };
        return refuse(&headers, problem(&name, field, words));
    }
    tracing::info!(%address, "the first account of the staff page was made");
    let signed_in = staff.accounts.sign_in(&name, password, address).await;
    let Ok(signed_in) = signed_in else { return Ok(see("/sign-in")) };
    let mut response = see("/enrolment");
    set_cookie(&mut response, SESSION, signed_in.token.value())?;
    Ok(response)
}
