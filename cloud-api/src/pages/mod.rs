//! The operators' page (`/console`): all branches on one screen, and each of them as it happens, for staff and admins.
//!
//! One folder or file per page: handlers, view model, and its template in `templates/console`. `router.rs` is the table of
//! all routes with what each needs; `guard.rs` stands before each. Figures come from the domains, never from here.

mod branch;
mod cookies;
mod guard;
mod layout;
mod live;
mod overview;
mod reply;
mod router;
mod sign_in;
mod words;

pub use router::{Needs, Route, Verb, router, routes};

use crate::app::App;
use overview::Board;
use std::sync::Arc;

/// What every page works with; clones share it.
#[derive(Clone)]
pub struct Pages {
    app: App,
    board: Arc<Board>,
    cookies: cookies::Cookies,
}

impl Pages {
    fn new(app: &App) -> Self {
        let cookies = cookies::Cookies::new(&app.config.http.public_url);
        Self { app: app.clone(), board: Arc::default(), cookies }
    }
}
