//! `/console/sign-in`, `/console/sign-out`: in with what logs in at the API, and out.

use super::Pages;
use super::cookies::form_token;
use super::guard::Who;
use super::layout::Layout;
use super::reply::{Reply, html, see};
use super::router::{Needs, Route};
use super::words;
use crate::domains::accounts::{Credentials, browser};
use crate::http::{Error, Origin};
use askama::Template;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use garde::Validate as _;
use page_kit::form::is_own_path;
use serde::Deserialize;

/// The routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/console/sign-in", Needs::Nothing, show),
        Route::post("/console/sign-in", Needs::Nothing, sign_in),
        Route::post("/console/sign-out", Needs::SignIn, sign_out),
    ]
}

/// The first page of everybody.
const HOME: &str = "/console";

#[derive(Template)]
#[template(path = "console/sign_in.html")]
struct View {
    layout: Layout,
    next: String,
    email: String,
    problem: Option<String>,
    /// It is about the code, not about address and password.
    is_of_code: bool,
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct Given {
    email: String,
    password: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    next: String,
}

async fn show(
    State(pages): State<Pages>,
    who: Result<Who, super::reply::Refusal>,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Reply {
    if who.is_ok() {
        return Ok(see(target(&wanted.next)));
    }
    form(&pages, &headers, wanted.next, String::new(), None)
}

/// The form, for a browser that gets a cookie to tie it to, if it has none.
fn form(
    pages: &Pages,
    headers: &HeaderMap,
    next: String,
    email: String,
    refused: Option<Error>,
) -> Reply {
    let known = pages.cookies.visitor(headers).map(str::to_owned);
    let (visitor, is_new) = match known {
        Some(known) => (known, false),
        None => (browser::draw()?, true),
    };
    let layout = Layout::outside("Sign in", form_token(&visitor));
    let code = refused.as_ref().map(Error::code);
    let is_of_code = matches!(code, Some("second_factor_required" | "invalid_code"));
    let problem = refused.as_ref().map(words::of_error);
    let mut response = html(&View { layout, next, email, problem, is_of_code })?;
    if let Some(refused) = refused {
        *response.status_mut() = status(refused);
    }
    if is_new {
        pages.cookies.set_visitor(&mut response, &visitor);
    }
    Ok(response)
}

fn status(refused: Error) -> StatusCode {
    refused.into_response().status()
}

async fn sign_in(
    State(pages): State<Pages>,
    origin: Origin,
    former: Result<Who, super::reply::Refusal>,
    headers: HeaderMap,
    Form(given): Form<Given>,
) -> Reply {
    let Given { email, password, code, next } = given;
    let code = Some(code.trim().to_owned()).filter(|code| !code.is_empty());
    let credentials = Credentials { email: email.clone(), password, device: None, code };
    let signed_in = match credentials.validate() {
        Ok(()) => browser::sign_in(&pages.app, &credentials, &origin).await,
        Err(report) => Err(Error::Invalid(report)),
    };
    let signed_in = match signed_in {
        Ok(signed_in) => signed_in,
        Err(Error::Internal(error)) => return Err(error.into()),
        Err(refused) => return form(&pages, &headers, next, email, Some(refused)),
    };
    // Whoever was signed in with this browser is not any more.
    if let Ok(former) = former {
        browser::sign_out(&pages.app, &former.caller, &origin).await?;
    }
    let mut response = see(target(&next));
    pages.cookies.expire_visitor(&mut response);
    pages.cookies.set_session(&mut response, &signed_in.cookie);
    Ok(response)
}

/// A page of ours, and no other.
fn target(next: &str) -> &str {
    if is_own_path(next) && next.starts_with(HOME) { next } else { HOME }
}

async fn sign_out(State(pages): State<Pages>, origin: Origin, who: Who) -> Reply {
    browser::sign_out(&pages.app, &who.caller, &origin).await?;
    let mut response: Response = see("/console/sign-in");
    pages.cookies.expire_session(&mut response);
    Ok(response)
}
