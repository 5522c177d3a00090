//! `/taps`: who presented what where, and what was decided, as it happens.

mod acts;
mod rows;

use super::accounts::{Caller, Permission};
use super::app::Staff;
use super::layout::Layout;
use super::live::{Piece, stream};
use super::reply::{Reply, html};
use super::router::{Needs, Route};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use protocol::sync::entry::DeviceKind;
use rows::Row;
use std::time::Duration;

pub use rows::refusal;

/// The routes.
pub fn routes() -> Vec<Route> {
    let see = Needs::May(Permission::See);
    vec![
        Route::get("/taps", see, show),
        Route::get("/taps/live", see, live),
        Route::post("/taps/open-door", Needs::May(Permission::OpenDoor), acts::open_door),
        Route::post("/taps/code", Needs::May(Permission::Enrol), acts::present_code),
    ]
}

/// So many rows are shown.
const ROWS: usize = 60;
/// A rush at the door is shown this often.
const EVERY: Duration = Duration::from_millis(200);

#[derive(Template)]
#[template(path = "taps.html")]
struct View {
    layout: Layout,
    rows: Vec<Row>,
    /// Code and name.
    readers: Vec<(String, String)>,
    may_open: bool,
    may_present: bool,
}

#[derive(Template)]
#[template(path = "taps_rows.html")]
struct Rows {
    rows: Vec<Row>,
}

async fn show(State(staff): State<Staff>, caller: Caller) -> Reply {
    let rows = rows::newest(&staff, &caller, ROWS);
    let devices = staff.watched.registry.all();
    let readers = devices.iter().filter(|device| device.kind == DeviceKind::Reader);
    html(&View {
        rows,
        readers: readers.map(|one| (one.code.to_string(), one.name.clone())).collect(),
        may_open: caller.role.may(Permission::OpenDoor),
        may_present: caller.role.may(Permission::Enrol),
        layout: Layout::of(&staff, &caller, "Taps", "/taps"),
    })
}

async fn live(State(staff): State<Staff>, caller: Caller) -> Response {
    let (changed, of, session) = (staff.recent.taps_seen(), staff.clone(), caller.session);
    let render = move || Rows { rows: rows::newest(&of, &caller, ROWS) }.render().ok();
    stream(staff, session, Piece { event: "taps", changed, every: EVERY, render })
}
