//! `GET /auth/google`, `/auth/apple` and their callbacks: signing in at the provider's own page. The browser that comes
//! back is logged in itself, or handed to an app with a code that only this app can use.

use super::federated::{self, Arrival, Which};
use super::identity_store;
use super::redirect_state::{COOKIE_NAME, LIFETIME_S, Return, State as SignInState};
use super::session::{self, Entrant, LoggedIn};
use super::token::{digest, random};
use crate::app::App;
use crate::domains::watch;
use crate::http::{Error, Form, Json, Origin, Problem, Query, Result};
use crate::ids::OrganizationId;
use anyhow::Context;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use garde::Validate;
use serde::Deserialize;
use sqlx::PgConnection;
use time::Duration;
use url::Url;
use utoipa::{IntoParams, IntoResponses, ToSchema};

/// How a sign-in begins.
#[derive(Deserialize, IntoParams, Validate)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Begin {
    /// Where the browser goes in the end, one of those that the service allows; a `code` is added for `POST
    /// /auth/exchange`, or an `error`. Without it the callback itself answers with the tokens.
    #[garde(length(chars, min = 1, max = 500))]
    #[param(min_length = 1, max_length = 500, example = "gym://signed-in")]
    pub return_to: Option<String>,
    /// With `return_to`: base64url of the SHA-256 of a verifier that the app makes up (RFC 7636, S256).
    #[garde(length(bytes, min = 43, max = 43))]
    #[param(
        min_length = 43,
        max_length = 43,
        example = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )]
    pub challenge: Option<String>,
    /// The gym operator, for a new account; may be left out where there is only one.
    #[garde(skip)]
    pub organization_id: Option<OrganizationId>,
}

/// What a provider sends back with the browser.
#[derive(Deserialize, IntoParams, ToSchema, Validate)]
#[into_params(parameter_in = Query)]
pub struct CameBack {
    /// As it was given to the provider.
    #[garde(length(bytes, min = 1, max = 4096))]
    #[param(min_length = 1, max_length = 4096)]
    #[schema(min_length = 1, max_length = 4096)]
    pub state: String,
    /// Good once, at the provider.
    #[garde(length(bytes, min = 1, max = 4096))]
    #[param(min_length = 1, max_length = 4096)]
    #[schema(min_length = 1, max_length = 4096)]
    pub code: Option<String>,
    /// Why there is no code, such as `access_denied`.
    #[garde(length(bytes, min = 1, max = 200))]
    #[param(min_length = 1, max_length = 200)]
    #[schema(min_length = 1, max_length = 200)]
    pub error: Option<String>,
    /// Apple's, at the first time only: JSON with a name.
    #[garde(length(bytes, min = 1, max = 4096))]
    #[param(min_length = 1, max_length = 4096)]
    #[schema(min_length = 1, max_length = 4096)]
    pub user: Option<String>,
}

/// What is answered to who came back, for the API document.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "for the API document only")]
enum Arrived {
    #[response(status = 200)]
    LoggedIn(LoggedIn),
    /// to the app, with a `code` or an `error`
    #[response(status = 303)]
    ToTheApp,
    /// `invalid_state`, `access_denied`, `invalid_id_token`
    #[response(status = 401, content_type = "application/problem+json")]
    Refused(Problem),
    /// `email_taken`
    #[response(status = 409, content_type = "application/problem+json")]
    Taken(Problem),
    /// `provider_unavailable`
    #[response(status = 503, content_type = "application/problem+json")]
    Away(Problem),
}

/// Go to Google's page to sign in.
#[utoipa::path(get, path = "/auth/google", tag = "accounts", security(()), params(Begin), responses(
    (status = 303, description = "to Google, with a cookie that is needed when it comes back"),
    (status = 404, body = Problem, content_type = "application/problem+json", description = "`not_configured`")))]
pub async fn go_to_google(State(app): State<App>, Query(begin): Query<Begin>) -> Result<Response> {
    go(&app, Which::Google, begin)
}

/// Come back from Google's page.
#[utoipa::path(get, path = "/auth/google/callback", tag = "accounts", security(()), params(CameBack), responses(Arrived))]
pub async fn come_back_from_google(
    State(app): State<App>,
    origin: Origin,
    headers: HeaderMap,
    Query(back): Query<CameBack>,
) -> Result<Response> {
    come_back(&app, Which::Google, back, &headers, &origin).await
}

/// Go to Apple's page to sign in.
#[utoipa::path(get, path = "/auth/apple", tag = "accounts", security(()), params(Begin), responses(
    (status = 303, description = "to Apple, with a cookie that is needed when it comes back"),
    (status = 404, body = Problem, content_type = "application/problem+json", description = "`not_configured`")))]
pub async fn go_to_apple(State(app): State<App>, Query(begin): Query<Begin>) -> Result<Response> {
    go(&app, Which::Apple, begin)
}

/// Come back from Apple's page by a link.
#[utoipa::path(get, path = "/auth/apple/callback", tag = "accounts", security(()), params(CameBack), responses(Arrived))]
pub async fn follow_back_from_apple(
    State(app): State<App>,
    origin: Origin,
    headers: HeaderMap,
    Query(back): Query<CameBack>,
) -> Result<Response> {
    come_back(&app, Which::Apple, back, &headers, &origin).await
}

