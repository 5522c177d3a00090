//! `/users/account`: how the own account stands.

use super::store;
use crate::app::App;
use crate::domains::accounts::{Plan, Status};
use crate::domains::members;
use crate::http::{Caller, IfNoneMatch, Result};
use crate::ids::OrganizationId;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// How the own account stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnAccount {
    pub organization_id: OrganizationId,
    pub status: Status,
    pub plan: Plan,
    /// When the plan becomes the free one.
    #[serde(with = "time::serde::rfc3339::option")]
    pub plan_ends_at: Option<OffsetDateTime>,
    /// The number shown at doors; null while they are no member of the gym.
    #[schema(example = 1042)]
    pub member_no: Option<i64>,
    /// When it is erased, if they asked for it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub erased_at: Option<OffsetDateTime>,
}

/// Read how the own account stands.
#[utoipa::path(get, path = "/users/account", tag = "users", security(("bearer" = ["read:profile"])), responses(
    (status = 200, body = OwnAccount),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_account(
    State(app): State<App>,
    caller: Caller,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    let standing = store::standing(&mut db, caller.user, app.clock.now()).await?;
    let member = members::of_user(&mut db, caller.organization, caller.user).await?;
    known.answer(&OwnAccount {
        organization_id: caller.organization,
        status: standing.status,
        plan: standing.plan,
        plan_ends_at: standing.plan_ends_at,
        member_no: member.map(|member| member.member_no),
        erased_at: standing.erase_at,
    })
}
