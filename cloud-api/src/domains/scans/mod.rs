//! Files that body scanners of the `InBody` kind export. What they measured becomes entries of body measures with the
//! source `scan`; the file itself is kept sealed. The same file twice is one scan.

mod column;
mod store;
mod table;
mod upload;

pub use store::contents;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(upload::upload_scan))
}
