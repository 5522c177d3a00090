//! The cloud in this process, over a database of the test's own: requests go straight into its router.

use crate::db::Db;
use anyhow::Result;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use cloud_api::config::Secret;
use cloud_api::outside::mail::Inbox;
use cloud_api::{App, Clock, Config};
use serde_json::Value;
use std::sync::Arc;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// Answers longer than this are a fault of the test.
const ANSWER_LIMIT: usize = 64 * 1024 * 1024;

/// A cloud without a port.
#[derive(Debug)]
pub struct Api {
    /// Its state: clock, pool, keys.
    pub app: App,
    /// Where its letters arrive.
    pub inbox: Inbox,
    router: axum::Router,
    // The pool is gone before its database. Another instance over it has none of its own.
    db: Option<Db>,
    // Where it keeps files.
    _state: Option<TempDir>,
}

/// What it answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl Api {
    /// Over an empty database.
    pub async fn new() -> Result<Self> {
        Self::with(Config::default()).await
    }

    /// With another configuration; passwords are hashed as cheaply as is allowed.
    pub async fn with(mut config: Config) -> Result<Self> {
        config.auth.hash_memory_kib = 8;
        config.auth.hash_passes = 1;
        config.service.secrets_key = Some(Secret::from("ab".repeat(32)));
        let state = tempfile::tempdir()?;
        config.service.state_dir = state.path().to_owned();
        let db = Db::new().await?;
        config.auth.failed_login_ms = 0;
        let app =
            App::open(db.pool().await?, config, Clock::system(), CancellationToken::new()).await?;
        let inbox = Inbox::default();
        let app = app.with_mailer(Arc::new(inbox.clone()));
        let router = cloud_api::router(&app);
        Ok(Self { app, inbox, router, db: Some(db), _state: Some(state) })
    }

    /// Another instance, over the database of one that lives longer.
    pub fn over(app: App) -> Self {
        let (router, inbox) = (cloud_api::router(&app), Inbox::default());
        Self { app, inbox, router, db: None, _state: None }
    }

    /// Its database.
    ///
    /// # Panics
    /// If it is not its own.
    pub fn db(&self) -> &Db {
        self.db.as_ref().expect("a database of its own")
    }

    /// Any request.
    pub async fn call(&self, request: Request<Body>) -> Result<Answer> {
        let answer = self.router.clone().oneshot(request).await?;
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, ANSWER_LIMIT).await?;
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    /// GET, with a token if there is one.
    pub async fn get(&self, path: &str, token: Option<&str>) -> Result<Answer> {
        self.call(request(Method::GET, path, token).body(Body::empty())?).await
    }

    /// POST of JSON, with a token if there is one.
    pub async fn post(&self, path: &str, token: Option<&str>, json: &Value) -> Result<Answer> {
        self.send(Method::POST, path, token, json).await
    }

    /// JSON by any method, with a token if there is one.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        json: &Value,
    ) -> Result<Answer> {
        let request = request(method, path, token)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(json.to_string()))?;
        self.call(request).await
    }

    /// DELETE, with a token if there is one.
    pub async fn delete(&self, path: &str, token: Option<&str>) -> Result<Answer> {
        self.call(request(Method::DELETE, path, token).body(Body::empty())?).await
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}

fn request(method: Method, path: &str, token: Option<&str>) -> axum::http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    match token {
        Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
        None => request,
    }
}
