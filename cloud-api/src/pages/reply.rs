//! Answers of handlers: pages, redirects, and refusals in words.

use super::layout::Layout;
use super::words;
use crate::http::Error;
use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// What a handler gives back.
pub type Reply = Result<Response, Refusal>;

/// Why a request is not carried out, in words for people.
#[derive(Debug, Clone)]
pub struct Refusal {
    pub status: StatusCode,
    pub words: String,
}

impl Refusal {
    pub fn new(status: StatusCode, words: impl Into<String>) -> Self {
        Self { status, words: words.into() }
    }

    /// There is nothing of that name, or it is not for the eyes of who asks.
    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("There is no {what}."))
    }

    /// The page that shows it.
    pub fn page(&self, layout: Layout) -> Response {
        let view = Refused { layout, words: &self.words, status: self.status };
        let mut response = html(&view).unwrap_or_else(IntoResponse::into_response);
        *response.status_mut() = self.status;
        response
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let words = words::of_error(&error);
        if let Error::Internal(error) = &error {
            tracing::error!(error = format!("{error:#}"), "a page failed");
        }
        Self { status: error.into_response().status(), words }
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<anyhow::Error> for Refusal {
    fn from(error: anyhow::Error) -> Self {
        Error::from(error).into()
    }
}

/// Becomes a page in `guard.rs`, which knows who asked.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let kind = (header::CONTENT_TYPE, "text/html; charset=utf-8");
        let mut response = (self.status, [kind], String::new()).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(Template)]
#[template(path = "console/refused.html")]
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

/// A piece of a page.
pub fn piece(view: &impl Template) -> String {
    view.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a piece of a page cannot be made");
        String::new()
    })
}

/// Off to another page.
pub fn see(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response()
}
