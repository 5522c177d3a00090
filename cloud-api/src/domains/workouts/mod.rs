//! What members did at machines.

mod delivery;
mod delivery_store;
mod jobs;
mod workout_data;

pub use jobs::ForgetDeliveries;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(workout_data::deliver_workout_data))
}
