//! The outermost layer: names every request, logs and counts it, and renders problems.

use super::problem::Problem;
use crate::app::App;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, header};
use axum::middleware::Next;
use axum::{body::Body, extract::FromRequestParts};
use metrics::Label;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;
use tracing::Instrument;

/// What the request is called in logs and problems.
#[derive(Debug, Clone)]
pub struct RequestId(pub Arc<str>);

/// Where the request comes from; behind a trusted proxy, what that says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

/// What is kept of the request to tell about it afterwards.
struct Seen {
    id: RequestId,
    address: ClientAddress,
    method: Method,
    path: String,
    route: Arc<str>,
    user_agent: String,
    started: Instant,
}

pub async fn observe(State(app): State<App>, mut request: Request, next: Next) -> Response<Body> {
    let seen = Seen::of(&request, &app);
    request.extensions_mut().insert(seen.id.clone());
    request.extensions_mut().insert(seen.address);
    let span = tracing::info_span!("request", request_id = %seen.id.0, route = %seen.route);

    let response = next.run(request).instrument(span).await;

    let mut response = seen.render(response, &app);
    if let Ok(id) = HeaderValue::from_str(&seen.id.0) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    seen.record(response.status().as_u16());
    response
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

impl Seen {
    fn of(request: &Request, app: &App) -> Self {
        let route = request.extensions().get::<MatchedPath>();
        let user_agent = request.headers().get(header::USER_AGENT);
        Self {
            id: RequestId::of(request.headers()),
            address: ClientAddress::of(request, &app.config.http.trusted_proxies),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            route: route.map_or("unmatched", MatchedPath::as_str).into(),
            user_agent: user_agent
                .map_or_else(String::new, |text| String::from_utf8_lossy(text.as_bytes()).into()),
            started: Instant::now(),
        }
    }

    /// Fills what only this layer knows into problems, also those of libraries that answered a bare status.
    fn render(&self, mut response: Response<Body>, app: &App) -> Response<Body> {
        let status = response.status();
        let ours = response.extensions_mut().remove::<Problem>();
        let is_ready = ours.is_none() && is_explained(response.headers());
        if is_ready || !(status.is_client_error() || status.is_server_error()) {
            return response;
        }
        let problem = Problem {
            instance: self.path.clone(),
            request_id: self.id.0.to_string(),
            timestamp: app.clock.now().format(&Rfc3339).unwrap_or_default(),
            ..ours.unwrap_or_else(|| Problem::of_status(status))
        };
        let (mut parts, _) = response.into_parts();
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.remove(header::CONTENT_ENCODING);
        let kind = HeaderValue::from_static(PROBLEM_JSON);
        parts.headers.insert(header::CONTENT_TYPE, kind);
        parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Response::from_parts(parts, serde_json::to_vec(&problem).unwrap_or_default().into())
    }

    fn record(&self, status: u16) {
        let elapsed = self.started.elapsed();
        let labels = vec![
            Label::from_static_parts("method", known_method(&self.method)),
            Label::new("route", Arc::clone(&self.route)),
            Label::new("status_code", status.to_string()),
        ];
        metrics::counter!("http_requests_total", labels.clone()).increment(1);
        metrics::histogram!("http_request_duration_seconds", labels).record(elapsed);
        let duration_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let Self { id, address, method, route, user_agent, .. } = self;
        if QUIET_ROUTES.contains(&&**route) && status < 400 {
            tracing::debug!(request_id = %id.0, %method, %route, status, duration_ms, "request");
        } else {
            tracing::info!(
                request_id = %id.0, %method, %route, status, duration_ms, client = %address.0, user_agent,
                "request"
            );
        }
    }
}

/// Of others there could be any number.
fn known_method(method: &Method) -> &'static str {
    let known = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    known.into_iter().find(|name| method == name).unwrap_or("OTHER")
}

const PROBLEM_JSON: &str = "application/problem+json";

/// Asked for every few seconds by monitors.
const QUIET_ROUTES: [&str; 4] = ["/health", "/health/live", "/health/ready", "/metrics"];

/// An answer with a JSON body of its own, or a page, says more than we could.
fn is_explained(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| kind.contains("json") || kind.starts_with("text/html"))
}

impl RequestId {
    /// The caller's, if it is harmless in a log, else a new one.
    fn of(headers: &HeaderMap) -> Self {
        let is_harmless = |text: &&str| {
            (1..=64).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(is_harmless);
        given.map_or_else(|| Self(uuid::Uuid::now_v7().to_string().into()), |id| Self(id.into()))
    }
}

impl ClientAddress {
    fn of(request: &Request, trusted: &[IpAddr]) -> Self {
        let peer = request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip().to_canonical());
        Self(forwarded_for(request.headers(), peer, trusted))
    }

    /// What failures are counted by: whoever has one IPv6 address has a whole /64 of them.
    #[must_use]
    pub fn network(self) -> Self {
        match self.0 {
            IpAddr::V4(_) => self,
            IpAddr::V6(address) => {
                Self(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into())
            }
        }
    }
}

/// Walks `X-Forwarded-For` from our end and stops at the first address that is not a trusted proxy: what
/// stands before it may be made up.
fn forwarded_for(headers: &HeaderMap, peer: IpAddr, trusted: &[IpAddr]) -> IpAddr {
    let mut address = peer;
    let lines = headers.get_all("x-forwarded-for").iter().rev();
    let hops = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.rsplit(','));
    for hop in hops {
        if !trusted.contains(&address) {
            break;
        }
        let Ok(before) = hop.trim().parse::<IpAddr>() else { break };
        address = before.to_canonical();
    }
    address
}

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        _: &S,
    ) -> Result<Self, Infallible> {
        let unknown = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(unknown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(forwarded: &str) -> HeaderMap {
        [(HeaderName::from_static("x-forwarded-for"), forwarded.parse().unwrap())]
            .into_iter()
            .collect()
    }

    #[test]
    fn only_a_trusted_proxy_may_say_where_a_request_comes_from() {
        let (proxy, client) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([192, 0, 2, 7]));

        assert_eq!(forwarded_for(&headers("192.0.2.7"), proxy, &[]), proxy);
        assert_eq!(forwarded_for(&headers("192.0.2.7"), proxy, &[proxy]), client);
    }

    #[test]
    fn what_a_client_puts_before_its_own_address_is_not_believed() {
        let (proxy, client) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([192, 0, 2, 7]));

        assert_eq!(forwarded_for(&headers("8.8.8.8, 192.0.2.7"), proxy, &[proxy]), client);
    }

    #[test]
    fn addresses_of_one_network_count_as_one() {
        let network = |text: &str| ClientAddress(text.parse().unwrap()).network();

        assert_eq!(network("2001:db8:1:2::7"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::7"), network("2001:db8:1:3::7"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn a_request_id_with_control_characters_is_replaced() {
        let sent = |text: &str| [(REQUEST_ID, text.parse().unwrap())].into_iter().collect();

        assert_eq!(&*RequestId::of(&sent("abc-1")).0, "abc-1");
        assert_ne!(&*RequestId::of(&sent("a b")).0, "a b");
    }
}
