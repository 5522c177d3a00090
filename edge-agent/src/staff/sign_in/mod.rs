//! `/sign-in`, `/sign-out`: in and out, and where somebody goes who has to sign in first.

use super::accounts::{Caller, Secret, SignInRefused, Token};
use super::app::Staff;
use super::guard::{From, SESSION, VISITOR};
use super::layout::Layout;
use super::reply::{Refusal, Reply, html, see};
use super::router::{Needs, Route};
use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use page_kit::form::{cookie, in_query, is_own_path};
use serde::Deserialize;

/// The routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/", Needs::SignIn, home),
        Route::get("/sign-in", Needs::Nothing, show),
        Route::post("/sign-in", Needs::Nothing, sign_in),
        Route::post("/sign-out", Needs::SignIn, sign_out),
        Route::post("/sign-out-everywhere", Needs::SignIn, sign_out_everywhere),
    ]
}

/// The first page of everybody.
const HOME: &str = "/floor";

#[derive(Template)]
#[template(path = "sign_in.html")]
struct View {
    layout: Layout,
    next: String,
    name: String,
    problem: Option<String>,
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: Secret,
    #[serde(default)]
    next: String,
}

/// Off to the sign-in, and from there back. While nobody can sign in: to the first start.
pub fn send(next: &str, first_start: bool) -> Response {
    if first_start {
        return see("/first-start");
    }
    match next {
        "/" => see("/sign-in"),
        next => see(&format!("/sign-in?next={}", in_query(next))),
    }
}

async fn home() -> Response {
    see(HOME)
}

async fn show(
    State(staff): State<Staff>,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Reply {
    if staff.accounts.is_empty() {
        return Ok(see("/first-start"));
    }
    form(&headers, wanted.next, String::new(), None, StatusCode::OK)
}

/// The form, for a browser that gets a cookie to tie it to, if it has none.
fn form(
    headers: &HeaderMap,
    next: String,
    name: String,
    problem: Option<String>,
    status: StatusCode,
) -> Reply {
    let (visitor, is_new) = visitor(headers)?;
    let layout = Layout::outside("Sign in", visitor.form_token());
    let mut response = html(&View { layout, next, name, problem })?;
    *response.status_mut() = status;
    if is_new {
        set_cookie(&mut response, VISITOR, visitor.value())?;
    }
    Ok(response)
}

/// Who is not signed in yet, and whether their cookie is new.
pub fn visitor(headers: &HeaderMap) -> Result<(Token, bool), Refusal> {
    match cookie(headers, VISITOR).and_then(Token::of_cookie) {
        Some(visitor) => Ok((visitor, false)),
        None => Ok((Token::draw()?, true)),
    }
}

async fn sign_in(
    State(staff): State<Staff>,
    From(address): From,
    headers: HeaderMap,
    Form(given): Form<Credentials>,
) -> Reply {
    let Credentials { name, password, next } = given;
    let signed_in = match staff.accounts.sign_in(&name, password.into_inner(), address).await {
        Ok(signed_in) => signed_in,
        Err(refused) => {
            let (status, problem) = explained(&refused);
            return form(&headers, next, name, Some(problem), status);
        }
    };
    // Whoever was signed in with this browser is not any more.
    if let Some(former) = cookie(&headers, SESSION).and_then(Token::of_cookie) {
        staff.accounts.sign_out(&former.hash()).await?;
    }
    let mut response = see(if is_own_path(&next) { &next } else { HOME });
    set_cookie(&mut response, SESSION, signed_in.token.value())?;
    expire_cookie(&mut response, VISITOR);
    Ok(response)
}

fn explained(refused: &SignInRefused) -> (StatusCode, String) {
    let status = match refused {
        SignInRefused::Wrong | SignInRefused::SwitchedOff => StatusCode::UNAUTHORIZED,
        SignInRefused::Wait { .. } => StatusCode::TOO_MANY_REQUESTS,
        SignInRefused::Busy => StatusCode::SERVICE_UNAVAILABLE,
        SignInRefused::Failed(error) => {
            tracing::error!(?error, "a sign-in could not be checked");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    let words = match refused {
        SignInRefused::Wrong => "Name or password is wrong.".to_owned(),
        SignInRefused::Wait { wait_s } => {
            format!("Too many wrong passwords. Please wait {wait_s} seconds.")
        }
        SignInRefused::Busy => {
            "Too many are signing in at this moment. Please try again.".to_owned()
        }
        SignInRefused::SwitchedOff => {
            "This account is switched off in the cloud. Please ask your manager.".to_owned()
        }
        SignInRefused::Failed(_) => {
            "The sign-in could not be checked. Please try again.".to_owned()
        }
    };
    (status, words)
}

async fn sign_out(State(staff): State<Staff>, caller: Caller) -> Reply {
    staff.accounts.sign_out(&caller.session).await?;
    let mut response = see("/sign-in");
    expire_cookie(&mut response, SESSION);
    Ok(response)
}

async fn sign_out_everywhere(State(staff): State<Staff>, caller: Caller) -> Reply {
    staff.accounts.sign_out_everywhere(caller.account, None).await?;
    let mut response = see("/sign-in");
    expire_cookie(&mut response, SESSION);
    Ok(response)
}

/// Sets a cookie that scripts cannot read and that comes only with requests of our own pages.
pub fn set_cookie(response: &mut Response, name: &str, value: &str) -> Result<(), Refusal> {
    let line = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict");
    let line = HeaderValue::try_from(line).map_err(anyhow::Error::from)?;
    response.headers_mut().append(header::SET_COOKIE, line);
    Ok(())
}

fn expire_cookie(response: &mut Response, name: &'static str) {
    let line = format!("{name}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");
    if let Ok(line) = HeaderValue::try_from(line) {
        response.headers_mut().append(header::SET_COOKIE, line);
    }
}
