//! `POST /auth/google` and `/auth/apple`: signing in with the id token that an app got there. An account elsewhere is known
//! by its subject. It is linked to an account here only if both sides have confirmed the same address.

use super::mail_token::{self, Purpose};
use super::model::{Email, NewUser, Role};
use super::session::{self, Device, Entrant, LoggedIn};
use super::{admit, identity_store, password, register, store};
use crate::app::App;
use crate::audit;
use crate::domains::watch;
use crate::events::outbox;
use crate::http::{Error, Json, OnConstraint, Origin, Problem, Refusal, Result, Valid};
use crate::ids::OrganizationId;
use crate::outside::identity::{Identity, IdentityError, Provider};
use crate::outside::mail::{self, Letter};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;
use std::time::Duration;
use utoipa::ToSchema;

/// What an app got from the provider.
#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// As the provider gave it to the app.
    #[garde(length(bytes, min = 1, max = 8192))]
    #[schema(min_length = 1, max_length = 8192)]
    pub id_token: String,
    /// What the app made up for this sign-in. The token holds it, or its SHA-256 in hexadecimal.
    #[garde(length(bytes, min = 8, max = 200))]
    #[schema(min_length = 8, max_length = 200, example = "b7c1e0a25b8e4d43")]
    pub nonce: String,
    /// Apple tells it to the app, and only at the first time.
    #[garde(length(chars, min = 1, max = 100), inner(custom(password::plain_text)))]
    #[schema(min_length = 1, max_length = 100, example = "Ada Lovelace")]
    pub name: Option<String>,
    /// The gym operator, for a new account; may be left out where there is only one.
    #[garde(skip)]
    pub organization_id: Option<OrganizationId>,
    /// What is used to sign in.
    #[garde(dive)]
    pub device: Option<Device>,
}

/// How signing in ends.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "for the API document only")]
enum Entered {
    #[response(status = 200)]
    LoggedIn(#[to_schema] LoggedIn),
    /// `invalid_id_token`
    #[response(status = 401, content_type = "application/problem+json")]
    Refused(#[to_schema] Problem),
    /// `not_configured`
    #[response(status = 404, content_type = "application/problem+json")]
    NotOffered(#[to_schema] Problem),
    /// `email_taken`: log in to that account with its password
    #[response(status = 409, content_type = "application/problem+json")]
    Taken(#[to_schema] Problem),
    /// `provider_unavailable`
    #[response(status = 503, content_type = "application/problem+json")]
    Away(#[to_schema] Problem),
}

/// Sign in with Google; the first time makes an account.
#[utoipa::path(post, path = "/auth/google", tag = "accounts", security(()), request_body = SignIn,
    responses(Entered))]
pub async fn sign_in_with_google(
    State(app): State<App>,
    origin: Origin,
    Valid(sign_in): Valid<SignIn>,
) -> Result<Json<LoggedIn>> {
    enter(&app, Which::Google, sign_in, &origin).await
}

/// Sign in with Apple; the first time makes an account.
#[utoipa::path(post, path = "/auth/apple", tag = "accounts", security(()), request_body = SignIn,
    responses(Entered))]
pub async fn sign_in_with_apple(
    State(app): State<App>,
    origin: Origin,
    Valid(sign_in): Valid<SignIn>,
) -> Result<Json<LoggedIn>> {
    enter(&app, Which::Apple, sign_in, &origin).await
}

async fn enter(
    app: &App,
    which: Which,
    sign_in: SignIn,
    origin: &Origin,
) -> Result<Json<LoggedIn>> {
    let now = app.clock.now();
    let verified = which.provider(app).verify(&sign_in.id_token, &sign_in.nonce, now).await;
    let identity = verified.map_err(|error| explain(&error))?;
    refuse_twice(app, &sign_in.id_token, &identity).await?;
    let mut tx = app.db.begin().await?;
    let (name, organization) = (sign_in.name, sign_in.organization_id);
    let arrival = Arrival { provider: which.name(), identity, name, organization };
    let who = entrant(app, &mut tx, &arrival, origin).await?;
    let logged_in = session::open(app, &mut tx, who, sign_in.device.as_ref(), origin).await?;
    tx.commit().await?;
    app.forget(logged_in.user.id);
    watch::after_login(app, logged_in.user.id).await?;
    Ok(Json(logged_in))
}

/// With whom somebody signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    Google,
    Apple,
}

impl Which {
    pub fn name(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::Apple => "apple",
        }
    }

    pub fn provider(self, app: &App) -> &Provider {
        match self {
            Self::Google => &app.google,
            Self::Apple => &app.apple,
        }
    }
}

