//! `/admin/{machines,readers,edges}/{id}/commands`: give an order, and see what came of it.

use super::asked::{
    self, Asking, CommandRecord, EDGES_KNOW, MACHINES_KNOW, NewCommand, OF_DEVICES, OF_EDGES,
    READERS_KNOW, Subject,
};
use crate::app::App;
use crate::domains::devices::{DeviceKind, machines, readers};
use crate::domains::edges::admin;
use crate::http::{
    Caller, IdempotencyKey, IfNoneMatch, Json, Once, Origin, Page, PageQuery, Path, Problem, Query,
    Result, Valid,
};
use crate::ids::{BranchId, CommandId, DeviceId, EdgeId};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use protocol::sync::commands::Target;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_machine_commands, give_machine_command))
        .routes(routes!(read_machine_command))
        .routes(routes!(list_reader_commands, give_reader_command))
        .routes(routes!(read_reader_command))
        .routes(routes!(list_edge_commands, give_edge_command))
        .routes(routes!(read_edge_command))
}

/// Order a machine to do something: `lock`, `unlock`, `reset`, `display`.
#[utoipa::path(post, path = "/admin/machines/{id}/commands", tag = "machines",
    params(("id" = DeviceId, Path, description = "Id of the machine"), IdempotencyKey),
    security(("bearer" = ["write:machines"])), request_body = NewCommand, responses(
    (status = 201, body = CommandRecord),
    (status = 422, body = Problem, content_type = "application/problem+json",
     description = "`validation_failed`, e.g. a command that machines do not know")))]
pub async fn give_machine_command(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    once: Once,
    Path(id): Path<DeviceId>,
    Valid(new): Valid<NewCommand>,
) -> Result<(StatusCode, Json<CommandRecord>)> {
    let mut tx = app.db.begin().await?;
    let setup = machines::visible(&mut tx, &caller, id).await?.setup;
    let target = target(DeviceKind::Machine, &setup.code)?;
    let subject = device(id, setup.branch_id, target, MACHINES_KNOW);
    let asking = Asking { app: &app, caller: &caller, origin: &origin };
    Ok((StatusCode::CREATED, Json(asked::ask(asking, tx, subject, new, once).await?)))
}

/// Order a reader to do something: `open` its door, `hold_open`, `lock`, `display`.
#[utoipa::path(post, path = "/admin/readers/{id}/commands", tag = "admin",
    params(("id" = DeviceId, Path, description = "Id of the reader"), IdempotencyKey),
    security(("bearer" = ["write:machines"])), request_body = NewCommand, responses(
    (status = 201, body = CommandRecord),
    (status = 422, body = Problem, content_type = "application/problem+json",
     description = "`validation_failed`, e.g. a command that readers do not know")))]
pub async fn give_reader_command(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    once: Once,
    Path(id): Path<DeviceId>,
    Valid(new): Valid<NewCommand>,
) -> Result<(StatusCode, Json<CommandRecord>)> {
    let mut tx = app.db.begin().await?;
    let setup = readers::visible(&mut tx, &caller, id).await?.setup;
    let target = target(DeviceKind::Reader, &setup.code)?;
    let subject = device(id, setup.branch_id, target, READERS_KNOW);
    let asking = Asking { app: &app, caller: &caller, origin: &origin };
    Ok((StatusCode::CREATED, Json(asked::ask(asking, tx, subject, new, once).await?)))
}

/// Order an edge to do something: `restart`, `update`, `diag` (tell how it is), `rotate_key`.
#[utoipa::path(post, path = "/admin/edges/{id}/commands", tag = "admin",
    params(("id" = EdgeId, Path, description = "Id of the edge"), IdempotencyKey),
    security(("bearer" = ["write:settings"])), request_body = NewCommand, responses(
    (status = 201, body = CommandRecord),
    (status = 422, body = Problem, content_type = "application/problem+json",
     description = "`validation_failed`, e.g. a command that edges do not know")))]
pub async fn give_edge_command(
    State(app): State<App>,
    caller: Caller,
    origin: Origin,
    once: Once,
    Path(id): Path<EdgeId>,
    Valid(new): Valid<NewCommand>,
) -> Result<(StatusCode, Json<CommandRecord>)> {
    let mut tx = app.db.begin().await?;
    let branch = admin::at_work(&mut tx, &caller, id).await?;
    let subject = Subject { id: id.0, branch, target: None, knows: EDGES_KNOW, ttl: OF_EDGES };
    let asking = Asking { app: &app, caller: &caller, origin: &origin };
    Ok((StatusCode::CREATED, Json(asked::ask(asking, tx, subject, new, once).await?)))
}

