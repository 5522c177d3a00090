//! `/floor`: who is inside, how many through the day, and what every machine does, as it happens.

mod day;
mod pieces;

use super::accounts::{Caller, Permission};
use super::app::Staff;
use super::layout::Layout;
use super::live::{Piece, stream};
use super::reply::{Reply, html};
use super::router::{Needs, Route};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use day::Day;
use pieces::{Inside, Pieces, Tile};
use std::time::Duration;

/// The routes.
pub fn routes() -> Vec<Route> {
    let see = Needs::May(Permission::See);
    vec![Route::get("/floor", see, show), Route::get("/floor/live", see, live)]
}

#[derive(Template)]
#[template(path = "floor.html")]
struct View {
    layout: Layout,
    inside: Inside,
    day: Day,
    tiles: Vec<Tile>,
    /// Only in what is told later: the pieces find their places by themselves.
    is_update: bool,
}

async fn show(State(staff): State<Staff>, caller: Caller) -> Reply {
    let seen = staff.floor.watch().borrow().clone();
    html(&View {
        inside: Inside::of(&staff, &caller, &seen),
        day: Day::of(&staff, staff.watched.clock.wall_ms()),
        tiles: pieces::tiles(&staff, &caller, &seen),
        layout: Layout::of(&staff, &caller, "Floor", "/floor"),
        is_update: false,
    })
}

/// Only what has changed since it was told last.
async fn live(State(staff): State<Staff>, caller: Caller) -> Response {
    let (changed, of, session) = (staff.floor.watch(), staff.clone(), caller.session);
    let mut pieces = Pieces::default();
    let render = move || {
        let seen = of.floor.watch().borrow().clone();
        pieces.changed(&of, &caller, &seen)
    };
    stream(staff, session, Piece { event: "floor", changed, every: Duration::ZERO, render })
}
