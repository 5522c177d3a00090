//! `/taps`: who presented what where, and what was decided, as it happens.

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
use rows::Row;
use std::time::Duration;

/// The routes.
pub fn routes() -> Vec<Route> {
    let see = Needs::May(Permission::See);
    vec![Route::get("/taps", see, show), Route::get("/taps/live", see, live)]
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
}

#[derive(Template)]
#[template(path = "taps_rows.html")]
struct Rows {
    rows: Vec<Row>,
}

async fn show(State(staff): State<Staff>, caller: Caller) -> Reply {
    let rows = rows::newest(&staff, &caller, ROWS);
    html(&View { layout: Layout::of(&staff, &caller, "Taps", "/taps"), rows })
}

async fn live(State(staff): State<Staff>, caller: Caller) -> Response {
    let (changed, of, session) = (staff.recent.taps_seen(), staff.clone(), caller.session);
    let render = move || Rows { rows: rows::newest(&of, &caller, ROWS) }.render().ok();
    stream(staff, session, Piece { event: "taps", changed, every: EVERY, render })
}
