//! `/members`: finding a member among fifty thousand, and what staff do for them by hand.

mod acts;
mod detail;
mod index;

use super::accounts::{Caller, Permission};
use super::app::Staff;
use super::layout::Layout;
use super::reply::{Reply, html};
use super::router::{Needs, Route};
use askama::Template;
use axum::extract::{Query, State};
use serde::Deserialize;

pub use index::Index;

/// The routes.
pub fn routes() -> Vec<Route> {
    let may = Needs::May;
    let (see, check_in) = (may(Permission::SeeMembers), may(Permission::CheckIn));
    let block = may(Permission::Block);
    vec![
        Route::get("/members", see, search),
        Route::get("/members/{id}", see, detail::show),
        Route::post("/members/{id}/check-in", check_in, acts::check_in),
        Route::post("/members/{id}/check-out", check_in, acts::check_out),
        Route::post("/members/{id}/machine", check_in, acts::machine),
        Route::post("/members/{id}/card", may(Permission::Enrol), acts::card),
        Route::post("/members/{id}/block", block, acts::block),
        Route::post("/members/{id}/unblock", block, acts::unblock),
    ]
}

/// So many are shown.
const SHOWN: usize = 25;

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    q: String,
}

#[derive(Template)]
#[template(path = "members.html")]
struct View {
    layout: Layout,
    query: String,
    total: usize,
    found: Vec<Row>,
    is_cut: bool,
}

struct Row {
    id: String,
    name: String,
    number: u64,
    look: &'static str,
    words: String,
}

async fn search(State(staff): State<Staff>, caller: Caller, Query(wanted): Query<Wanted>) -> Reply {
    let query: String = wanted.q.trim().chars().take(100).collect();
    let total = staff.watched.registry.roster().read().members();
    let mut found = Vec::new();
    if !query.is_empty() {
        let people = staff.index.current(&staff.watched.registry, &staff.watched.clock).await?;
        found = people.find(&query, SHOWN + 1);
    }
    let is_cut = found.len() > SHOWN;
    found.truncate(SHOWN);
    let seen = staff.floor.look();
    let rows = found.into_iter().map(|(id, number, name)| {
        let (look, words) = detail::words(&staff, &seen, id);
        Row { id: id.to_string(), name, number, look, words }
    });
    let found = rows.collect();
    let layout = Layout::of(&staff, &caller, "Members", "/members");
    html(&View { layout, query, total, found, is_cut })
}
