//! What every request passes: limits, panics, compression, CORS, security headers. And path aliases.

use super::error::Error;
use super::observe::observe;
use super::rate;
use crate::app::App;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::borrow::Cow;
use std::time::Duration;
use tower::Layer;
use tower::util::MapRequestLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::cors::CorsLayer;
use tower_http::timeout::TimeoutLayer;

/// Puts the layers around the routes; the last added is the first to see a request.
pub fn around(routes: Router, app: &App) -> Router {
    let http = &app.config.http;
    let timeout = Duration::from_secs(http.request_timeout_s);
    let layered = routes
        .layer(DefaultBodyLimit::max(http.max_body_bytes))
        .layer(CatchPanicLayer::custom(answer_panic))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, timeout))
        .layer(CompressionLayer::new().gzip(true).compress_when(is_worth_compressing()))
        .layer(from_fn_with_state(app.clone(), observe))
        .layer(cors(&http.allowed_origins))
        .layer(map_response(secure));
    // Routing has happened before a router's own layers run, so aliases are rewritten around it.
    Router::new().fallback_service(MapRequestLayer::new(resolve_alias).layer(layered))
}

/// `/api/…` and `/v1/…` are the current version, `/api/v1/…`. What has a second name there is found under both.
fn resolve_alias(mut request: Request) -> Request {
    let path = request.uri().path();
    let rest = match path.strip_prefix("/api/") {
        Some(rest) => rest.strip_prefix("v1/").unwrap_or(rest),
        None => match path.strip_prefix("/v1/") {
            Some(rest) => rest,
            None => return request,
        },
    };
    if path.starts_with(CURRENT) && matches!(renamed(rest), Cow::Borrowed(same) if same == rest) {
        return request;
    }
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    let rest = renamed(rest);
    if let Ok(uri) = format!("/api/v1/{rest}{query}").parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    request
}

const CURRENT: &str = "/api/v1/";

/// The path that serves what another path names, and all that is below it.
fn renamed(rest: &str) -> Cow<'_, str> {
    for (alias, path) in ALIASES {
        match rest.strip_prefix(alias) {
            Some("") => return path.into(),
            Some(below) if below.starts_with('/') => return format!("{path}{below}").into(),
            _ => {}
        }
    }
    rest.into()
}

const ALIASES: [(&str, &str); 4] = [
    ("upload/scan-data", "scans/upload"),
    ("users/register", "auth/register"),
    ("users/metrics", "users/body-metrics"),
    ("progress/body", "users/body-metrics"),
];

/// What is already packed (batches, changes) is left alone.
fn is_worth_compressing() -> impl Predicate {
    SizeAbove::new(512)
        .and(NotForContentType::const_new("application/vnd.gymwire"))
        .and(NotForContentType::IMAGES)
        .and(NotForContentType::SSE)
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands the panic over")]
fn answer_panic(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown");
    Error::Internal(anyhow::anyhow!("panic: {text}")).into_response()
}

fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|o| o.parse().ok()).collect();
    CorsLayer::new()
        .allow_origin(origins)
        .allow_credentials(true)
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::PATCH,
            Method::OPTIONS,
        ])
        .allow_headers([
            header::CONTENT_TYPE,
            header::AUTHORIZATION,
            HeaderName::from_static("x-requested-with"),
            HeaderName::from_static("idempotency-key"),
            header::IF_MATCH,
            header::IF_NONE_MATCH,
        ])
        .expose_headers(exposed())
        .max_age(Duration::from_mins(10))
}

/// What pages may read besides the plain ones.
fn exposed() -> Vec<HeaderName> {
    let named = ["x-request-id", "x-api-version", "idempotency-replayed"];
    let mut exposed: Vec<_> = named.into_iter().map(HeaderName::from_static).collect();
    exposed.extend([header::ETAG, header::RETRY_AFTER]);
    exposed.extend(rate::HEADERS);
    exposed
}

async fn secure(mut response: Response) -> Response {
    for (name, value) in &SECURITY_HEADERS {
        response.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    response
}

static SECURITY_HEADERS: [(HeaderName, HeaderValue); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'self'; style-src 'self' 'unsafe-inline'; script-src 'self'; \
             img-src 'self' data: https:; frame-ancestors 'none'",
        ),
    ),
    (
        header::STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static("max-age=31536000; includeSubDomains; preload"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("x-api-version"), HeaderValue::from_static("1")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn resolved(uri: &str) -> String {
        let request = Request::builder().uri(uri).body(Body::empty()).unwrap();
        resolve_alias(request).uri().to_string()
    }

    #[test]
    fn aliases_name_the_current_version() {
        assert_eq!(resolved("/api/machines?limit=2"), "/api/v1/machines?limit=2");
        assert_eq!(resolved("/v1/machines"), "/api/v1/machines");
        assert_eq!(resolved("/api/users/register"), "/api/v1/auth/register");
        assert_eq!(resolved("/api/v1/users/register"), "/api/v1/auth/register");
        assert_eq!(resolved("/api/progress/body/7?a=b"), "/api/v1/users/body-metrics/7?a=b");
    }

    #[test]
    fn other_paths_are_left_alone() {
        assert_eq!(resolved("/api/v1/machines"), "/api/v1/machines");
        assert_eq!(resolved("/edge/v1/batches"), "/edge/v1/batches");
        assert_eq!(resolved("/api/v1/users/metricsx"), "/api/v1/users/metricsx");
        assert_eq!(resolved("/health"), "/health");
    }
}
