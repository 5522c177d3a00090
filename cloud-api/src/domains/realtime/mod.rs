//! What happens, told live: a hub over `WebSockets` and server-sent events. Events come from the log (`events::log`), in its
//! order on every instance; values that are only of now (measurements, who is online) go by the relay and are not kept.
//!
//! - Somebody who subscribes hears how things stand, then every change after it; who goes on after an event misses none
//!   and hears none twice.
//! - Rights are looked at when somebody subscribes and whenever they change; who may not listen any more is told so.
//! - An event is made into bytes once, and every queue has a bound.

#![expect(unused_qualifications, reason = "utoipa's macro repeats the names of query types")]

mod asyncapi;
mod client;
mod events;
mod feed;
mod frame;
mod hub;
pub mod machines;
pub mod page;
mod presence;
mod said;
mod snapshot;
mod socket;
mod store;
mod subscribe;
mod sweep;
mod topic;
mod workouts;

pub use asyncapi::document as asyncapi;
pub use hub::Hub;
pub use workouts::{Followed, measured};

use crate::app::App;
use tokio::task::JoinSet;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(socket::handshake::open_socket))
        .routes(routes!(socket::handshake::open_machines_socket))
        .routes(routes!(socket::handshake::open_workouts_socket))
        .routes(routes!(events::follow_events))
}

/// What an instance that answers does for those who listen.
pub fn run(app: &App, tasks: &mut JoinSet<anyhow::Result<()>>) {
    tasks.spawn(feed::run(app.clone()));
    tasks.spawn(presence::run(app.clone()));
    tasks.spawn(workouts::run(app.clone()));
    tasks.spawn(sweep::run(app.clone()));
    tasks.spawn(sweep::follow_rights(app.clone()));
}