/// Come back from Apple's page by a form, as Apple does when it tells a name.
#[utoipa::path(post, path = "/auth/apple/callback", tag = "accounts", security(()),
    request_body(content = CameBack, content_type = "application/x-www-form-urlencoded"), responses(Arrived))]
pub async fn come_back_from_apple(
    State(app): State<App>,
    origin: Origin,
    headers: HeaderMap,
    Form(back): Form<CameBack>,
) -> Result<Response> {
    come_back(&app, Which::Apple, back, &headers, &origin).await
}

fn go(app: &App, which: Which, begin: Begin) -> Result<Response> {
    let back = returns_to(app, begin.return_to, begin.challenge)?;
    let (state, cookie) = SignInState::begin(app, which, back, begin.organization_id)?;
    let (sealed, uri) = (state.seal(app)?, redirect_uri(app, which));
    let page = which.provider(app).page(state.begun(&uri, &sealed));
    let mut response = see_other(&page.map_err(|error| federated::explain(&error))?)?;
    // Apple comes back with a form of its own: a stricter cookie would stay at home.
    let cookie = format!(
        "{COOKIE_NAME}={cookie}; Path=/; Max-Age={LIFETIME_S}; HttpOnly; Secure; SameSite=None"
    );
    let cookie = HeaderValue::try_from(cookie).context("the cookie is not text")?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(response)
}

fn returns_to(app: &App, url: Option<String>, challenge: Option<String>) -> Result<Option<Return>> {
    let wrong =
        |field, code, message: &str| Err(Error::Field { field, code, message: message.to_owned() });
    match (url, challenge) {
        (None, None) => Ok(None),
        (Some(url), _) if !app.config.auth.return_urls.contains(&url) => {
            wrong("return_to", "not_allowed", "is not among the service's `auth.return_urls`")
        }
        (Some(_), None) => wrong("challenge", "missing", "is needed with `return_to`"),
        (None, Some(_)) => wrong("return_to", "missing", "is needed with `challenge`"),
        (Some(url), Some(challenge)) => Ok(Some(Return { url, challenge })),
    }
}

async fn come_back(
    app: &App,
    which: Which,
    back: CameBack,
    headers: &HeaderMap,
    origin: &Origin,
) -> Result<Response> {
    let state = SignInState::open(app, which, &back.state)?;
    state.check_browser(headers)?;
    let Some(to) = state.app.clone() else {
        let mut tx = app.db.begin().await?;
        let who = arrive(app, &mut tx, &state, &back, origin).await?;
        let logged_in = session::open(app, &mut tx, who, None, origin).await?;
        tx.commit().await?;
        app.forget(logged_in.user.id);
        watch::after_login(app, logged_in.user.id).await?;
        return Ok(Json(logged_in).into_response());
    };
    let (name, value) = match hand_over(app, &state, &to, &back, origin).await {
        Ok(code) => ("code", code),
        Err(error @ Error::Internal(_)) => return Err(error),
        Err(error) => ("error", error.code().to_owned()),
    };
    let mut url = Url::parse(&to.url).context("auth.return_urls: no address")?;
    url.query_pairs_mut().append_pair(name, &value);
    see_other(url.as_str())
}

/// Who came back.
async fn arrive(
    app: &App,
    db: &mut PgConnection,
    state: &SignInState,
    back: &CameBack,
    origin: &Origin,
) -> Result<Entrant> {
    let Some(code) = back.code.as_deref().filter(|_| back.error.is_none()) else {
        return Err(Error::Unauthorized("access_denied"));
    };
    let uri = redirect_uri(app, state.which);
    let begun = state.begun(&uri, &back.state);
    let redeemed = state.which.provider(app).redeem(code, begun, app.clock.now()).await;
    let (identity, token) = redeemed.map_err(|error| federated::explain(&error))?;
    federated::refuse_twice(app, &token, &identity).await?;
    let name = back.user.as_deref().and_then(told_name);
    let (provider, organization) = (state.which.name(), state.organization);
    let arrival = Arrival { provider, identity, name, organization };
    federated::entrant(app, db, &arrival, origin).await
}

/// A code for the app.
async fn hand_over(
    app: &App,
    state: &SignInState,
    to: &Return,
    back: &CameBack,
    origin: &Origin,
) -> Result<String> {
    let mut tx = app.db.begin().await?;
    let who = arrive(app, &mut tx, state, back, origin).await?;
    let (code, until) = (random()?, app.clock.now() + CODE_LIFETIME);
    let user = who.user.id;
    identity_store::add_code(&mut tx, &digest(&code), user, &to.challenge, until).await?;
    tx.commit().await?;
    Ok(code)
}

/// The browser opens the app at once.
const CODE_LIFETIME: Duration = Duration::MINUTE;

/// `{"name":{"firstName":"Ada","lastName":"Lovelace"}}`; what is something else is nobody's name.
fn told_name(user: &str) -> Option<String> {
    let told: serde_json::Value = serde_json::from_str(user).ok()?;
    let part = |key: &str| told["name"][key].as_str().map(str::trim).unwrap_or_default();
    let name = format!("{} {}", part("firstName"), part("lastName"));
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

fn redirect_uri(app: &App, which: Which) -> String {
    let base = app.config.http.public_url.trim_end_matches('/');
    format!("{base}/api/v1/auth/{}/callback", which.name())
}

fn see_other(url: &str) -> Result<Response> {
    let location = HeaderValue::try_from(url).context("the address is not text")?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}
