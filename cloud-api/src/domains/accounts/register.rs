//! `/auth/register`: somebody makes an account for themselves.

use super::mail_token::{self, Purpose};
use super::model::{Email, NewUser, Role};
use super::password;
use super::session::{self, Device, Entrant, LoggedIn};
use super::{Plan, store};
use crate::app::App;
use crate::audit;
use crate::domains::organizations;
use crate::domains::users::{self, NewProfile};
use crate::events::outbox;
use crate::http::{
    Error, IdempotencyKey, Json, OnConstraint, Once, Origin, Problem, Result, Valid, parse,
};
use crate::ids::OrganizationId;
use crate::outside::mail::{self, Letter};
use axum::extract::State;
use axum::http::StatusCode;
use garde::Validate;
use serde::Deserialize;
use serde_json::json;
use sqlx::PgConnection;
use utoipa::ToSchema;

/// What somebody tells to get an account.
#[derive(Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// To log in with, and where letters go.
    #[garde(length(chars, min = 3, max = 254))]
    #[schema(min_length = 3, max_length = 254, example = "ada@example.com")]
    pub email: String,
    /// Not one that can be guessed.
    #[garde(length(chars, min = 8, max = 128))]
    #[schema(min_length = 8, max_length = 128, format = Password, example = "marble otter sings 7 tangos")]
    pub password: String,
    /// Shown to others.
    #[garde(length(chars, min = 1, max = 100), custom(password::plain_text))]
    #[schema(min_length = 1, max_length = 100, example = "Ada Lovelace")]
    pub name: String,
    /// The gym operator; may be left out where there is only one.
    #[garde(skip)]
    pub organization_id: Option<OrganizationId>,
    /// What is used to log in.
    #[garde(dive)]
    pub device: Option<Device>,
    /// The longer form: the profile at once.
    #[garde(dive)]
    pub profile: Option<NewProfile>,
}

/// Make an account, and log in with it. A letter asks to confirm the address.
#[utoipa::path(post, path = "/auth/register", tag = "accounts", security(()), params(IdempotencyKey),
    request_body = Registration, responses(
    (status = 201, body = LoggedIn),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`email_taken`"),
    (status = 422, body = Problem, content_type = "application/problem+json",
     description = "among others a `weak` password, and an `organization_id` that is `unknown` or `required`")))]
pub async fn register(
    State(app): State<App>,
    origin: Origin,
    once: Once,
    Valid(new): Valid<Registration>,
) -> Result<(StatusCode, Json<LoggedIn>)> {
    let email: Email = parse("email", &new.email)?;
    password::check_strength("password", &new.password, &[email.as_str(), &new.name]).await?;
    let hash = app.passwords.hash(new.password.clone()).await?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let organization = operator(&mut tx, new.organization_id).await?;
    let name = new.name.trim().to_owned();
    let password_hash = Some(hash);
    let user = NewUser { organization, email, name, role: Role::Member, password_hash };
    let user = store::insert_pending(&mut tx, &user, now)
        .await
        .on_constraint("users_email_key", || Error::Conflict("email_taken"))?;
    if let Some(profile) = &new.profile {
        profile.check(now.date())?;
        users::keep_profile(&mut tx, user.id, profile, now).await?;
    }
    let entry = audit::Entry::new("account.registered").by(user.id).of(organization);
    audit::record(&mut tx, &entry.on(user.id).from(&origin), now).await?;
    outbox::add(&mut tx, "account.registered", Some(user.id), &json!({}), now).await?;
    let link = mail_token::link(&app, &mut tx, user.id, Purpose::VerifyEmail, &user.email).await?;
    let letter = Letter::VerifyEmail { name: user.name.clone(), link };
    mail::queue(&app, &mut tx, &user.email, letter).await?;
    let who = Entrant { user, plan: Plan::Free };
    let logged_in = session::open(&app, &mut tx, who, new.device.as_ref(), &origin).await?;
    once.commit(tx).await?;
    Ok((StatusCode::CREATED, Json(logged_in)))
}

/// The operator who was named, or the only one.
pub async fn operator(
    db: &mut PgConnection,
    named: Option<OrganizationId>,
) -> Result<OrganizationId> {
    let found = match named {
        Some(id) => organizations::exists(db, id).await?.then_some(id),
        None => organizations::only(db).await?.map(|organization| organization.id),
    };
    let (code, message) = match named {
        Some(_) => ("unknown", "there is no such operator"),
        None => ("required", "has to be named"),
    };
    let field = "organization_id";
    found.ok_or_else(|| Error::Field { field, code, message: message.to_owned() })
}
