//! `/admin/branches/{id}/labels` and `labels.pdf`: labels for all that has none, and sheets to print.

use super::model::{Tag, TagKind};
use super::sheet::{self, Grid};
use super::{collection, store};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::branches;
use crate::http::{Caller, IdempotencyKey, Json, Once, Origin, Path, Query, Result};
use crate::ids::{BranchId, TagId};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How the sheet looks.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct SheetQuery {
    /// Labels beside each other.
    #[garde(range(min = 1, max = 6))]
    #[param(minimum = 1, maximum = 6, default = 3)]
    pub columns: Option<u8>,
    /// Labels above each other.
    #[garde(range(min = 1, max = 10))]
    #[param(minimum = 1, maximum = 10, default = 5)]
    pub rows: Option<u8>,
}

/// How many labels were made.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeLabels {
    #[schema(example = 12)]
    made: usize,
}

/// Make a printed label for the entrance and each machine of a branch that has none.
#[utoipa::path(post, path = "/admin/branches/{id}/labels", tag = "machines",
    params(("id" = BranchId, Path, description = "Id of the branch"), IdempotencyKey),
    security(("bearer" = ["write:machines"])), responses((status = 201, body = MadeLabels)))]
pub async fn make_labels(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    once: Once,
    Path(id): Path<BranchId>,
) -> Result<(StatusCode, Json<MadeLabels>)> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    branches::visible(&mut tx, &caller, id).await?;
    let bare = store::without_label(&mut tx, id).await?;
    for machine_id in &bare {
        let (machine_id, token) = (*machine_id, collection::token()?);
        let (tag, kind) = (TagId::new(), TagKind::Qr);
        let tag = Tag { id: tag, branch_id: id, machine_id, kind, token, created_at: now };
        store::insert(&mut tx, &tag).await?;
    }
    let entry = Entry::asked("tag.labels_made", &caller, &origin).on(id);
    let entry = entry.detail(serde_json::json!({ "made": bare.len() }));
    audit::record(&mut tx, &entry, now).await?;
    once.commit(tx).await?;
    Ok((StatusCode::CREATED, Json(MadeLabels { made: bare.len() })))
}

/// Get the printed labels of a branch as a PDF: sheets of A4 with codes, and below each what it is for.
#[utoipa::path(get, path = "/admin/branches/{id}/labels.pdf", tag = "machines",
    params(("id" = BranchId, Path, description = "Id of the branch"), SheetQuery),
    security(("bearer" = ["read:machines"])), responses(
    (status = 200, content_type = "application/pdf", body = Vec<u8>)))]
pub async fn read_labels(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<BranchId>,
    Query(query): Query<SheetQuery>,
) -> Result<impl IntoResponse> {
    let mut db = app.db.acquire().await?;
    let branch = branches::visible(&mut db, &caller, id).await?;
    let labels = store::labels(&mut db, id, &branch.name).await?;
    drop(db);
    let grid = Grid { columns: query.columns.unwrap_or(3), rows: query.rows.unwrap_or(5) };
    let headers = [(header::CONTENT_TYPE, "application/pdf"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, sheet::pdf(&labels, grid)?))
}
