//! Before every handler: who is it, may they, how often, and does what changes something come from our own page.

use super::Pages;
use super::cookies::form_token;
use super::layout::Layout;
use super::reply::{Refusal, see};
use super::router::{Needs, Verb};
use crate::domains::accounts::browser;
use crate::http::gate::{Access, Rule};
use crate::http::{Caller, ClientAddress, Error};
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use page_kit::form::{carries, in_query, wants_stream};

/// Forms are short.
const MAX_FORM_BYTES: usize = 64 * 1024;

/// What a route's guard knows.
#[derive(Clone)]
pub struct Gate {
    pub pages: Pages,
    pub route: &'static str,
    pub verb: Verb,
    pub needs: Needs,
}

/// Who asks for a page.
#[derive(Debug, Clone)]
pub struct Who {
    pub caller: Caller,
    pub name: String,
    /// What their forms carry.
    pub form_token: String,
}

/// Lets a request through to its handler, or answers it.
pub async fn admit(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let is_piece = request.headers().contains_key("hx-request") || wants_stream(request.headers());
    let path = request.uri().path().to_owned();
    let who = gate.who(request.headers()).await;
    let (who, checked) = match who {
        Ok(who) => (who.clone(), gate.check(who.as_ref(), request).await),
        Err(refusal) => (None, Err(Stopped::Refused(refusal))),
    };
    let stopped = match checked {
        Ok(mut request) => {
            request.extensions_mut().insert(who.clone());
            let mut response = next.run(request).await;
            let refusal = response.extensions_mut().remove::<Refusal>();
            let Some(refusal) = refusal.or_else(|| unreadable(&response)) else {
                return response;
            };
            Stopped::Refused(refusal)
        }
        Err(stopped) => stopped,
    };
    match stopped {
        Stopped::SignIn if is_piece => {
            (StatusCode::UNAUTHORIZED, [("hx-redirect", SIGN_IN)], HTML).into_response()
        }
        Stopped::SignIn => to_sign_in(if gate.verb == Verb::Get { &path } else { "" }),
        Stopped::Refused(refusal) => match who {
            Some(who) => refusal.page(Layout::of(&who, "Not done")),
            None => refusal.page(Layout::outside("Not done", String::new())),
        },
    }
}

const SIGN_IN: &str = "/console/sign-in";
/// What has no words of its own is no problem document either.
const HTML: axum::response::Html<&str> = axum::response::Html("");

/// Off to the sign-in, and from there back.
fn to_sign_in(next: &str) -> Response {
    if next.is_empty() { see(SIGN_IN) } else { see(&format!("{SIGN_IN}?next={}", in_query(next))) }
}

enum Stopped {
    SignIn,
    Refused(Refusal),
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Gate {
    /// Who has the cookie that came; nobody, if its login has ended.
    async fn who(&self, headers: &HeaderMap) -> Result<Option<Who>, Refusal> {
        let Some(cookie) = self.pages.cookies.session(headers) else { return Ok(None) };
        // The sign-in is there for whoever may not use the account of the cookie any more.
        let is_use = !wants_stream(headers);
        let found = match browser::visitor(&self.pages.app, cookie, is_use).await {
            Err(Error::Barred(_)) if self.needs == Needs::Nothing => None,
            found => found?,
        };
        let form_token = form_token(cookie);
        Ok(found.map(|found| Who { caller: found.caller, name: found.name, form_token }))
    }

    async fn check(&self, who: Option<&Who>, request: Request) -> Result<Request, Stopped> {
        let from = request.extensions().get::<ClientAddress>().copied();
        self.count(who, from).await?;
        let own = &self.pages.app.config.http.public_url;
        let is_own_page = self.pages.cookies.is_own_page(request.headers(), own);
        // Pages that may call the API by CORS are not ours: they read nothing here.
        if request.headers().contains_key(header::ORIGIN) && !is_own_page {
            return Err(foreign().into());
        }
        match (self.needs, who) {
            (Needs::Nothing, _) => {}
            (_, None) => return Err(Stopped::SignIn),
            (_, Some(who)) if !who.caller.role.works() => {
                return Err(Refusal::from(Error::Barred("not_staff")).into());
            }
            (Needs::SignIn, _) => {}
            (Needs::May(permission), Some(who)) if who.caller.has(permission) => {}
            (Needs::May(_), Some(who)) => {
                let words = format!("Your role ({}) may not do this.", who.caller.role);
                return Err(Refusal::new(StatusCode::FORBIDDEN, words).into());
            }
        }
        if self.verb == Verb::Get {
            return Ok(request);
        }
        if !is_own_page {
            return Err(foreign().into());
        }
        let visitor = self.pages.cookies.visitor(request.headers()).map(form_token);
        let expected = who.map(|who| who.form_token.clone()).or(visitor);
        ensure_own_form(request, expected).await
    }

    /// Against the limits that calls of the API are counted by.
    async fn count(&self, who: Option<&Who>, from: Option<ClientAddress>) -> Result<(), Refusal> {
        let rule =
            Rule { access: Access::Public, limit: None, is_idempotent: false, is_counted: true };
        let app = &self.pages.app;
        let counted = match who {
            Some(who) => app.rates.user(app, &rule, &who.caller, self.route).await,
            None => app.rates.anonymous(app, &rule, from, self.route).await,
        };
        counted.map(|_| ()).map_err(|refused| refused.error.into())
    }
}

/// It carries what only our pages know.
async fn ensure_own_form(request: Request, expected: Option<String>) -> Result<Request, Stopped> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_FORM_BYTES).await;
    let body =
        body.map_err(|_| Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "That is too much."))?;
    if !expected.is_some_and(|expected| carries(&body, &expected)) {
        return Err(foreign().into());
    }
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// Extractors refuse without a page.
fn unreadable(response: &Response) -> Option<Refusal> {
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_page = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    let is_refused = response.status().is_client_error() && !is_page;
    is_refused.then(|| Refusal::new(response.status(), "This address or form cannot be read."))
}

fn foreign() -> Refusal {
    const WORDS: &str =
        "This did not come from this page. Please go back, load it again and try once more.";
    Refusal::new(StatusCode::FORBIDDEN, WORDS)
}

/// Only on routes that need a sign-in; anywhere else it would be a fault of ours.
impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let who = parts.extensions.get::<Option<Self>>().cloned().flatten();
        who.ok_or_else(|| Refusal::new(StatusCode::UNAUTHORIZED, "Please sign in."))
    }
}
