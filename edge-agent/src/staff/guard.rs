//! Before every handler: who is it, may they, and does a request that changes something come from our own page.

use super::accounts::{Caller, Token};
use super::app::Staff;
use super::layout::{Layout, page_of};
use super::notes::{Note, Objection};
use super::reply::{Refusal, RefusedWith, see};
use super::router::{Needs, Verb};
use super::server::Peer;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use page_kit::form::{carries, cookie, given, is_from_this_host, wants_stream};
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::timeout;

/// The cookie of a session.
pub const SESSION: &str = "__Host-gymwire";
/// The cookie that ties the sign-in form to its browser.
pub const VISITOR: &str = "__Host-gymwire-visitor";

/// Forms are short.
const MAX_FORM_BYTES: usize = 64 * 1024;
const FORM_TIMEOUT: Duration = Duration::from_secs(10);

/// What a route's guard knows.
#[derive(Clone)]
pub struct Gate {
    /// Everything.
    pub staff: Staff,
    /// How the route is asked.
    pub verb: Verb,
    /// What the route needs.
    pub needs: Needs,
}

/// Lets a request through to its handler, or answers it.
pub async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let is_fragment = request.headers().contains_key("hx-request");
    let is_stream = wants_stream(request.headers());
    let path = request.uri().path().to_owned();
    let came_from = came_from(request.headers());
    let token = cookie(request.headers(), SESSION).and_then(Token::of_cookie);
    let caller = match token {
        Some(token) => gate.staff.accounts.who(&token, !is_stream).await,
        None => None,
    };
    let refused = match gate.check(caller.as_ref(), request).await {
        Ok((mut request, form)) => {
            request.extensions_mut().insert(Who(caller.clone()));
            let response = next.run(request).await;
            let Some(refused) = response.extensions().get::<RefusedWith>().cloned() else {
                return response;
            };
            // Back to the form, which says it where it belongs.
            if let (Some(caller), Some(form), Some(page)) = (&caller, &form, &came_from) {
                let RefusedWith { words, field } = refused;
                let objection = Objection { words, field, action: path, given: given(form) };
                gate.staff.notes.leave(caller.session, Note::Refused(objection));
                return see(page);
            }
            Stopped::Refused(Refusal::new(response.status(), refused.words))
        }
        Err(stopped) => stopped,
    };
    match refused {
        Stopped::SignIn if is_fragment || is_stream => {
            (StatusCode::UNAUTHORIZED, [("hx-redirect", "/sign-in")]).into_response()
        }
        Stopped::SignIn => {
            let first = gate.staff.accounts.is_empty();
            super::sign_in::send(if gate.verb == Verb::Get { &path } else { "/" }, first)
        }
        Stopped::Refused(refusal) if is_fragment => refusal.into_response(),
        Stopped::Refused(refusal) => match caller {
            Some(caller) => refusal.page(Layout::of(&gate.staff, &caller, "Not done", "")),
            None => refusal.page(Layout::outside("Not done", String::new())),
        },
    }
}

/// No such page; whoever is not signed in does not learn which there are.
pub async fn nothing_here() -> Response {
    Refusal::not_found("such page").page(Layout::outside("Not found", String::new()))
}

enum Stopped {
    SignIn,
    Refused(Refusal),
}

impl Gate {
    /// The request, and what its form says.
    async fn check(
        &self,
        caller: Option<&Caller>,
        request: Request,
    ) -> Result<(Request, Option<Bytes>), Stopped> {
        let visitor = cookie(request.headers(), VISITOR).and_then(Token::of_cookie);
        match (self.needs, caller) {
            (Needs::Nothing, _) | (Needs::SignIn, Some(_)) => {}
            (Needs::May(permission), Some(caller)) if caller.role.may(permission) => {}
            (Needs::May(_), Some(caller)) => {
                let words = format!("Your role ({}) may not do this.", caller.role);
                return Err(refused(StatusCode::FORBIDDEN, &words));
            }
            (_, None) => return Err(Stopped::SignIn),
        }
        if self.verb == Verb::Get {
            return Ok((request, None));
        }
        let expected = match caller {
            Some(caller) => Some(caller.form_token.clone()),
            None => visitor.map(|visitor| visitor.form_token()),
        };
        ensure_own_form(request, expected).await
    }
}

/// A form of our own page: its Origin is this very address, and it carries what only our pages know.
async fn ensure_own_form(
    request: Request,
    expected: Option<String>,
) -> Result<(Request, Option<Bytes>), Stopped> {
    const FOREIGN: &str =
        "This did not come from this page. Please go back, load it again and try once more.";
    let foreign = || refused(StatusCode::FORBIDDEN, FOREIGN);
    if !is_from_this_host(request.headers(), "https") {
        return Err(foreign());
    }
    let expected = expected.ok_or_else(foreign)?;
    let (parts, body) = request.into_parts();
    let body = form(body).await?;
    if !carries(&body, &expected) {
        return Err(foreign());
    }
    Ok((Request::from_parts(parts, Body::from(body.clone())), Some(body)))
}

/// The page of ours whose form was sent.
fn came_from(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let (referer, host) = (text(header::REFERER)?, text(header::HOST)?);
    page_of(referer.strip_prefix("https://")?.strip_prefix(host)?)
}

async fn form(body: Body) -> Result<Bytes, Stopped> {
    match timeout(FORM_TIMEOUT, to_bytes(body, MAX_FORM_BYTES)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(refused(StatusCode::PAYLOAD_TOO_LARGE, "That is too much.")),
        Err(_) => Err(refused(StatusCode::REQUEST_TIMEOUT, "That took too long.")),
    }
}

fn refused(status: StatusCode, words: &str) -> Stopped {
    Stopped::Refused(Refusal::new(status, words))
}

#[derive(Clone)]
struct Who(Option<Caller>);

/// Only on routes that need a sign-in; anywhere else it would be a fault of ours.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let who = parts.extensions.get::<Who>().and_then(|who| who.0.clone());
        who.ok_or_else(|| Refusal::new(StatusCode::UNAUTHORIZED, "Please sign in."))
    }
}

/// The address of whoever asks.
pub struct From(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for From {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let peer = parts.extensions.get::<Peer>();
        let refusal =
            || Refusal::new(StatusCode::BAD_REQUEST, "Nobody knows where this came from.");
        peer.map(|peer| Self(peer.0)).ok_or_else(refusal)
    }
}
