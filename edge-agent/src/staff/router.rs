//! The table of all routes, each with what it needs. A route cannot be made without saying so.

use super::accounts::Permission;
use super::app::Staff;
use super::guard::{self, Gate};
use super::{devices, enrolment, first_start, floor_page, layers, machines, members};
use super::{settings, sign_in, sync, taps, work};
use axum::Router;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::{self, MethodRouter};
use page_kit::assets;

/// What somebody needs to be let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: whoever reaches the port.
    Nothing,
    /// To be signed in.
    SignIn,
    /// To be signed in with a role that may do this.
    May(Permission),
}

/// How a route is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// It shows something.
    Get,
    /// It does something.
    Post,
}

/// One route.
pub struct Route {
    /// GET or POST; nothing else is served.
    pub verb: Verb,
    /// Its path.
    pub path: &'static str,
    /// What it needs.
    pub needs: Needs,
    handler: MethodRouter<Staff>,
}

impl Route {
    /// Shows something and changes nothing.
    pub fn get<H, T>(path: &'static str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, Staff>,
        T: 'static,
    {
        Self { verb: Verb::Get, path, needs, handler: routing::get(handler) }
    }

    /// Does something; the guard looks at where it comes from.
    pub fn post<H, T>(path: &'static str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, Staff>,
        T: 'static,
    {
        Self { verb: Verb::Post, path, needs, handler: routing::post(handler) }
    }
}

/// Every route of the page.
pub fn routes() -> Vec<Route> {
    let assets = Route {
        verb: Verb::Get,
        path: assets::ROUTE,
        needs: Needs::Nothing,
        handler: assets::handler(),
    };
    let pages = [
        vec![assets],
        sign_in::routes(),
        first_start::routes(),
        floor_page::routes(),
        members::routes(),
        machines::routes(),
        taps::routes(),
        devices::routes(),
        sync::routes(),
        settings::routes(),
        enrolment::routes(),
        work::routes(),
    ];
    pages.into_iter().flatten().collect()
}

/// The whole page.
pub fn router(staff: Staff) -> Router {
    let mut router = Router::new();
    for route in routes() {
        let gate = Gate { staff: staff.clone(), verb: route.verb, needs: route.needs };
        let guarded = route.handler.route_layer(from_fn_with_state(gate, guard::admit));
        router = router.route(route.path, guarded);
    }
    let router = router.fallback(guard::nothing_here).with_state(staff);
    layers::around(router)
}
