//! `/admin/tags`: list and make.

use super::model::{Tag, TagKind};
use super::store;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::domains::{branches, machines};
use crate::http::{
    Caller, Error, IdempotencyKey, IfNoneMatch, Json, Origin, Page, PageQuery, Place, Problem,
    Query, Result, Valid,
};
use crate::ids::{BranchId, DeviceId, TagId};
use anyhow::Context;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use garde::Validate;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// Which tags.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct TagFilter {
    /// Of this branch only.
    #[garde(skip)]
    pub branch_id: Option<BranchId>,
    /// Of this machine only.
    #[garde(skip)]
    pub machine_id: Option<DeviceId>,
}

/// What the tag is for.
#[derive(Debug, Deserialize, ToSchema, Validate)]
#[serde(deny_unknown_fields)]
pub struct NewTag {
    /// Where it will hang.
    #[garde(skip)]
    pub branch_id: BranchId,
    /// The machine that it will be on; left out, it is for the entrance.
    #[garde(skip)]
    pub machine_id: Option<DeviceId>,
    #[garde(skip)]
    #[schema(inline)]
    pub kind: TagKind,
}

/// List the labels and stickers of the caller's branches, the oldest first.
#[utoipa::path(get, path = "/admin/tags", tag = "machines", params(TagFilter, PageQuery),
    security(("bearer" = ["read:machines"])), responses(
    (status = 200, body = Page<Tag>),
    (status = 304, description = "the same as what `If-None-Match` names")))]
pub async fn list_tags(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<TagFilter>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    let (scope, after) = (caller.scope(), page.after()?);
    let (branch, machine) = (filter.branch_id, filter.machine_id);
    let tags = store::list(&mut db, scope, branch, machine, after, page.rows()).await?;
    let place = |tag: &Tag| Place { key: String::new(), id: tag.id.0 };
    known.answer(&Page::cut(tags, &page, place))
}

/// Make a label or sticker for an entrance or a machine.
#[utoipa::path(post, path = "/admin/tags", tag = "machines", params(IdempotencyKey),
    security(("bearer" = ["write:machines"])), request_body = NewTag, responses(
    (status = 201, body = Tag),
    (status = 404, body = Problem, content_type = "application/problem+json",
     description = "`not_found`: no such branch or machine in sight")))]
pub async fn create_tag(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    Valid(new): Valid<NewTag>,
) -> Result<(StatusCode, Json<Tag>)> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let branch = branches::visible(&mut tx, &caller, new.branch_id).await?;
    if let Some(id) = new.machine_id {
        let machine = machines::visible(&mut tx, &caller, id).await?;
        if machine.branch_id != branch.id {
            return Err(Error::NotFound);
        }
    }
    let tag = Tag {
        id: TagId::new(),
        branch_id: branch.id,
        machine_id: new.machine_id,
        kind: new.kind,
        token: token()?,
        created_at: now,
    };
    store::insert(&mut tx, &tag).await?;
    let entry = Entry::asked("tag.created", &caller, &origin).on(tag.id);
    audit::record(&mut tx, &entry, now).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(tag)))
}

/// 128 random bits.
pub(super) fn token() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).context("no random numbers")?;
    Ok(format!("gt_{}", URL_SAFE_NO_PAD.encode(bytes)))
}
