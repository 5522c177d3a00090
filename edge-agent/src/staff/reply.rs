//! Answers of handlers: pages, redirects with a word for the next page, and refusals in words.

use super::app::Staff;
use super::layout::Layout;
use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// What a handler gives back.
pub type Reply = Result<Response, Refusal>;

/// Why a request is not carried out, in words for staff.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    words: String,
}

impl Refusal {
    /// There is nothing of that name.
    pub fn not_found(what: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, words: format!("There is no {what}.") }
    }

    /// What was sent cannot be used, or the state does not allow it.
    pub fn invalid(words: impl Into<String>) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, words: words.into() }
    }

    /// Another status.
    pub fn new(status: StatusCode, words: impl Into<String>) -> Self {
        Self { status, words: words.into() }
    }

    /// The page that shows it.
    pub fn page(&self, layout: Layout) -> Response {
        let view = Refused { layout, words: &self.words, status: self.status };
        let mut response = html(&view).unwrap_or_else(IntoResponse::into_response);
        *response.status_mut() = self.status;
        response
    }
}

/// An error of the agent: its chain is in words already.
impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        Self::invalid(format!("{error:#}"))
    }
}

/// Becomes a page in `guard.rs`, which knows who asked.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.words.clone()).into_response();
        response.extensions_mut().insert(RefusedWith(self.words));
        response
    }
}

/// Marks a response whose page is still to be made.
#[derive(Clone)]
pub struct RefusedWith(pub String);

#[derive(Template)]
#[template(path = "refused.html")]
struct Refused<'a> {
    layout: Layout,
    words: &'a str,
    status: StatusCode,
}

/// A page out of its template.
pub fn html(view: &impl Template) -> Reply {
    let text = view.render().map_err(|error| {
        tracing::error!(%error, "a page cannot be made");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "This page cannot be shown.")
    })?;
    let kind = (header::CONTENT_TYPE, "text/html; charset=utf-8");
    Ok(([kind, (header::CACHE_CONTROL, "no-store")], text).into_response())
}

/// Off to another page.
pub fn see(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response()
}

/// Off to another page, which says that it is done.
pub fn done(staff: &Staff, session: &[u8; 32], path: &str, words: impl Into<String>) -> Response {
    staff.notes.leave(*session, words.into());
    see(path)
}
