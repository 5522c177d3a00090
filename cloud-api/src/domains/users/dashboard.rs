//! `/users/dashboard`: how things stand for somebody right now, and what they can do.

use super::dashboard_store::{self as store, Standing};
use super::stats;
use super::streak::Streak;
use crate::app::App;
use crate::domains::{branches, members, watch};
use crate::http::{Caller, Error, IfNoneMatch, Result};
use crate::ids::{BranchId, DeviceId};
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use time::{Date, OffsetDateTime};
use utoipa::ToSchema;

time::serde::format_description!(date_format, Date, "[year]-[month]-[day]");
use date_format::option as day;

/// How things stand.
#[derive(Debug, Serialize, ToSchema)]
pub struct Dashboard {
    /// Where they are; null while they are in no branch.
    pub stay: Option<Stay>,
    /// The machine that is theirs; null without one.
    pub machine: Option<LinkedMachine>,
    /// The right that lasts longest of those that count today; null without one.
    pub membership: Option<Right>,
    pub streak_days: Streak,
    pub streak_weeks: Streak,
    pub last_measure: Option<Measured>,
    /// What was noticed about the account and they have not seen: `GET /users/security-events`.
    pub unread_security_notices: i64,
    /// What they can do now.
    pub actions: Vec<Action>,
}

/// A visit that goes on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Stay {
    pub branch_id: BranchId,
    #[schema(example = "Centre")]
    pub branch_name: String,
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

/// A machine that is lent to them.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkedMachine {
    pub id: DeviceId,
    #[schema(example = "Rower 1")]
    pub name: String,
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

/// A membership that counts today.
#[derive(Debug, Serialize, ToSchema)]
pub struct Right {
    /// All branches of the organization.
    pub is_everywhere: bool,
    /// The last day; null is without end.
    #[serde(with = "day")]
    #[schema(value_type = Option<String>, format = Date)]
    pub valid_until: Option<Date>,
    pub is_frozen: bool,
}

/// The newest entry of body measures.
#[derive(Debug, Serialize, ToSchema)]
pub struct Measured {
    #[serde(with = "date_format")]
    #[schema(value_type = String, format = Date)]
    pub measured_on: Date,
    pub weight_kg: Option<f64>,
}

/// Something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// `GET /users/qr`: they may come in.
    ShowDoorCode,
    /// `POST /users/credentials`: they have no card and no phone.
    AddCredential,
    /// `POST /users/branches/{id}`: they have no right anywhere.
    JoinBranch,
    /// `PUT /users/body-metrics`: nothing was measured today.
    AddMeasure,
    /// `POST /auth/resend-verification`: the address is not confirmed.
    ConfirmEmail,
    /// `POST /users/account/restore`: they asked to be erased, and can think better of it.
    KeepAccount,
    /// `POST /users/security-events/read`: there are some that they have not seen.
    ReadSecurityNotices,
}

/// Read how things stand.
#[utoipa::path(get, path = "/users/dashboard", tag = "users",
    security(("bearer" = ["read:profile", "read:progress"])), responses(
    (status = 200, body = Dashboard),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_dashboard(
    State(app): State<App>,
    caller: Caller,
    known: IfNoneMatch,
) -> Result<Response> {
    let (user, now) = (caller.user, app.clock.now());
    let mut db = app.db.acquire().await?;
    let member = members::of_user(&mut db, caller.organization, user).await?;
    let stay = store::stay(&mut db, user).await?;
    let today = branches::today(&mut db, stay.as_ref().map(|stay| stay.branch_id), now).await?;
    let stats = stats::stats(&mut db, user, now).await?;
    let standing = store::standing(&mut db, user).await?.ok_or(Error::NotFound)?;
    let membership = store::right(&mut db, user, today).await?;
    let last_measure = store::last_measure(&mut db, user).await?;
    let unread = watch::unread(&mut db, user).await?;
    let is_blocked = member.as_ref().is_some_and(|member| member.blocked_reason.is_some());
    let has_right = membership.as_ref().is_some_and(|right| !right.is_frozen);
    let measured_today = last_measure.as_ref().is_some_and(|last| last.measured_on >= today);
    let Standing { is_email_verified, can_keep, has_credential } = standing;
    let offers = [
        (Action::ReadSecurityNotices, unread > 0),
        (Action::KeepAccount, can_keep),
        (Action::ConfirmEmail, !is_email_verified),
        (Action::ShowDoorCode, has_right && !is_blocked),
        (Action::AddCredential, member.is_some() && !has_credential),
        (Action::JoinBranch, membership.is_none() && !is_blocked),
        (Action::AddMeasure, !measured_today),
    ];
    known.answer(&Dashboard {
        stay,
        machine: store::machine(&mut db, user).await?,
        membership,
        streak_days: stats.streak_days,
        streak_weeks: stats.streak_weeks,
        last_measure,
        unread_security_notices: unread,
        actions: offers.into_iter().filter(|(_, is_due)| *is_due).map(|(act, _)| act).collect(),
    })
}
