//! Who can log in: users with one role, staff with their branches, passwords, logins and their tokens.
//! A user belongs to one organization; e-mail addresses are unique over all of them.

#![expect(unused_qualifications, reason = "utoipa's macro repeats the names of query types")]

pub mod browser;
mod browser_store;
mod callers;
mod change_password;
mod directory;
mod directory_end;
mod directory_item;
mod directory_store;
mod external;
mod factor;
mod factor_store;
mod federated;
mod forgot_password;
mod guessing;
mod identity_store;
mod jobs;
mod jwks;
mod login;
mod login_store;
mod logout;
mod mail_token;
mod mail_token_store;
mod model;
mod password;
mod redirect;
mod redirect_state;
mod refresh;
mod register;
mod reset_password;
mod roster;
mod sealed_email;
mod second_factor;
mod session;
mod sessions;
mod sign_in_code;
mod store;
mod throttle;
mod token;
mod verify_email;
mod work;

pub use callers::Callers;
pub use forgot_password::WriteTo;
pub use guessing::NoteGuessing;
pub use jobs::ForgetLogins;
pub use login::Credentials;
pub use model::{Email, NewUser, Plan, Role, Status, User};
pub use password::{Passwords, plain_text, text_block};
pub use roster::{tell_branch, tell_everywhere};
pub use store::hold;
pub use throttle::Throttle;
pub use token::{Tokens, Verified};
pub use work::{Worker, put_to_work, take_from_work, workers};

use crate::app::App;
use crate::domains::{members, organizations};
use crate::http::{Caller, ClientAddress, Error, Result};
use crate::ids::{BranchId, UserId};
use sqlx::PgConnection;
use time::OffsetDateTime;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(register::register))
        .routes(routes!(login::log_in))
        .routes(routes!(refresh::refresh_tokens))
        .routes(routes!(logout::log_out))
        .routes(routes!(sessions::list_logins))
        .routes(routes!(sessions::end_login))
        .routes(routes!(verify_email::verify_email))
        .routes(routes!(forgot_password::resend_verification))
        .routes(routes!(forgot_password::forgot_password))
        .routes(routes!(reset_password::reset_password))
        .routes(routes!(change_password::change_password))
        .routes(routes!(change_password::change_email))
        .routes(routes!(redirect::go_to_google, federated::sign_in_with_google))
        .routes(routes!(redirect::come_back_from_google))
        .routes(routes!(redirect::go_to_apple, federated::sign_in_with_apple))
        .routes(routes!(redirect::follow_back_from_apple, redirect::come_back_from_apple))
        .routes(routes!(sign_in_code::exchange_code))
        .routes(routes!(second_factor::begin_second_factor))
        .routes(routes!(second_factor::confirm_second_factor))
        .routes(routes!(second_factor::disable_second_factor))
        .routes(routes!(directory::list_accounts))
        .routes(routes!(
            directory_item::read_user_account,
            directory_item::update_user_account,
            directory_end::end_user_account
        ))
        .routes(routes!(directory_end::restore_user_account))
}

/// What has no version: it is found by its name.
pub fn well_known() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(jwks::read_keys))
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

/// The user whom an access token names, as they are now: roles, branches, logouts and suspensions count at once.
pub async fn identify(app: &App, token: &str, from: Option<ClientAddress>) -> Result<Caller> {
    Ok(sign_in(app, token, from).await?.1)
}

/// The same, with what the token says, for who stays.
pub async fn sign_in(
    app: &App,
    token: &str,
    from: Option<ClientAddress>,
) -> Result<(Verified, Caller)> {
    let verified = match app.tokens.known(token, app.clock.now()) {
        Some(known) => known,
        None => Box::pin(verify(app, token, from)).await?,
    };
    Ok((verified, still(app, verified).await?))
}

/// Who showed a token a while ago, as they are now.
pub async fn still(app: &App, verified: Verified) -> Result<Caller> {
    let found = app.callers.find(app, verified).await?;
    let found = found.ok_or(Error::Unauthorized("token_revoked"))?;
    admit(app, found.status)?;
    Ok(found.caller)
}

async fn verify(app: &App, token: &str, from: Option<ClientAddress>) -> Result<Verified> {
    if let Some(verified) = external::verify(app, token, from).await? {
        return Ok(verified);
    }
    let keys = app.keys.user_token_for(app, token).await;
    app.tokens.verify(token, &keys, app.clock.now())
}

/// Locks an account and logs all its devices out; its address, or none if it is not in use.
pub async fn lock(
    db: &mut PgConnection,
    user: UserId,
    now: OffsetDateTime,
) -> sqlx::Result<Option<String>> {
    let email = store::lock(db, user).await?;
    if email.is_some() {
        login_store::end_all(db, user, None, "locked", now).await?;
    }
    Ok(email)
}

/// Refuses whoever may not use their account.
fn admit(app: &App, status: Status) -> Result<()> {
    match status {
        Status::Active => Ok(()),
        Status::Pending if !app.config.auth.require_verified_email => Ok(()),
        Status::Pending => Err(Error::Barred("email_not_verified")),
        Status::Locked => Err(Error::Barred("account_locked")),
        Status::Suspended => Err(Error::Barred("account_suspended")),
        Status::Disabled => Err(Error::Barred("account_disabled")),
    }
}
