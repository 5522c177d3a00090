//! Every route: one line per domain.

use crate::app::App;
use crate::domains::{
    accounts, body, branches, devices, edges, files, floor, joining, machines, members,
    organizations, privacy, realtime, scans, tags, telemetry, users, watch, workouts,
};
use crate::http::gate::{Rules, gate};
use crate::http::{layers, ops};
use crate::{openapi, pages};
use axum::Router;
use axum::middleware::from_fn_with_state;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

/// The whole service.
pub fn router(app: &App) -> Router {
    let (routes, document) = documented().split_for_parts();
    let document = openapi::complete(document);
    let rules = Rules::of(&document).expect("every route declares what it needs");
    let gate = from_fn_with_state((app.clone(), rules), gate);
    let routes = routes.layer(gate).with_state(app.clone());
    let routes = routes.merge(openapi::pages(&document)).merge(pages::router(app));
    layers::around(routes, app)
}

/// What the routes say of themselves, without serving them.
pub fn document() -> OpenApi {
    openapi::complete(documented().split_for_parts().1)
}

fn documented() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(openapi::preamble())
        .merge(ops::router())
        .merge(accounts::well_known())
        .nest("/api/v1", api())
        .nest("/edge/v1", edges::router())
}

fn api() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(accounts::router())
        .merge(machines::router())
        .merge(devices::router())
        .merge(edges::api())
        .merge(floor::router())
        .merge(tags::router())
        .merge(members::router())
        .merge(joining::router())
        .merge(organizations::router())
        .merge(branches::router())
        .merge(users::router())
        .merge(body::router())
        .merge(scans::router())
        .merge(files::router())
        .merge(privacy::router())
        .merge(watch::router())
        .merge(realtime::router())
        .merge(workouts::router())
        .merge(telemetry::router())
}
