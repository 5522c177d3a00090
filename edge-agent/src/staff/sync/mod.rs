//! `/sync`: what is on its way to the cloud, what went wrong, and how the gateway is.

mod state;

use super::accounts::{Caller, Permission};
use super::app::Staff;
use super::layout::Layout;
use super::live::{Piece, stream};
use super::reply::{Reply, html};
use super::router::{Needs, Route};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use page_kit::times;
use state::Group;
use std::time::Duration;

/// The routes.
pub fn routes() -> Vec<Route> {
    let see = Needs::May(Permission::See);
    vec![Route::get("/sync", see, show), Route::get("/sync/live", see, live)]
}

const EVERY: Duration = Duration::from_secs(2);

#[derive(Template)]
#[template(path = "sync.html")]
struct View {
    layout: Layout,
    groups: Vec<Group>,
    faults: Vec<Row>,
}

#[derive(Template)]
#[template(path = "sync_state.html")]
struct Groups {
    groups: Vec<Group>,
}

struct Row {
    at: String,
    kind: &'static str,
    device: String,
    words: String,
    count: u64,
}

async fn show(State(staff): State<Staff>, caller: Caller) -> Reply {
    let zone = staff.access.zone();
    let faults = staff.recent.faults().into_iter().map(|fault| Row {
        at: times::moment(&zone, fault.stamp.wall_ms),
        kind: fault.kind.words(),
        count: fault.count,
        device: fault
            .device
            .and_then(|device| staff.watched.registry.by_id(device))
            .map_or_else(String::new, |device| device.name.clone()),
        words: fault.words,
    });
    html(&View {
        faults: faults.collect(),
        groups: state::groups(&staff, &caller),
        layout: Layout::of(&staff, &caller, "Sync", "/sync"),
    })
}

async fn live(State(staff): State<Staff>, caller: Caller) -> Response {
    // The journal publishes its figures every second.
    let (changed, of, session) = (staff.watched.journal.stats(), staff.clone(), caller.session);
    let mut last = String::new();
    let render = move || {
        let html = Groups { groups: state::groups(&of, &caller) }.render().ok()?;
        let is_new = html != last;
        last.clone_from(&html);
        is_new.then_some(html)
    };
    stream(staff, session, Piece { event: "sync", changed, every: EVERY, render })
}
