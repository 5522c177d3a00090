//! Raw telemetry as packed chunks, and its roll-ups. Chunks are stored as they were delivered and never
//! changed but for their dates; roll-ups of an hour are always computed from all chunks of that hour.

mod chunk;
mod jobs;
mod rollup;
mod rollup_store;
mod store;
mod worker;

pub use chunk::{Chunk, Unusable};
pub use jobs::{Redate, TidyPartitions};
pub use rollup::LOOK_BACK_MS;
pub use rollup_store::{Every, Point, series};
pub use store::{Delivery, insert_chunks};
pub use worker::{roll_up_all, run};
