//! What a login is: a family of refresh tokens of one device, each good once, and access tokens that end with it.

use super::model::{Plan, User};
use super::password::plain_text;
use super::store::LoginUser;
use super::{login_store, token};
use crate::app::App;
use crate::audit;
use crate::http::{Error, Origin, Result};
use crate::ids::LoginId;
use crate::outside::mail::{self, Letter};
use garde::Validate;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::format_description::well_known::Rfc2822;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

/// The device that somebody logs in with, as the app knows it.
#[derive(Debug, Clone, Default, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Stays the same while the app is installed.
    #[garde(length(chars, min = 1, max = 100), custom(plain_text))]
    #[schema(min_length = 1, max_length = 100, example = "b7c1e0a2-5b8e-4d43-9d3c-0d1f6a1f7f10")]
    pub id: String,
    /// Shown in the list of logins.
    #[garde(length(chars, min = 1, max = 100), inner(custom(plain_text)))]
    #[schema(min_length = 1, max_length = 100, example = "Ada's phone")]
    pub name: Option<String>,
}

/// A successful login.
#[derive(Debug, Serialize, ToSchema)]
pub struct LoggedIn {
    /// To be sent as `Authorization: Bearer`.
    pub access_token: String,
    /// For `POST /auth/refresh`, once.
    pub refresh_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds that the access token is good for.
    #[schema(example = 900)]
    pub expires_in: u32,
    /// Who logged in.
    pub user: User,
}

/// Somebody, as a login is opened.
pub struct Entrant {
    pub user: User,
    pub plan: Plan,
}

impl From<LoginUser> for Entrant {
    fn from(found: LoginUser) -> Self {
        Self { user: found.user, plan: found.plan }
    }
}

/// Logs a device in. The transaction is the caller's.
pub async fn open(
    app: &App,
    db: &mut PgConnection,
    who: Entrant,
    device: Option<&Device>,
    origin: &Origin,
) -> Result<LoggedIn> {
    let now = app.clock.now();
    let expires_at = now + lifetime(app);
    let login = begin(app, db, &who.user, device, origin, expires_at).await?;
    let device_id = device.map(|device| device.id.clone());
    let keys = app.keys.user_token();
    let refresh = token::issue_refresh(who.user.id, login, device_id, &keys, now, expires_at)?;
    login_store::add_refresh(db, login, &token::digest(&refresh), now).await?;
    answer(app, who, login, refresh)
}

/// Begins a login, without anything to show for it yet. A device that is new is told by mail.
pub async fn begin(
    app: &App,
    db: &mut PgConnection,
    user: &User,
    device: Option<&Device>,
    origin: &Origin,
    expires_at: OffsetDateTime,
) -> Result<LoginId> {
    let now = app.clock.now();
    let login = LoginId::new();
    let is_first = !login_store::has_any(db, user.id).await?;
    let is_known = login_store::is_known_device(db, user.id, device, origin).await?;
    login_store::insert(db, login, user.id, device, origin, now, expires_at).await?;
    let entry = audit::Entry::new("login.opened").by(user.id).of(user.organization_id);
    audit::record(db, &entry.on(login).from(origin), now).await?;
    if !is_first && !is_known {
        let device = device.and_then(|device| device.name.clone());
        let device = device.unwrap_or_else(|| "An app or a browser".to_owned());
        let when = now.format(&Rfc2822).unwrap_or_default();
        mail::queue(app, db, &user.email, Letter::NewDevice { device, when }).await?;
    }
    Ok(login)
}

/// The tokens of a login.
pub fn answer(app: &App, who: Entrant, login: LoginId, refresh: String) -> Result<LoggedIn> {
    let keys = app.keys.user_token();
    let access = app.tokens.issue(&who.user, who.plan, login, &keys, app.clock.now())?;
    Ok(LoggedIn {
        access_token: access,
        refresh_token: refresh,
        token_type: "Bearer",
        expires_in: app.tokens.lifetime_s(),
        user: who.user,
    })
}

/// How long a login lasts without being used.
pub fn lifetime(app: &App) -> Duration {
    Duration::seconds(app.config.auth.refresh_token_s.into())
}

/// A refresh token that is not (or no longer) good.
pub const NO_LOGIN: Error = Error::Unauthorized("invalid_refresh_token");
