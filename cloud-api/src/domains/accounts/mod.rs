//! Who can log in: users with one role, staff with their branches, passwords and access tokens.
//! A user belongs to one organization; e-mail addresses are unique over all of them.

mod login;
mod model;
mod password;
mod store;
mod throttle;
mod token;

pub use model::{Email, NewUser, Role, Status, User};
pub use password::Passwords;
pub use store::{add_to_branch, insert};
pub use throttle::Throttle;
pub use token::Tokens;

use crate::app::App;
use crate::http::{Caller, Error, Result};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(login::log_in))
}

/// The user whom an access token names, as they are now: roles, branches and suspensions count at once.
pub async fn identify(app: &App, token: &str) -> Result<Caller> {
    let claims = app.tokens.verify(token, &app.keys.user_token, app.clock.now())?;
    let mut db = app.db.acquire().await?;
    let found = store::caller(&mut db, claims.user()).await?;
    let found = found.ok_or(Error::Unauthorized("invalid_token"))?;
    match found.status {
        Status::Active => Ok(found.caller),
        Status::Suspended => Err(Error::Unauthorized("account_suspended")),
        Status::Disabled => Err(Error::Unauthorized("account_disabled")),
    }
}
