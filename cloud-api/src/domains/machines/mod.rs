//! Machines as apps see them: which there are, whether they are free, what they measured. Members see those of branches
//! where they may train, staff those of their branches, admins all of their organization, and nobody a heart rate.

#![expect(unused_qualifications, reason = "utoipa's macro repeats the names of query types")]

mod availability;
mod beat;
mod beat_store;
mod collection;
mod condition;
mod item;
mod maintenance;
mod model;
mod now;
mod performance;
mod performance_store;
mod report_store;
mod sight;
mod state;
mod store;
mod telemetry;

pub use beat::MissBeats;
pub use condition::follow;
pub use model::{Availability, Machine};
pub use now::{MachineNow, now};
pub use performance::SumUpMachines;
pub use sight::Sight;
pub use state::MachineState;
pub use store::name;

use crate::app::App;
use crate::http::{Caller, Error, Result};
use crate::ids::DeviceId;
use sqlx::PgConnection;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(collection::list_machines))
        .routes(routes!(availability::read_availability))
        .routes(routes!(item::read_machine))
        .routes(routes!(performance::read_performance))
        .routes(routes!(beat::take_heartbeat))
        .routes(routes!(maintenance::report_maintenance))
        .routes(routes!(maintenance::list_machine_reports))
        .routes(routes!(telemetry::read_machine_telemetry))
}

/// Whether staff, members or the machine itself have put it out of use.
pub async fn is_out_of_use(db: &mut PgConnection, id: DeviceId) -> Result<bool> {
    Ok(beat_store::condition(db, id).await?.0)
}

/// A machine that the caller may see; others are not there for them.
pub async fn visible(db: &mut PgConnection, caller: &Caller, id: DeviceId) -> Result<Machine> {
    store::by_id(db, caller.scope(), id).await?.ok_or(Error::NotFound)
}
