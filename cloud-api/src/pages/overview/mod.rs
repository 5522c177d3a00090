//! `/console`: all branches that somebody may see on one screen, as it happens.

mod board;
mod card;

pub use board::Board;
pub use card::{Machines, open_words};

use super::Pages;
use super::guard::Who;
use super::layout::Layout;
use super::live::stream;
use super::reply::{Reply, html, piece};
use super::router::{Needs, Route};
use crate::http::{Caller, Permission, Result};
use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use card::{Card, Rank};
use page_kit::form::in_query;
use page_kit::told::Piece;
use serde::Deserialize;
use std::sync::Arc;

/// The routes.
pub fn routes() -> Vec<Route> {
    let see = Needs::May(Permission::ReadMachines);
    vec![Route::get("/console", see, show), Route::get("/console/live", see, live)]
}

/// Which branches, and in which order.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    q: String,
    sort: Sort,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sort {
    /// What needs somebody first.
    #[default]
    Alerts,
    Name,
    /// The fullest first.
    Inside,
}

impl Sort {
    const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Alerts, "alerts", "What needs somebody first"),
        (Self::Name, "name", "By name"),
        (Self::Inside, "inside", "The fullest first"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(sort, ..)| *sort == self).map_or("", |(_, word, _)| word)
    }
}

#[derive(Template)]
#[template(path = "console/overview.html")]
struct View {
    layout: Layout,
    query: String,
    sort: Sort,
    /// Where the stream of what is shown is.
    live: String,
    has_branches: bool,
    is_admin: bool,
    sums: String,
    cards: Vec<Arc<Card>>,
}

#[derive(Template)]
#[template(path = "console/sums.html")]
struct Sums {
    branches: usize,
    alerts: usize,
    inside: i64,
    in_use: usize,
    free: usize,
    not_usable: usize,
    is_update: bool,
}

impl Sums {
    fn of(cards: &[Arc<Card>], is_update: bool) -> Self {
        let now = || cards.iter().map(|card| &card.now);
        Self {
            branches: cards.len(),
            alerts: now().filter(|now| now.rank() != Rank::Fine).count(),
            inside: now().map(|now| now.inside).sum(),
            in_use: now().map(|now| now.machines.in_use).sum(),
            free: now().map(|now| now.machines.free).sum(),
            not_usable: now().map(|now| now.machines.out_of_order).sum(),
            is_update,
        }
    }
}

impl Wanted {
    fn keeps(&self, card: &Card) -> bool {
        card.now.name.to_lowercase().contains(&self.q.trim().to_lowercase())
    }

    fn ordered(&self, mut cards: Vec<Arc<Card>>) -> Vec<Arc<Card>> {
        match self.sort {
            Sort::Alerts => cards.sort_by_key(|card| card.now.rank()),
            Sort::Name => {}
            Sort::Inside => cards.sort_by_key(|card| -card.now.inside),
        }
        cards
    }
}

async fn show(State(pages): State<Pages>, who: Who, Query(wanted): Query<Wanted>) -> Reply {
    let cards = seen(&pages, &who.caller).await?;
    let (has_branches, sums) = (!cards.is_empty(), piece(&Sums::of(&cards, false)));
    let kept = cards.into_iter().filter(|card| wanted.keeps(card)).collect();
    let live = format!("/console/live?q={}&sort={}", in_query(&wanted.q), wanted.sort.word());
    html(&View {
        layout: Layout::of(&who, "Branches"),
        live,
        has_branches,
        is_admin: who.caller.is_admin(),
        sums,
        cards: wanted.ordered(kept),
        query: wanted.q,
        sort: wanted.sort,
    })
}

/// The cards of the branches that somebody may see, by name.
async fn seen(pages: &Pages, caller: &Caller) -> Result<Vec<Arc<Card>>> {
    let cards = pages.board.cards(&pages.app, caller.organization).await?;
    let own = cards.iter().filter(|card| caller.sees(caller.organization, card.now.id));
    Ok(own.cloned().collect())
}

/// What changes of the cards that are shown; the order stays until the page is loaded again.
async fn live(State(pages): State<Pages>, who: Who, Query(wanted): Query<Wanted>) -> Response {
    let of = pages.clone();
    let render = move |caller: Caller| -> futures_util::future::BoxFuture<'static, _> {
        let (pages, wanted) = (of.clone(), wanted.clone());
        Box::pin(async move {
            let cards = seen(&pages, &caller).await?;
            let sums = piece(&Sums::of(&cards, true));
            let sums = Piece { name: "sums".into(), html: sums.into() };
            let kept = cards.iter().filter(|card| wanted.keeps(card));
            Ok(std::iter::once(sums).chain(kept.map(|card| card.piece.clone())).collect())
        })
    };
    stream(pages, who, Box::new(render))
}
