//! `/live`, where developers see the stream, and the document of its messages. Both work without the internet.

use super::asyncapi;
use crate::http::IfNoneMatch;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};
use std::sync::LazyLock;

static DOCUMENT: LazyLock<String> = LazyLock::new(|| asyncapi::document().to_string());

/// The document of the messages.
pub async fn read_document(known: IfNoneMatch) -> Response {
    known.answer_bytes(DOCUMENT.as_bytes().to_vec())
}

/// The page.
pub async fn read_page() -> Html<&'static str> {
    Html(include_str!("page/live.html"))
}

/// Its script.
pub async fn read_script() -> Response {
    let kind = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (kind, include_str!("page/live.js")).into_response()
}
