//! Answers that a client may keep: a weak `ETag` over the content, and 304 while it is the same.

use super::error::Result;
use anyhow::Context;
use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::{HeaderValue, StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::convert::Infallible;

/// What the client has already.
#[derive(Debug)]
pub struct IfNoneMatch(Vec<String>);

/// JSON as it is answered, with its tag. Clones share it.
#[derive(Clone)]
pub struct Tagged {
    json: Bytes,
    etag: HeaderValue,
}

impl Tagged {
    pub fn of(body: &impl Serialize) -> Result<Self> {
        Ok(Self::over(serde_json::to_vec(body).context("an answer cannot be written")?))
    }

    fn over(json: Vec<u8>) -> Self {
        let etag = format!("W/\"{}\"", hex::encode(&Sha256::digest(&json)[..12]));
        let etag = HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static("*"));
        Self { json: json.into(), etag }
    }
}

/// Nothing of what it says.
impl std::fmt::Debug for Tagged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tagged").finish_non_exhaustive()
    }
}

impl IfNoneMatch {
    /// The JSON of `body`, or 304 if the client has it.
    pub fn answer(&self, body: &impl Serialize) -> Result<Response> {
        Ok(self.answer_tagged(Tagged::of(body)?))
    }

    /// JSON that is written already.
    pub fn answer_bytes(&self, json: Vec<u8>) -> Response {
        self.answer_tagged(Tagged::over(json))
    }

    /// JSON that has its tag already.
    pub fn answer_tagged(&self, tagged: Tagged) -> Response {
        let Tagged { json, etag } = tagged;
        let is_known =
            self.0.iter().any(|known| known.as_bytes() == etag.as_bytes() || known == "*");
        // Asking again is cheap and what is behind a login belongs into no shared cache.
        let headers = [
            (header::ETAG, etag),
            (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache")),
        ];
        if is_known {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, [(header::CONTENT_TYPE, "application/json")], json).into_response()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let lines = parts.headers.get_all(header::IF_NONE_MATCH).iter();
        let texts = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
        Ok(Self(texts.map(|text| text.trim().to_owned()).collect()))
    }
}
