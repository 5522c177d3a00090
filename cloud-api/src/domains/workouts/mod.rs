//! What members did at machines: exercises with sets and efforts, records, and work that is nobody's; and what machines
//! without a gateway deliver themselves. A workout is worked out from stays, links, sets and samples whenever one of them
//! changes, and replaced as a whole: whatever comes late, twice or in another order, it is what there is to be known.

#![expect(unused_qualifications, reason = "utoipa's macro repeats the names of query types")]

mod best;
mod delivery;
mod delivery_store;
mod derive_store;
mod erase;
mod heart;
mod jobs;
mod model;
mod orphan;
mod orphan_store;
mod orphans;
mod own;
mod read_store;
mod record_store;
mod staff;
mod stale;
mod summary;
mod worker;
mod workout_data;

pub use erase::{hearts_of as erase_hearts, member as erase_member};
pub use jobs::ForgetDeliveries;
pub use stale::{Folded, mark_folded, mark_measured, mark_member, mark_since};
pub use worker::{run, settle_all};

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(workout_data::deliver_workout_data))
        .routes(routes!(own::list_machine_workouts))
        .routes(routes!(own::list_machine_records))
        .routes(routes!(own::read_machine_workout))
        .routes(routes!(own::erase_heart_rate))
        .routes(routes!(staff::list_branch_workouts))
        .routes(routes!(staff::read_branch_workout))
        .routes(routes!(orphans::list_workout_orphans))
        .routes(routes!(orphans::assign_workout_orphan))
        .routes(routes!(orphans::discard_workout_orphan))
}
