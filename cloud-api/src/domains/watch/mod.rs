//! Watching for what owners of accounts do not do: logins at a rate or from places that nobody has, tokens that were
//! copied, passwords guessed, archives fetched again and again. What is noticed is written down; what is too much locks the account, and
//! its owner is told by mail. Choosing a new password by a letter unlocks it.

mod collection;
mod model;
mod own;
mod store;

pub use model::Rule;
pub use store::unread;

use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::accounts;
use crate::events::outbox;
use crate::http::{Error, Result};
use crate::ids::UserId;
use crate::outside::mail::{self, Letter};
use serde_json::json;
use sqlx::PgConnection;
use std::time::Duration as StdDuration;
use time::Duration;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(collection::list_security_events))
        .routes(routes!(own::list_own_security_events))
        .routes(routes!(own::mark_security_events_read))
}

/// Looks at a login that has just been made; refuses it if it was one too many.
pub async fn after_login(app: &App, user: UserId) -> Result<()> {
    let limits = &app.config.watch;
    let since = app.clock.now() - StdDuration::from_secs(limits.login_window_s);
    let seen = store::recent_logins(&mut *app.db.acquire().await?, user, since).await?;
    match model::judge_logins(limits, seen.logins, seen.addresses) {
        Some(rule) => lock(app, user, rule).await,
        None => Ok(()),
    }
}

/// Notes that a used refresh token came again; more than a few times a day is too much.
pub async fn after_reuse(app: &App, user: UserId) -> Result<()> {
    let mut tx = app.db.begin().await?;
    note(app, &mut tx, user, Rule::TokenReuse, false).await?;
    let since = app.clock.now() - Duration::DAY;
    let times = store::count(&mut tx, user, Rule::TokenReuse, since).await?;
    tx.commit().await?;
    if times >= app.config.watch.max_token_reuses.into() {
        lock(app, user, Rule::TokenReuse).await
    } else {
        Ok(())
    }
}

/// Looks at an archive that has just been asked for.
pub async fn after_export(app: &App, user: UserId) -> Result<()> {
    let since = app.clock.now() - Duration::DAY;
    let asked = store::recent_exports(&mut *app.db.acquire().await?, user, since).await?;
    let is_much = asked > app.config.watch.max_exports.into();
    if is_much { lock(app, user, Rule::ExportBurst).await } else { Ok(()) }
}

/// Notes that somebody's password is guessed, once in a window of failures.
pub async fn after_guessing(app: &App, db: &mut PgConnection, user: UserId) -> Result<()> {
    let window = StdDuration::from_secs(app.config.auth.failure_window_s);
    let rule = Rule::PasswordGuessing;
    accounts::hold(db, user).await?;
    if store::count(db, user, rule, app.clock.now() - window).await? > 0 {
        return Ok(());
    }
    note(app, db, user, rule, false).await
}

async fn note(
    app: &App,
    db: &mut PgConnection,
    user: UserId,
    rule: Rule,
    is_locked: bool,
) -> Result<()> {
    let now = app.clock.now();
    tracing::warn!(user_id = %user, rule = rule.name(), is_locked, "an account is used unusually");
    store::insert(db, user, rule, is_locked, now).await?;
    let data = json!({"rule": rule.name(), "is_locked": is_locked});
    Ok(outbox::add(db, "account.used_unusually", Some(user), &data, now).await?)
}

/// Locks an account and logs all its devices out. Fails, since whoever asks may not go on.
async fn lock(app: &App, user: UserId, rule: Rule) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if let Some(email) = accounts::lock(&mut tx, user, now).await? {
        note(app, &mut tx, user, rule, true).await?;
        mail::queue(app, &mut tx, &email, Letter::AccountLocked).await?;
        let entry = Entry::new("account.locked").on(user).detail(json!({"rule": rule.name()}));
        audit::record(&mut tx, &entry, now).await?;
        tx.commit().await?;
    }
    app.forget(user);
    Err(Error::Barred("account_locked"))
}
