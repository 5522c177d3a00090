//! `/auth/refresh`: a refresh token for new tokens. Each is good once: one that comes again was copied, and ends its
//! login, unless the answer to its first use was evidently lost a moment ago.

use super::login_store::{self, Presented};
use super::session::{self, Entrant, LoggedIn, NO_LOGIN};
use super::{admit, store, token};
use crate::app::App;
use crate::audit;
use crate::domains::watch;
use crate::http::{Json, Origin, Problem, Result, Valid};
use crate::outside::mail::{self, Letter};
use axum::extract::State;
use garde::Validate;
use serde::Deserialize;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

/// A refresh token.
#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// As it came with the last answer.
    #[garde(length(bytes, min = 1, max = 4096))]
    #[schema(min_length = 1, max_length = 4096)]
    pub refresh_token: String,
}

/// Exchange a refresh token for new tokens.
///
/// The old refresh token is used up. Whoever shows a used one again ends the login. Only within ten seconds, and while
/// the new one was not used, it is taken for a lost answer.
#[utoipa::path(post, path = "/auth/refresh", tag = "accounts", security(()), request_body = Refresh, responses(
    (status = 200, body = LoggedIn),
    (status = 401, body = Problem, content_type = "application/problem+json",
     description = "`invalid_refresh_token`, `refresh_token_reused`: log in again"),
    (status = 403, body = Problem, content_type = "application/problem+json",
     description = "`account_suspended`, `account_disabled`")))]
pub async fn refresh_tokens(
    State(app): State<App>,
    origin: Origin,
    Valid(refresh): Valid<Refresh>,
) -> Result<Json<LoggedIn>> {
    let now = app.clock.now();
    let keys = app.keys.user_token();
    if !token::is_refresh(&refresh.refresh_token, &keys, now) {
        return Err(NO_LOGIN);
    }
    let old = token::digest(&refresh.refresh_token);
    let mut tx = app.db.begin().await?;
    let presented = login_store::presented(&mut tx, &old).await?.ok_or(NO_LOGIN)?;
    if presented.ended_at.is_some() || presented.expires_at <= now {
        return Err(NO_LOGIN);
    }
    if !may_exchange(&mut tx, &presented, now).await? {
        reused(&app, &mut tx, &presented, &origin).await?;
        tx.commit().await?;
        app.forget(presented.user);
        watch::after_reuse(&app, presented.user).await?;
        return Err(crate::http::Error::Unauthorized("refresh_token_reused"));
    }
    let found = store::by_id(&mut tx, presented.user, now).await?.ok_or(NO_LOGIN)?;
    admit(&app, found.status)?;
    let expires_at = now + session::lifetime(&app);
    let (user, login, device) = (presented.user, presented.login, presented.device_id);
    let new = token::issue_refresh(user, login, device, &keys, now, expires_at)?;
    login_store::add_refresh(&mut tx, login, &token::digest(&new), now).await?;
    login_store::exchange(&mut tx, &old, &token::digest(&new), now).await?;
    login_store::touch(&mut tx, login, &origin, now, expires_at).await?;
    tx.commit().await?;
    Ok(Json(session::answer(&app, Entrant::from(found), login, new)?))
}

/// A fresh token may; so may one whose answer was lost: its successor was never used and goes away.
async fn may_exchange(
    db: &mut PgConnection,
    presented: &Presented,
    now: OffsetDateTime,
) -> Result<bool> {
    let Some(used_at) = presented.used_at else { return Ok(true) };
    let Some(successor) = &presented.successor else { return Ok(false) };
    if now - used_at > LOST_ANSWER || login_store::is_used(db, successor).await? {
        return Ok(false);
    }
    login_store::withdraw(db, successor).await?;
    Ok(true)
}

const LOST_ANSWER: Duration = Duration::seconds(10);

async fn reused(
    app: &App,
    db: &mut PgConnection,
    presented: &Presented,
    origin: &Origin,
) -> Result<()> {
    let now = app.clock.now();
    login_store::end(db, presented.user, presented.login, "refresh_token_reused", now).await?;
    let entry = audit::Entry::new("login.token_reused").by(presented.user).on(presented.login);
    audit::record(db, &entry.from(origin), now).await?;
    if let Some(found) = store::by_id(db, presented.user, now).await? {
        mail::queue(app, db, &found.user.email, Letter::TokenReused).await?;
    }
    Ok(())
}
