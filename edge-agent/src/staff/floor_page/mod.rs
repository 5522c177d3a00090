//! `/floor`: who is inside, how many through the day, and what every machine does, as it happens.

mod day;
mod gallery;
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
use page_kit::told::Told;
use pieces::{Counts, Inside, Tile};
use std::time::Duration;

pub use gallery::Gallery;

/// The routes.
pub fn routes() -> Vec<Route> {
    let see = Needs::May(Permission::See);
    vec![Route::get("/floor", see, show), Route::get("/floor/live", see, live)]
}

#[derive(Template)]
#[template(path = "floor.html")]
struct View {
    layout: Layout,
    counts: Counts,
    inside: Inside,
    day: Day,
    tiles: Vec<Tile>,
}

async fn show(State(staff): State<Staff>, caller: Caller) -> Reply {
    let seen = staff.floor.look();
    let may_name = caller.role.may(Permission::SeeMembers);
    html(&View {
        counts: Counts::of(&seen),
        inside: Inside::of(&staff, may_name, &seen),
        day: Day::of(&staff, staff.watched.clock.wall_ms()),
        tiles: pieces::tiles(&staff, may_name, &seen),
        layout: Layout::of(&staff, &caller, "Floor", "/floor"),
    })
}

/// Only what has changed since it was told last; the pieces find their places by themselves.
async fn live(State(staff): State<Staff>, caller: Caller) -> Response {
    let (changed, of) = (staff.floor.watch(), staff.clone());
    let mut told = Told::default();
    let render = move || {
        let seen = of.floor.watch().borrow().clone();
        let pieces = of.gallery.of(&of, caller.role.may(Permission::SeeMembers), &seen);
        told.changed(&*pieces)
    };
    stream(staff, caller.session, Piece { event: "floor", changed, every: Duration::ZERO, render })
}
