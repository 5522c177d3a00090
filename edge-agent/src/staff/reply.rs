//! Answers of handlers: pages, redirects with a word for the next page, and refusals in words.

use super::app::Staff;
use super::layout::Layout;
use super::notes::Note;
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
    field: &'static str,
}

impl Refusal {
    /// There is nothing of that name.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("There is no {what}."))
    }

    /// What was sent cannot be used, or the state does not allow it.
    pub fn invalid(words: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, words)
    }

    /// Another status.
    pub fn new(status: StatusCode, words: impl Into<String>) -> Self {
        Self { status, words: words.into(), field: "" }
    }

    /// It is about this field of the form.
    #[must_use]
    pub fn at(mut self, field: &'static str) -> Self {
        self.field = field;
        self
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
        response.extensions_mut().insert(RefusedWith { words: self.words, field: self.field });
        response
    }
}

/// Marks a response whose page is still to be made.
#[derive(Clone)]
pub struct RefusedWith {
    /// Why.
    pub words: String,
    /// The field of the form that it is about, or nothing.
    pub field: &'static str,
}

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
    staff.notes.leave(*session, Note::Done(words.into()));
    see(path)
}
