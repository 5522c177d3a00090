//! `Idempotency-Key`: a request that is sent again, because its answer was lost, is answered again and not carried
//! out again. Only successes are kept: what failed changed nothing and may be tried anew. What was carried out is marked
//! in the same transaction ([`Once`]), so that it stays so when its answer is lost before it could be kept.

mod once;
mod store;

pub use once::Once;

use super::error::{Error, Refusal, Result};
use crate::app::App;
use crate::ids::UserId;
use crate::jobs::Job;
use anyhow::Context;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::time::Duration as StdDuration;
use store::{Known, Sent};
use time::Duration;
use tokio::time::{Instant, sleep};
use utoipa::IntoParams;

/// Name of the header. Routes that declare it take it.
pub const HEADER: &str = "Idempotency-Key";

/// The parameter for the API document.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IdempotencyKey {
    /// Made up by the client, best a random UUID. The same request with the same key is carried out once in 24
    /// hours and answered each time alike; `Idempotency-Replayed: true` tells a repeated answer.
    #[param(rename = "Idempotency-Key", min_length = 1, max_length = 255)]
    #[expect(dead_code, reason = "the gate reads the header")]
    key: Option<String>,
}

/// Carries the request out, or answers as it was answered before.
pub async fn once(app: &App, owner: Option<UserId>, request: Request, next: Next) -> Response {
    match request.headers().get(HEADER).cloned() {
        None => next.run(request).await,
        Some(key) => match tried(app, owner, &key, request, next).await {
            Ok(response) => response,
            Err(error) => error.into_response(),
        },
    }
}

async fn tried(
    app: &App,
    owner: Option<UserId>,
    key: &HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, app.config.http.max_body_bytes)
        .await
        .map_err(|_| Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"))?;
    let digest = Sha256::new()
        .chain_update(parts.method.as_str())
        .chain_update([0])
        .chain_update(parts.uri.path())
        .chain_update([0])
        .chain_update(&body)
        .finalize();
    let owner = owner.map_or_else(|| hex::encode(digest), |user| user.to_string());
    let sent = Sent { owner, key: readable(key)?, request: digest.to_vec() };
    if let Some(answered) = claim(app, &sent).await? {
        return Ok(answered);
    }
    let mut request = Request::from_parts(parts, Body::from(body));
    request.extensions_mut().insert(Once::of(sent.clone()));
    let response = next.run(request).await;
    if response.status().is_success() {
        return keep(app, &sent, response).await;
    }
    store::release(&mut *app.db.acquire().await?, &sent).await?;
    Ok(response)
}

fn readable(key: &HeaderValue) -> Result<String> {
    let text = key.to_str().unwrap_or_default();
    if (1..=255).contains(&text.len()) {
        return Ok(text.to_owned());
    }
    let message = "has 1 to 255 visible characters of ASCII".to_owned();
    Err(Error::Field { field: HEADER, code: "invalid", message })
}

/// Takes the key, or waits for whoever has it and gives their answer.
async fn claim(app: &App, sent: &Sent) -> Result<Option<Response>> {
    let wait_until = Instant::now() + WAIT;
    let lease = Duration::seconds(i64::try_from(app.config.http.request_timeout_s).unwrap_or(60));
    loop {
        let now = app.clock.now();
        let mut db = app.db.acquire().await?;
        if store::claim(&mut db, sent, now, now + lease, now + KEPT).await? {
            return Ok(None);
        }
        let known = store::known(&mut db, sent).await?;
        drop(db);
        match known {
            Some(known) if known.request != sent.request => {
                return Err(Refusal::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "idempotency_key_reused",
                )
                .detail("this key was sent with another request")
                .into());
            }
            Some(known) if known.status.is_some() => return Ok(Some(replay(app, known)?)),
            Some(known) if known.is_lost(now) => return Err(CARRIED_OUT),
            _ if Instant::now() >= wait_until => {
                return Err(Refusal::new(StatusCode::CONFLICT, "request_in_progress")
                    .detail("the same request is being carried out")
                    .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
                    .into());
            }
            _ => sleep(LOOK_EVERY).await,
        }
    }
}

/// It was carried out, and what was answered is not known.
const CARRIED_OUT: Error = Error::Conflict("already_carried_out");

/// How long a request waits for its twin.
const WAIT: StdDuration = StdDuration::from_secs(5);
const LOOK_EVERY: StdDuration = StdDuration::from_millis(50);
/// How long an answer is kept.
const KEPT: Duration = Duration::hours(24);

async fn keep(app: &App, sent: &Sent, response: Response) -> Result<Response> {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, MAX_ANSWER).await.context("an answer is too long to be kept")?;
    let sealed = app.secrets.seal(SEALED_AS, &body)?;
    let headers = kept_headers(&parts.headers);
    let kept = async {
        let mut db = app.db.acquire().await?;
        store::keep(&mut db, sent, parts.status.as_u16(), &headers, &sealed).await
    };
    if let Err(error) = kept.await {
        // It was carried out, and whoever waits is told so.
        tracing::warn!(%error, "an answer cannot be kept");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

const MAX_ANSWER: usize = 1024 * 1024;
const SEALED_AS: &str = "idempotency";
const KEPT_HEADERS: [HeaderName; 3] =
    [header::CONTENT_TYPE, header::LOCATION, header::CACHE_CONTROL];

fn kept_headers(headers: &HeaderMap) -> Value {
    let kept = KEPT_HEADERS.iter().filter_map(|name| {
        let value = headers.get(name)?.to_str().ok()?;
        Some((name.to_string(), Value::from(value)))
    });
    Value::Object(kept.collect::<Map<_, _>>())
}

fn replay(app: &App, known: Known) -> Result<Response> {
    let status = known.status.and_then(|status| u16::try_from(status).ok()).unwrap_or_default();
    let status = StatusCode::from_u16(status).context("a kept answer has no status")?;
    let body = app.secrets.open(SEALED_AS, &known.body.unwrap_or_default())?;
    let mut response = (status, Bytes::copy_from_slice(&body)).into_response();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    for (name, value) in known.headers.as_ref().and_then(Value::as_object).into_iter().flatten() {
        let name = name.parse::<HeaderName>().context("a kept header")?;
        let value = value.as_str().unwrap_or_default();
        headers.insert(name, HeaderValue::from_str(value).context("a kept header")?);
    }
    Ok(response)
}

/// Forgets answers that were kept long enough.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetAnswers;

impl Job for ForgetAnswers {
    const KIND: &'static str = "http.forget_answers";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        Ok(store::forget_expired(&mut *app.db.acquire().await?, app.clock.now()).await?)
    }
}
