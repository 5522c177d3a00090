//! `/events`: the same hub as server-sent events, for who cannot or need not talk back.

use super::client::{Client, Who};
use super::hub::Place;
use super::socket::handshake::{refused, too_many};
use super::socket::ready;
use super::topic::Channel;
use super::{said, subscribe};
use crate::app::App;
use crate::domains::accounts;
use crate::http::auth::bearer;
use crate::http::{ClientAddress, Error, Problem, Query, Refusal, Result};
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use futures_util::stream;
use garde::Validate;
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::Arc;
use utoipa::IntoParams;

/// How to begin.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// An access token, for clients that cannot send a header.
    #[garde(skip)]
    token: Option<String>,
    /// Channels, separated by commas; left out, `user`.
    #[garde(skip)]
    #[param(example = "user,workouts")]
    channels: Option<String>,
    /// The last event that was heard, for clients that cannot send `Last-Event-ID`.
    #[garde(skip)]
    #[param(example = "4711")]
    last_event_id: Option<String>,
}

/// Follow channels as server-sent events.
///
/// The same events as over the WebSocket; the data of each is its frame.
#[utoipa::path(get, path = "/events", tag = "realtime", params(EventsQuery,
    ("Last-Event-ID" = Option<String>, Header, description = "The last event that was heard")),
    security(()), responses(
    (status = 200, body = String, content_type = "text/event-stream", description = "events, without end"),
    (status = 401, body = Problem, content_type = "application/problem+json",
     description = "`unauthorized`, `invalid_token`, `token_expired`, `token_revoked`"),
    (status = 429, body = Problem, content_type = "application/problem+json",
     description = "`too_many_connections` of one user"),
    (status = 503, body = Problem, content_type = "application/problem+json",
     description = "`too_many_connections` of all")))]
pub async fn follow_events(
    State(app): State<App>,
    Query(query): Query<EventsQuery>,
    request: Request,
) -> Result<Response> {
    let from = request.extensions().get::<ClientAddress>().copied();
    let token = match &query.token {
        Some(token) => token.as_str(),
        None => bearer(request.headers())?,
    };
    let (token, caller) = accounts::sign_in(&app, token, from).await?;
    let names = query.channels.as_deref().unwrap_or("user");
    let names: Vec<_> = names.split(',').collect();
    let channels = said::channels(&names).map_err(refused)?;
    let header = request.headers().get("last-event-id").and_then(|id| id.to_str().ok());
    let last = query.last_event_id.as_deref().or(header).filter(|id| !id.is_empty());
    let last = last.map(said::event_id).transpose().map_err(refused)?;
    let place = app.realtime.place().ok_or_else(too_many)?;
    app.realtime.following().await;
    let (number, most) = (app.realtime.next_number(), app.realtime.limits.max_waiting);
    let client = Arc::new(Client::new(number, None, Who { token, caller }, most));
    if !app.realtime.enter(&client) {
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_connections");
        return Err(refusal.detail("close another live connection first").into());
    }
    let listening = Listening { app: app.clone(), client: Arc::clone(&client), _place: place };
    let ready = ready(&client).map_err(|error| Error::Internal(error.into()))?;
    client.answer(&ready);
    begin(app, client, channels, last);
    let body = stream::unfold(listening, |listening| async {
        let bytes = listening.next().await?;
        Some((Ok::<_, Infallible>(bytes), listening))
    });
    Response::builder()
        .header(header::CONTENT_TYPE, "text/event-stream")
        .header(header::CACHE_CONTROL, "no-store")
        // Proxies are not to collect it.
        .header("x-accel-buffering", "no")
        .body(Body::from_stream(body))
        .map_err(|error| Error::Internal(error.into()))
}

/// Beside the answer, which takes what is told from the first byte on.
fn begin(app: App, client: Arc<Client>, channels: Vec<Channel>, last: Option<i64>) {
    let tasks = app.realtime.tasks.clone();
    tasks.spawn(async move {
        if let Err(error) = subscribe::subscribe(&app, &client, &channels, last).await {
            tracing::warn!(error = format!("{error:#}"), "a live client is not answered");
            client.end(super::client::End::Unavailable);
        }
    });
}

/// Leaves when the answer is dropped.
struct Listening {
    app: App,
    client: Arc<Client>,
    _place: Place,
}

impl Listening {
    async fn next(&self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.client.fetch() {
                return Some(bytes);
            }
            if self.client.ended().is_some() {
                return None;
            }
            self.client.woken.notified().await;
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.client.end(super::client::End::Gone);
        self.app.realtime.leave(&self.client);
    }
}
