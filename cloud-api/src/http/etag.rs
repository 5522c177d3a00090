//! Answers that a client may keep: a weak `ETag` over the content, and 304 while it is the same.

use super::error::{Refusal, Result};
use anyhow::Context;
use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::{HeaderValue, StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::convert::Infallible;
use utoipa::IntoParams;

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
        Ok(Self(listed(parts, &header::IF_NONE_MATCH)))
    }
}

/// What the client believes that it changes; without the header, whatever is there.
#[derive(Debug)]
pub struct IfMatch(Vec<String>);

/// The parameter for the API document.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IfMatchHeader {
    /// The `ETag` that was read: changed only if it is still so.
    #[param(rename = "If-Match", max_length = 255)]
    #[expect(dead_code, reason = "the extractor reads the header")]
    tag: Option<String>,
}

impl IfMatch {
    /// Refuses the change of something that is no longer what the client has read. Tags are weak, since answers are
    /// packed differently; they are over the whole content, so that equal ones mean the same.
    pub fn check(&self, present: &impl Serialize) -> Result<()> {
        let tag = Tagged::of(present)?.etag;
        let is_it = |named: &String| named.as_bytes() == tag.as_bytes() || named == "*";
        if self.0.is_empty() || self.0.iter().any(is_it) {
            return Ok(());
        }
        Err(Refusal::new(StatusCode::PRECONDITION_FAILED, "changed_meanwhile").into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(listed(parts, &header::IF_MATCH)))
    }
}

fn listed(parts: &Parts, name: &header::HeaderName) -> Vec<String> {
    let lines = parts.headers.get_all(name).iter();
    let texts = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    texts.map(|text| text.trim().to_owned()).collect()
}
