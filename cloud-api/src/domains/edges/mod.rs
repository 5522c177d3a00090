//! Edge agents (`/edge/v1`): how they become known and prove themselves, what they report and what they are
//! told. An edge speaks for one branch, which its token decides; one start of one agent holds its key.

mod access_token;
pub mod admin;
mod assertion;
mod attempts;
mod batches;
mod caller;
mod change_store;
mod changes;
mod code;
mod commands;
mod enroll;
mod health;
mod health_store;
mod holder;
mod jobs;
mod key;
mod live;
mod live_store;
mod media;
mod polls;
mod qr;
pub mod registry;
mod schema;
mod signing;
mod silence;
mod silence_store;
mod state;
mod store;
mod token;
mod watch;

pub use attempts::EnrollAttempts;
pub use code::{EnrollCode, make_enroll_code};
pub use commands::{ExpireCommands, Order, answer_by, give_command};
pub use health::{Gap, HEARD_FOR, Health, Reject, Troubles, health, troubles};
pub use jobs::ForgetExpired;
pub use live::{LiveFloor, LiveView};
pub use polls::Polls;
pub use qr::{QrOrder, issue_qr};
pub use registry::{registry_changed, registry_changed_all, secret_setting_changed};
pub use signing::{retire_branch_key, rotate_branch_key};
pub use silence::WatchSilence;
pub use state::{run as share_live, save_live};
pub use watch::{Watched, watch};

use crate::app::App;
use axum::extract::DefaultBodyLimit;
use protocol::sync::batch::MAX_BATCH_COMPRESSED;
use protocol::sync::state::MAX_STATE_BYTES;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt};
use utoipa_axum::routes;

/// What operators see of edges.
pub fn api() -> OpenApiRouter<App> {
    admin::router().merge(commands::router())
}

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(enroll::enroll_edge))
        .routes(routes!(token::issue_edge_token))
        .routes(routes!(key::announce_edge_key))
        .routes(routes!(state::replace_edge_state).layer(DefaultBodyLimit::max(MAX_STATE_BYTES)))
        .routes(routes!(batches::apply_batch).layer(DefaultBodyLimit::max(MAX_BATCH_COMPRESSED)))
        .routes(
            routes!(batches::events::apply_events_ahead)
                .layer(DefaultBodyLimit::max(MAX_BATCH_COMPRESSED)),
        )
        .routes(routes!(changes::list_changes))
        .routes(routes!(commands::list_commands))
        .routes(routes!(commands::report_command_result))
}
