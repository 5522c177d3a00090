//! `/console/branches/{id}`: a branch as it happens, what it was like, and what can be ordered there.

mod acts;
pub mod edge;
mod figures;
mod floor;
mod labels;
mod machine;
mod stay;

use super::Pages;
use super::guard::Who;
use super::layout::Layout;
use super::live::stream;
use super::overview::open_words;
use super::reply::{Refusal, Reply, html, piece};
use super::router::{Needs, Route};
use crate::domains::branches::{self, Branch};
use crate::domains::edges;
use crate::http::{Caller, Permission, Result};
use crate::ids::BranchId;
use askama::Template;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::Response;
use figures::Figures;
use floor::Floor;
use page_kit::told::Piece;
use protocol::access::BranchSettings;
use sqlx::PgConnection;
use time::Duration;

/// The routes.
pub fn routes() -> Vec<Route> {
    let see = Needs::May(Permission::ReadMachines);
    let people = Needs::May(Permission::ReadMembers);
    let end = Needs::May(Permission::WriteMembers);
    let act = Needs::May(Permission::WriteMachines);
    let run = Needs::May(Permission::WriteSettings);
    vec![
        Route::get("/console/branches/{id}", see, show),
        Route::get("/console/branches/{id}/live", see, live),
        Route::get("/console/branches/{id}/labels", see, labels::show),
        Route::get("/console/branches/{id}/machines/{code}", see, machine::show),
        Route::post("/console/branches/{id}/machines/{code}/out-of-use", act, acts::out_of_use),
        Route::post("/console/branches/{id}/machines/{code}/in-use", act, acts::in_use),
        Route::get("/console/branches/{id}/stays/{stay}", people, stay::show),
        Route::post("/console/branches/{id}/stays/{stay}/end", end, acts::end_stay),
        Route::post("/console/branches/{id}/restart", run, acts::restart),
        Route::post("/console/branches/{id}/enrol-code", run, acts::enrol_code),
    ]
}

/// A branch that somebody may see; others are not there for them.
struct Place {
    branch: Branch,
    settings: BranchSettings,
}

impl Place {
    async fn find(db: &mut PgConnection, caller: &Caller, id: BranchId) -> Result<Self> {
        let branch = branches::visible(db, caller, id).await?;
        let settings = branches::in_force(db, id, &branch.time_zone).await?;
        Ok(Self { branch, settings })
    }
}

#[derive(Template)]
#[template(path = "console/branch.html")]
struct View {
    layout: Layout,
    id: BranchId,
    hours: String,
    is_open: bool,
    counts: String,
    inside: String,
    edge: String,
    has_edge: bool,
    /// May give orders to the gateway.
    may_run: bool,
    /// Tiles by what machines are for.
    groups: Vec<(&'static str, Vec<String>)>,
    figures: Figures,
    troubles: Vec<[String; 5]>,
}

/// What went wrong so long ago is not told any more.
const TROUBLES: Duration = Duration::days(7);

async fn show(State(pages): State<Pages>, who: Who, Path(id): Path<BranchId>, uri: Uri) -> Reply {
    let (app, now) = (&pages.app, pages.app.clock.now());
    let mut db = app.db.acquire().await?;
    let place = Place::find(&mut db, &who.caller, id).await?;
    let zone = &place.settings.zone;
    let floor = Floor::read(app, &mut db, &who.caller, &place, false).await?;
    let figures = Figures::read(&mut db, &place, now).await?;
    let troubles = edges::troubles(&mut db, id, now - TROUBLES).await?;
    drop(db);
    edges::watch(app, [id]).await?;
    let (is_open, hours) = open_words(&place.settings, app.clock.now_ms());
    html(&View {
        layout: Layout::of(&who, place.branch.name.as_str()).after(&uri),
        id,
        hours,
        is_open,
        counts: piece(&floor.counts),
        inside: piece(&floor.inside),
        edge: piece(&floor.edge),
        has_edge: !floor.edge.lines.is_empty(),
        may_run: who.caller.has(Permission::WriteSettings),
        groups: floor.groups(),
        figures,
        troubles: edge::told(&troubles, zone),
    })
}

async fn live(State(pages): State<Pages>, who: Who, Path(id): Path<BranchId>) -> Reply {
    // Whoever may not see it is told so, and is not let wait.
    Place::find(&mut *pages.app.db.acquire().await?, &who.caller, id).await?;
    let of = pages.clone();
    let render = move |caller: Caller| -> futures_util::future::BoxFuture<'static, _> {
        let pages = of.clone();
        Box::pin(async move { pieces(&pages, &caller, id).await })
    };
    Ok::<Response, Refusal>(stream(pages, who, Box::new(render)))
}

async fn pieces(pages: &Pages, caller: &Caller, id: BranchId) -> Result<Vec<Piece>> {
    let app = &pages.app;
    edges::watch(app, [id]).await?;
    let mut db = app.db.acquire().await?;
    let place = Place::find(&mut db, caller, id).await?;
    Ok(Floor::read(app, &mut db, caller, &place, true).await?.pieces())
}
