//! Joining a branch by the app, and leaving it. Where the branch is open, whoever asks is a member at once; elsewhere staff
//! agree first. Contracts that staff made are not left by the app.

mod approve;
mod branches;
mod decline;
mod item;
mod join;
mod model;
mod requests;
mod store;

pub use model::Joining;
pub use store::set;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(branches::list_branches))
        .routes(routes!(branches::list_own_branches))
        .routes(routes!(item::join_branch, item::leave_branch))
        .routes(routes!(requests::list_join_requests))
        .routes(routes!(approve::approve_join_request))
        .routes(routes!(decline::decline_join_request))
}
