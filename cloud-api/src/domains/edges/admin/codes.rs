//! `/admin/branches/{id}/enroll-codes`: codes that make an agent the edge of a branch, in the place of a former one.

use super::codes_store as store;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::branches;
use crate::domains::edges::make_enroll_code;
use crate::http::{
    Caller, Error, IdempotencyKey, IfNoneMatch, Json, Once, Origin, Page, Path, Result,
};
use crate::ids::{BranchId, EdgeId};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// A code, without what it says.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EnrollCodeRecord {
    pub id: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// When it enrolled an edge; then it is worth nothing more.
    #[serde(with = "time::serde::rfc3339::option")]
    pub used_at: Option<OffsetDateTime>,
    pub edge_id: Option<EdgeId>,
}

/// A code that was made: shown now and never again.
#[derive(Serialize, ToSchema)]
pub struct MadeEnrollCode {
    /// To be typed at the edge: `edge-agent enroll --cloud URL --code CODE`.
    #[schema(example = "01AB-CDEF-GHJ")]
    code: String,
    #[serde(flatten)]
    made: EnrollCodeRecord,
}

/// List enrolment codes of a branch, of the last month, the newest first.
#[utoipa::path(get, path = "/admin/branches/{id}/enroll-codes", tag = "admin",
    params(("id" = BranchId, Path, description = "Id of the branch")),
    security(("bearer" = ["read:platform"])), responses((status = 200, body = Page<EnrollCodeRecord>)))]
pub async fn list_enroll_codes(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<BranchId>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    branches::visible(&mut db, &caller, id).await?;
    known.answer(&Page::whole(store::codes(&mut db, id).await?))
}

/// Make a code that enrols one edge within the hour. The former edge of the branch is replaced then, not before.
#[utoipa::path(post, path = "/admin/branches/{id}/enroll-codes", tag = "admin",
    params(("id" = BranchId, Path, description = "Id of the branch"), IdempotencyKey),
    security(("bearer" = ["write:settings"])), responses((status = 201, body = MadeEnrollCode)))]
pub async fn create_enroll_code(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    once: Once,
    Path(id): Path<BranchId>,
) -> Result<(StatusCode, Json<MadeEnrollCode>)> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    branches::visible(&mut tx, &caller, id).await?;
    let code = make_enroll_code(&mut tx, id, now).await?;
    let made = store::codes(&mut tx, id).await?;
    let sha256 = code.sha256();
    let known = store::code_id(&mut tx, &sha256).await?;
    let made = made.into_iter().find(|made| made.id == known).ok_or(Error::NotFound)?;
    let entry = Entry::asked("enroll_code.created", &caller, &origin).on(known);
    audit::record(&mut tx, &entry, now).await?;
    once.commit(tx).await?;
    let code = code.to_string();
    Ok((StatusCode::CREATED, Json(MadeEnrollCode { code, made })))
}

/// Revoke a code that was not used. It is worth nothing from now on.
#[utoipa::path(delete, path = "/admin/branches/{id}/enroll-codes/{code_id}", tag = "admin",
    params(("id" = BranchId, Path, description = "Id of the branch"),
           ("code_id" = Uuid, Path, description = "Id of the code")),
    security(("bearer" = ["write:settings"])), responses((status = 204)))]
pub async fn revoke_enroll_code(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Path((id, code)): Path<(BranchId, Uuid)>,
) -> Result<StatusCode> {
    let mut tx = app.db.begin().await?;
    branches::visible(&mut tx, &caller, id).await?;
    if !store::revoke_code(&mut tx, id, code).await? {
        return Err(Error::NotFound);
    }
    let entry = Entry::asked("enroll_code.revoked", &caller, &origin).on(code);
    audit::record(&mut tx, &entry, app.clock.now()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