/// Somebody whom a provider vouches for.
pub struct Arrival {
    /// As it is called in the table of identities.
    pub provider: &'static str,
    pub identity: Identity,
    /// As they call themselves, for a new account.
    pub name: Option<String>,
    /// For a new account; may be left out where there is only one.
    pub organization: Option<OrganizationId>,
}

/// Finds, links or makes their account.
pub async fn entrant(
    app: &App,
    db: &mut PgConnection,
    arrival: &Arrival,
    origin: &Origin,
) -> Result<Entrant> {
    let subject = &arrival.identity.subject;
    match identity_store::user(db, arrival.provider, subject).await? {
        Some(user) => {
            let found = store::by_id(db, user, app.clock.now()).await?.ok_or(Error::NotFound)?;
            admit(app, found.status)?;
            Ok(Entrant::from(found))
        }
        None => link_or_make(app, db, arrival, origin).await,
    }
}

pub fn explain(error: &IdentityError) -> Error {
    match error {
        IdentityError::NotConfigured => Refusal::new(StatusCode::NOT_FOUND, "not_configured")
            .detail("signing in like this is not offered here")
            .into(),
        IdentityError::Refused => Error::Unauthorized("invalid_id_token"),
        IdentityError::Away(_) => {
            tracing::warn!(%error, "nobody can sign in with a provider");
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "provider_unavailable")
                .header(header::RETRY_AFTER, HeaderValue::from_static("60"))
                .into()
        }
    }
}

/// An id token is good for one login here.
pub async fn refuse_twice(app: &App, token: &str, identity: &Identity) -> Result<()> {
    let now = app.clock.now();
    let left_s = u64::try_from(identity.exp - now.unix_timestamp()).unwrap_or(0) + SKEW_S;
    let window = Duration::from_secs(left_s);
    let count = app.counters.hit(&format!("id_token:{token}"), window, app.clock.now_ms()).await;
    if count.hits > 1 { Err(Error::Unauthorized("invalid_id_token")) } else { Ok(()) }
}

/// As long as a token is believed beyond its end.
const SKEW_S: u64 = 61;

async fn link_or_make(
    app: &App,
    db: &mut PgConnection,
    arrival: &Arrival,
    origin: &Origin,
) -> Result<Entrant> {
    let (now, identity, name) = (app.clock.now(), &arrival.identity, arrival.provider);
    let email = identity.email.as_deref().and_then(|text| text.parse::<Email>().ok());
    let email = email.ok_or(Error::Unauthorized("invalid_id_token"))?;
    let (who, action) = match store::by_email(db, &email, now).await? {
        Some(found) => {
            let is_confirmed = store::is_email_verified(db, found.user.id).await?;
            if !(identity.email_verified && is_confirmed) {
                return Err(Error::Conflict("email_taken"));
            }
            admit(app, found.status)?;
            (Entrant::from(found), "account.identity_linked")
        }
        None => (make(app, db, email, arrival).await?, "account.registered"),
    };
    identity_store::insert(db, name, &identity.subject, who.user.id, now).await?;
    let entry = audit::Entry::new(action).by(who.user.id).of(who.user.organization_id);
    let entry = entry.on(who.user.id).from(origin).detail(json!({"provider": name}));
    audit::record(db, &entry, now).await?;
    Ok(who)
}

async fn make(
    app: &App,
    db: &mut PgConnection,
    email: Email,
    arrival: &Arrival,
) -> Result<Entrant> {
    let (now, identity) = (app.clock.now(), &arrival.identity);
    let organization = register::operator(db, arrival.organization).await?;
    let local = email.as_str().split('@').next().unwrap_or_default().to_owned();
    let name = arrival.name.clone().or_else(|| identity.name.clone()).unwrap_or(local);
    let name: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
    let user = NewUser { organization, email, name, role: Role::Member, password_hash: None };
    let made = if identity.email_verified {
        store::insert(db, &user, now).await
    } else {
        store::insert_pending(db, &user, now).await
    };
    let user = made.on_constraint("users_email_key", || Error::Conflict("email_taken"))?;
    outbox::add(db, "account.registered", Some(user.id), &json!({}), now).await?;
    if !identity.email_verified {
        let link = mail_token::link(app, db, user.id, Purpose::VerifyEmail, &user.email).await?;
        let letter = Letter::VerifyEmail { name: user.name.clone(), link };
        mail::queue(app, db, &user.email, letter).await?;
    }
    let found = store::by_id(db, user.id, now).await?.ok_or(Error::NotFound)?;
    admit(app, found.status)?;
    Ok(Entrant::from(found))
}
