//! What users tell about themselves. Accounts (logging in, roles) are another domain.

mod model;
mod profile;
mod store;

pub use model::{NewProfile, Profile};
pub use store::keep_profile;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(profile::read_profile))
}
