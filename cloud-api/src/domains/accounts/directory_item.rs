//! `/admin/users/{id}`: read and change an account.

use super::directory_store::{self as store, Account};
use super::model::{Plan, Role, Status};
use super::{login_store, plain_text, roster};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::members;
use crate::http::{Caller, Error, IfNoneMatch, Json, Origin, Patch, Path, Problem, Result};
use crate::ids::{BranchId, UserId};
use axum::extract::State;
use axum::response::Response;
use garde::Validate;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// What an admin says of an account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct AccountChange {
    #[garde(length(chars, min = 1, max = 100), custom(plain_text))]
    #[schema(min_length = 1, max_length = 100, example = "Ada Lovelace")]
    pub name: String,
    #[garde(skip)]
    #[schema(inline)]
    pub role: Role,
    /// What is not `active` cannot be used, from now on.
    #[garde(skip)]
    #[schema(inline)]
    pub status: Status,
    #[garde(skip)]
    #[schema(inline)]
    pub plan: Plan,
    /// When the plan becomes the free one.
    #[garde(skip)]
    #[serde(with = "time::serde::rfc3339::option")]
    pub plan_ends_at: Option<OffsetDateTime>,
    /// Where a member of staff works.
    #[garde(length(max = 200))]
    #[schema(max_items = 200)]
    pub branch_ids: Vec<BranchId>,
}

impl Default for AccountChange {
    fn default() -> Self {
        Self {
            name: "-".to_owned(),
            role: Role::Member,
            status: Status::Active,
            plan: Plan::Free,
            plan_ends_at: None,
            branch_ids: Vec::new(),
        }
    }
}

/// Read an account.
#[utoipa::path(get, path = "/admin/users/{id}", tag = "admin",
    params(("id" = UserId, Path, description = "Id of the user")),
    security(("bearer" = ["read:users"])), responses(
    (status = 200, body = Account),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn read_user_account(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<UserId>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    known.answer(&store::one(&mut db, caller.organization, id).await?.ok_or(Error::NotFound)?)
}

/// Change an account; what is left out stays. It counts at once, also at branches where somebody works.
#[utoipa::path(put, path = "/admin/users/{id}", tag = "admin",
    params(("id" = UserId, Path, description = "Id of the user")),
    security(("bearer" = ["write:users"])), request_body = AccountChange, responses(
    (status = 200, body = Account),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`own_account`: nobody changes their own")))]
pub async fn update_user_account(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path(id): Path<UserId>,
    patch: Patch<AccountChange>,
) -> Result<Json<Account>> {
    let (organization, now) = (caller.organization, app.clock.now());
    let mut tx = app.db.begin().await?;
    let before = store::one(&mut tx, organization, id).await?.ok_or(Error::NotFound)?;
    if id == caller.user {
        return Err(Error::Conflict("own_account"));
    }
    let mut change = patch.applied_to(&before.said())?;
    if change.role != Role::Staff {
        change.branch_ids.clear();
    }
    store::update(&mut tx, organization, id, &change).await?;
    if change.status != Status::Active && change.status != before.status {
        login_store::end_all(&mut tx, id, None, "status_changed", now).await?;
    }
    if before.role.works() || change.role.works() {
        members::hold(&mut tx, organization).await?;
        roster::tell_everywhere(&mut tx, organization, id).await?;
    }
    let after = store::one(&mut tx, organization, id).await?.ok_or(Error::NotFound)?;
    let entry = Entry::asked("account.changed", &caller, &origin).on(id);
    audit::record(&mut tx, &entry.changed(&before, &after), now).await?;
    tx.commit().await?;
    app.forget(id);
    Ok(Json(after))
}
