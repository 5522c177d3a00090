//! The floor for apps and staff: come and go, take a machine, wait for it, and what was. What somebody wants is asked of
//! the branch; what `sessions` has folded is read here and never written.

#![expect(unused_qualifications, reason = "utoipa's macro repeats the names of query types")]

mod analytics;
mod analytics_store;
mod ask;
mod current;
mod end;
mod history;
mod hours;
mod link;
mod model;
mod present;
mod queue;
mod start;
mod store;
mod use_store;

pub use analytics::{HourOfWeek, SessionAnalytics, of_span};
pub use analytics_store::{HourOfDay, Span, hour_now, hours_of_day};
pub use ask::ask;
pub use hours::SumUp;
pub use model::{Certainty, PresentSession};
pub use present::PresentFilter;
pub use store::present;
pub use use_store::{Hold, Use, holds, inside_by_branch, use_of_machines};

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(start::start_session))
        .routes(routes!(end::end_session))
        .routes(routes!(current::read_current_session))
        .routes(routes!(history::list_past_sessions))
        .routes(routes!(present::list_sessions))
        .routes(routes!(analytics::read_session_analytics))
        .routes(routes!(link::link_machine))
        .routes(routes!(link::unlink_machine))
        .routes(routes!(queue::read_queue, queue::join_queue, queue::leave_queue))
}
