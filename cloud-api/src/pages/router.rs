//! The table of all routes of the page, each with what it needs. A route cannot be made without saying so.

use super::guard::{self, Gate};
use super::{Pages, branch, overview, sign_in};
use crate::app::App;
use crate::http::Permission;
use axum::Router;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::{self, MethodRouter};
use page_kit::{assets, policy};

/// What somebody needs to be let through. Whoever does not work for the organization is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: whoever reaches the service.
    Nothing,
    /// To be signed in.
    SignIn,
    /// To be signed in as somebody who may do this.
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
    pub path: &'static str,
    pub needs: Needs,
    handler: MethodRouter<Pages>,
}

impl Route {
    /// Shows something and changes nothing.
    pub fn get<H, T>(path: &'static str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, Pages>,
        T: 'static,
    {
        Self { verb: Verb::Get, path, needs, handler: routing::get(handler) }
    }

    /// Does something; the guard looks at where it comes from.
    pub fn post<H, T>(path: &'static str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, Pages>,
        T: 'static,
    {
        Self { verb: Verb::Post, path, needs, handler: routing::post(handler) }
    }
}

/// Every route of the page but style sheet and scripts, which are anybody's.
pub fn routes() -> Vec<Route> {
    [sign_in::routes(), overview::routes(), branch::routes()].into_iter().flatten().collect()
}

/// The whole page.
pub fn router(app: &App) -> Router {
    let pages = Pages::new(app);
    let mut router = Router::new().route(assets::ROUTE, assets::handler());
    for route in routes() {
        let gate =
            Gate { pages: pages.clone(), route: route.path, verb: route.verb, needs: route.needs };
        let guarded = route.handler.route_layer(from_fn_with_state(gate, guard::admit));
        router = router.route(route.path, guarded);
    }
    policy::around(router).with_state(pages)
}
