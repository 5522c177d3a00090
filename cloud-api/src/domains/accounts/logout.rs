//! `/auth/logout`: ends this login, or all.

use super::login_store;
use crate::app::App;
use crate::audit;
use crate::http::{Caller, Origin, Result, Valid};
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

/// What is to end.
#[derive(Debug, Default, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Logout {
    /// All logins, not only this one.
    #[garde(skip)]
    #[serde(default)]
    #[schema(required = false, default = false)]
    pub all_devices: bool,
}

/// Log out: the tokens of this login, or of all, are worth nothing from now on.
#[utoipa::path(post, path = "/auth/logout", tag = "accounts", security(("bearer" = [])),
    request_body = Logout, responses((status = 204)))]
pub async fn log_out(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Valid(logout): Valid<Logout>,
) -> Result<StatusCode> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if logout.all_devices {
        login_store::end_all(&mut tx, caller.user, None, "logged_out", now).await?;
    } else {
        login_store::end(&mut tx, caller.user, caller.login, "logged_out", now).await?;
    }
    let entry = audit::Entry::new("login.ended").by(caller.user).of(caller.organization);
    let entry = entry.on(caller.login).from(&origin);
    audit::record(&mut tx, &entry.detail(json!({"all": logout.all_devices})), now).await?;
    tx.commit().await?;
    app.forget(caller.user);
    Ok(StatusCode::NO_CONTENT)
}
