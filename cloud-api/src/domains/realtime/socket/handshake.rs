//! From a request to a WebSocket (RFC 6455 §4).

use super::task::{self, Begin};
use crate::app::App;
use crate::domains::accounts;
use crate::domains::realtime::said;
use crate::domains::realtime::topic::Channel;
use crate::http::auth::bearer;
use crate::http::{ClientAddress, Error, Problem, Query, Refusal, Result};
use crate::ids::BranchId;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use garde::Validate;
use hyper::upgrade::OnUpgrade;
use ring::digest;
use serde::Deserialize;
use utoipa::IntoParams;

/// How to begin.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct SocketQuery {
    /// An access token, for clients that cannot send a header. It can also be the first frame.
    #[garde(skip)]
    token: Option<String>,
    /// Channels to begin with, separated by commas.
    #[garde(skip)]
    #[param(example = "user,workouts")]
    channels: Option<String>,
    /// The last event that was heard: what was missed comes first.
    #[garde(skip)]
    #[param(example = "4711")]
    last_event_id: Option<String>,
}

/// How to begin with machines.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct MachinesQuery {
    /// Whose machines; left out, none until a frame asks.
    #[garde(skip)]
    branch_id: Option<BranchId>,
    /// An access token, for clients that cannot send a header. It can also be the first frame.
    #[garde(skip)]
    token: Option<String>,
    /// The last event that was heard: what was missed comes first.
    #[garde(skip)]
    #[param(example = "4711")]
    last_event_id: Option<String>,
}

/// Follow several channels over one WebSocket.
///
/// Frames are described by `GET /api/v1/asyncapi.json`. Without a token at first, the first frame has to be
/// `{"type": "auth", "token": …}`. A bad token closes the socket with code 4401.
#[utoipa::path(get, path = "/ws", tag = "realtime", params(SocketQuery), security(()), responses(
    (status = 101, description = "a WebSocket"),
    (status = 400, body = Problem, content_type = "application/problem+json",
     description = "`not_a_websocket`"),
    (status = 503, body = Problem, content_type = "application/problem+json",
     description = "`too_many_connections`")))]
pub async fn open_socket(
    State(app): State<App>,
    Query(query): Query<SocketQuery>,
    request: Request,
) -> Result<Response> {
    let names: Vec<_> = query.channels.iter().flat_map(|names| names.split(',')).collect();
    let channels = said::channels(&names).map_err(refused)?;
    open(app, request, query.token, channels, query.last_event_id.as_deref()).await
}

/// Follow the machines of a branch.
#[utoipa::path(get, path = "/ws/machines", tag = "realtime", params(MachinesQuery), security(()),
    responses(
    (status = 101, description = "a WebSocket"),
    (status = 400, body = Problem, content_type = "application/problem+json",
     description = "`not_a_websocket`"),
    (status = 503, body = Problem, content_type = "application/problem+json",
     description = "`too_many_connections`")))]
pub async fn open_machines_socket(
    State(app): State<App>,
    Query(query): Query<MachinesQuery>,
    request: Request,
) -> Result<Response> {
    let channels = query.branch_id.map(Channel::Branch).into_iter().collect();
    open(app, request, query.token, channels, query.last_event_id.as_deref()).await
}

/// Follow the own training: what happens, and what the machine measures that one has.
#[utoipa::path(get, path = "/ws/workouts", tag = "realtime", params(SocketQuery), security(()),
    responses(
    (status = 101, description = "a WebSocket"),
    (status = 400, body = Problem, content_type = "application/problem+json",
     description = "`not_a_websocket`"),
    (status = 503, body = Problem, content_type = "application/problem+json",
     description = "`too_many_connections`")))]
pub async fn open_workouts_socket(
    State(app): State<App>,
    Query(query): Query<SocketQuery>,
    request: Request,
) -> Result<Response> {
    let names: Vec<_> = query.channels.iter().flat_map(|names| names.split(',')).collect();
    let mut channels = said::channels(&names).map_err(refused)?;
    if !channels.contains(&Channel::Workouts) {
        channels.push(Channel::Workouts);
    }
    open(app, request, query.token, channels, query.last_event_id.as_deref()).await
}

/// What is wrong with a query.
pub fn refused(wrong: said::Wrong) -> Error {
    let field = if wrong.field == "channels" { "channels" } else { "last_event_id" };
    Error::Field { field, code: "invalid", message: wrong.message }
}

async fn open(
    app: App,
    mut request: Request,
    token: Option<String>,
    channels: Vec<Channel>,
    last_event_id: Option<&str>,
) -> Result<Response> {
    let accept = accept(request.headers())?;
    let upgrade = request
        .extensions_mut()
        .remove::<OnUpgrade>()
        .ok_or_else(|| not_a_socket("cannot be upgraded"))?;
    let last_event_id = last_event_id.map(said::event_id).transpose().map_err(refused)?;
    let place = app.realtime.place().ok_or_else(too_many)?;
    let from = request.extensions().get::<ClientAddress>().copied();
    let token = token.or_else(|| bearer(request.headers()).ok().map(str::to_owned));
    // A browser cannot read why it is refused here; the socket's close code it can.
    let known = match token {
        Some(token) => Some(accounts::sign_in(&app, &token, from).await),
        None => None,
    };
    let begin = Begin { channels, last_event_id, known, from };
    let tasks = app.realtime.tasks.clone();
    tasks.spawn(task::run(app, upgrade, begin, place));
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::CONNECTION, "upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_ACCEPT, accept)
        .body(Body::empty())
        .map_err(|error| Error::Internal(error.into()))
}

/// The answer to the client's key.
fn accept(headers: &HeaderMap) -> Result<String> {
    let has = |name, wanted: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        value.split(',').any(|one| one.trim().eq_ignore_ascii_case(wanted))
    };
    if !has(header::CONNECTION, "upgrade") || !has(header::UPGRADE, "websocket") {
        return Err(not_a_socket("the request asks for no WebSocket"));
    }
    if !has(header::SEC_WEBSOCKET_VERSION, "13") {
        return Err(not_a_socket("version 13 is spoken"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    let key = key.ok_or_else(|| not_a_socket("Sec-WebSocket-Key is missing"))?;
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(key.as_bytes());
    hash.update(GUID);
    Ok(STANDARD.encode(hash.finish()))
}

/// Of RFC 6455.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

fn not_a_socket(detail: &str) -> Error {
    Refusal::new(StatusCode::BAD_REQUEST, "not_a_websocket").detail(detail).into()
}

/// This process has as many connections as it may have.
pub fn too_many() -> Error {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_connections")
        .detail("this instance has as many live connections as it takes")
        .header(header::RETRY_AFTER, axum::http::HeaderValue::from(5))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_key_is_answered_as_the_standard_says() {
        let headers = [
            (header::CONNECTION, "keep-alive, Upgrade"),
            (header::UPGRADE, "websocket"),
            (header::SEC_WEBSOCKET_VERSION, "13"),
            (header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let headers: HeaderMap = headers
            .into_iter()
            .map(|(name, value)| (name, HeaderValue::from_static(value)))
            .collect();

        assert_eq!(accept(&headers).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(accept(&HeaderMap::new()).is_err());
    }
}
