//! Who can log in: users with one role, staff with their branches, passwords and access tokens.
//! A user belongs to one organization; e-mail addresses are unique over all of them.

mod login;
mod model;
mod password;
mod roster;
mod store;
mod throttle;
mod token;

pub use model::{Email, NewUser, Role, Status, User};
pub use password::Passwords;
pub use roster::tell_branch;
pub use throttle::Throttle;
pub use token::Tokens;

use crate::app::App;
use crate::domains::{members, organizations};
use crate::http::{Caller, Error, Result};
use crate::ids::{BranchId, UserId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(login::log_in))
}

/// Makes a user. Branches are told of admins at once, of staff when they are added to the branch.
pub async fn insert(db: &mut PgConnection, new: &NewUser, now: OffsetDateTime) -> Result<User> {
    members::hold(db, new.organization).await?;
    let user = store::insert(db, new, now).await?;
    if user.role == Role::Admin {
        for branch in organizations::branches(db, new.organization).await? {
            roster::tell_of(db, branch, user.id).await?;
        }
    }
    Ok(user)
}

/// Lets a member of staff work at a branch, which is told.
pub async fn add_to_branch(
    db: &mut PgConnection,
    user: UserId,
    branch: BranchId,
) -> anyhow::Result<()> {
    store::add_to_branch(db, user, branch).await?;
    roster::tell_of(db, branch, user).await
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
