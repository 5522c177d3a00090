//! Raw telemetry as packed chunks, and its roll-ups. Chunks are stored as they were delivered and never
//! changed but for their dates, erased heart rates, and that those of an hour become one; roll-ups of an hour are always computed from all chunks of that hour.

#![expect(unused_qualifications, reason = "utoipa's macro repeats the names of query types")]

mod chunk;
mod erasure;
mod export;
mod jobs;
mod measured;
mod merge;
mod rollup;
mod rollup_copy;
mod rollup_store;
mod store;
mod worker;

pub use chunk::{Chunk, Unusable};
pub use erasure::{Stretch, erase_heart_rates};
pub use jobs::{Redate, TidyPartitions};
pub use measured::{Measured, measured};
pub use merge::MergeChunks;
pub use rollup::LOOK_BACK_MS;
pub use rollup_store::{Every, Point, series};
pub use store::{Delivery, insert_chunks};
pub use worker::{roll_up_all, run};

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(export::export_telemetry))
}