/// List what a machine was ordered, the newest first.
#[utoipa::path(get, path = "/admin/machines/{id}/commands", tag = "machines",
    params(("id" = DeviceId, Path, description = "Id of the machine"), PageQuery),
    security(("bearer" = ["read:machines"])), responses((status = 200, body = Page<CommandRecord>)))]
pub async fn list_machine_commands(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<DeviceId>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    machines::visible(&mut db, &caller, id).await?;
    known.answer(&asked::page(&mut db, id.0, &page).await?)
}

/// List what a reader was ordered, the newest first.
#[utoipa::path(get, path = "/admin/readers/{id}/commands", tag = "admin",
    params(("id" = DeviceId, Path, description = "Id of the reader"), PageQuery),
    security(("bearer" = ["read:machines"])), responses((status = 200, body = Page<CommandRecord>)))]
pub async fn list_reader_commands(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<DeviceId>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    readers::visible(&mut db, &caller, id).await?;
    known.answer(&asked::page(&mut db, id.0, &page).await?)
}

/// List what an edge was ordered, the newest first.
#[utoipa::path(get, path = "/admin/edges/{id}/commands", tag = "admin",
    params(("id" = EdgeId, Path, description = "Id of the edge"), PageQuery),
    security(("bearer" = ["read:machines"])), responses((status = 200, body = Page<CommandRecord>)))]
pub async fn list_edge_commands(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EdgeId>,
    Query(page): Query<PageQuery>,
    known: IfNoneMatch,
) -> Result<Response> {
    let mut db = app.db.acquire().await?;
    admin::visible(&mut db, &caller, id).await?;
    known.answer(&asked::page(&mut db, id.0, &page).await?)
}

/// Read what came of an order to a machine.
#[utoipa::path(get, path = "/admin/machines/{id}/commands/{command_id}", tag = "machines",
    params(("id" = DeviceId, Path, description = "Id of the machine"),
           ("command_id" = CommandId, Path, description = "Id of the command")),
    security(("bearer" = ["read:machines"])), responses((status = 200, body = CommandRecord)))]
pub async fn read_machine_command(
    State(app): State<App>,
    caller: Caller,
    Path((id, command)): Path<(DeviceId, CommandId)>,
) -> Result<Json<CommandRecord>> {
    let mut db = app.db.acquire().await?;
    machines::visible(&mut db, &caller, id).await?;
    Ok(Json(asked::one(&mut db, id.0, command).await?))
}

/// Read what came of an order to a reader.
#[utoipa::path(get, path = "/admin/readers/{id}/commands/{command_id}", tag = "admin",
    params(("id" = DeviceId, Path, description = "Id of the reader"),
           ("command_id" = CommandId, Path, description = "Id of the command")),
    security(("bearer" = ["read:machines"])), responses((status = 200, body = CommandRecord)))]
pub async fn read_reader_command(
    State(app): State<App>,
    caller: Caller,
    Path((id, command)): Path<(DeviceId, CommandId)>,
) -> Result<Json<CommandRecord>> {
    let mut db = app.db.acquire().await?;
    readers::visible(&mut db, &caller, id).await?;
    Ok(Json(asked::one(&mut db, id.0, command).await?))
}

/// Read what came of an order to an edge.
#[utoipa::path(get, path = "/admin/edges/{id}/commands/{command_id}", tag = "admin",
    params(("id" = EdgeId, Path, description = "Id of the edge"),
           ("command_id" = CommandId, Path, description = "Id of the command")),
    security(("bearer" = ["read:machines"])), responses((status = 200, body = CommandRecord)))]
pub async fn read_edge_command(
    State(app): State<App>,
    caller: Caller,
    Path((id, command)): Path<(EdgeId, CommandId)>,
) -> Result<Json<CommandRecord>> {
    let mut db = app.db.acquire().await?;
    admin::visible(&mut db, &caller, id).await?;
    Ok(Json(asked::one(&mut db, id.0, command).await?))
}

fn target(kind: DeviceKind, code: &str) -> Result<Target> {
    let code = code.parse().map_err(anyhow::Error::from)?;
    Ok(Target { kind: kind.into(), code })
}

fn device(
    id: DeviceId,
    branch: BranchId,
    target: Target,
    knows: &'static [asked::CommandName],
) -> Subject {
    Subject { id: id.0, branch, target: Some(target), knows, ttl: OF_DEVICES }
}
