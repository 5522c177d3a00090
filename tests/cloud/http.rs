//! What all routes have in common: problems, ids, limits, headers, health, metrics, aliases.

use anyhow::Result;
use axum::body::Body;
use axum::http::Request;
use tests::api::Api;

fn login() -> axum::http::request::Builder {
    Request::post("/api/v1/auth/login").header("content-type", "application/json")
}

#[tokio::test]
async fn a_request_id_is_given_back_and_stands_in_the_problem() -> Result<()> {
    let api = Api::new().await?;
    let request = Request::get("/api/v1/nothing").header("x-request-id", "abc-1");

    let answer = api.call(request.body(Body::empty())?).await?;

    assert_eq!(answer.status, 404);
    assert_eq!(answer.headers["x-request-id"], "abc-1");
    let problem = answer.json()?;
    assert_eq!(problem["request_id"], "abc-1");
    assert_eq!(problem["instance"], "/api/v1/nothing");
    assert_eq!(problem["type"], "/problems/not_found");
    Ok(())
}

#[tokio::test]
async fn a_wrong_method_is_a_problem_that_names_the_right_ones() -> Result<()> {
    let api = Api::new().await?;

    let answer = api.call(Request::delete("/health").body(Body::empty())?).await?;

    assert_eq!(answer.status, 405);
    assert_eq!(answer.json()?["code"], "method_not_allowed");
    assert_eq!(answer.headers["allow"], "GET,HEAD");
    Ok(())
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() -> Result<()> {
    let api = Api::new().await?;
    let long = format!("{{\"email\":\"a@b\",\"password\":\"{}\"}}", "x".repeat(1024 * 1024));

    let answer = api.call(login().body(Body::from(long))?).await?;

    assert_eq!(
        (answer.status.as_u16(), answer.json()?["code"].as_str()),
        (413, Some("payload_too_large"))
    );
    Ok(())
}

#[tokio::test]
async fn a_wrong_body_is_explained_without_names_of_ours() -> Result<()> {
    let api = Api::new().await?;

    let wrong_type = api.call(login().body(Body::from(r#"{"email":1,"password":"x"}"#))?).await?;
    let unknown = api.call(login().body(Body::from(r#"{"email":"a@b","passwort":"x"}"#))?).await?;
    let cut = api.call(login().body(Body::from(r#"{"email""#))?).await?;
    let text = Request::post("/api/v1/auth/login").body(Body::from("{}"))?;

    let detail = |answer: &tests::api::Answer| answer.json().map(|p| p["detail"].to_string());
    assert_eq!(wrong_type.status, 422);
    assert!(detail(&wrong_type)?.contains("email"));
    assert_eq!(unknown.status, 422);
    assert!(detail(&unknown)?.contains("passwort"));
    assert_eq!(cut.status, 400);
    assert_eq!(api.call(text).await?.status, 415);
    Ok(())
}

#[tokio::test]
async fn broken_rules_are_told_field_by_field() -> Result<()> {
    let api = Api::new().await?;

    let answer = api.call(login().body(Body::from(r#"{"email":"","password":""}"#))?).await?;

    let problem = answer.json()?;
    assert_eq!(
        (answer.status.as_u16(), problem["code"].as_str()),
        (422, Some("validation_failed"))
    );
    assert_eq!(problem["errors"][0]["field"], "email");
    assert_eq!(problem["errors"][1]["field"], "password");
    Ok(())
}

#[tokio::test]
async fn aliases_without_version_or_prefix_are_the_same_routes() -> Result<()> {
    let api = Api::new().await?;

    for path in ["/api/machines?limit=1", "/v1/machines?limit=1", "/api/v1/machines?limit=1"] {
        let answer = api.get(path, None).await?;
        assert_eq!(answer.json()?["instance"], "/api/v1/machines", "{path}");
        assert_eq!(answer.status, 401, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_version_that_there_is_not_is_refused() -> Result<()> {
    let api = Api::new().await?;
    let ask = |name: &str, version: &str| {
        Request::get("/api/v1/machines").header(name, version).body(Body::empty())
    };

    let unknown = api.call(ask("accept-version", "2")?).await?;
    let known = api.call(ask("x-api-version", "v1")?).await?;

    assert_eq!(unknown.status, 406);
    assert_eq!(unknown.json()?["code"], "unsupported_version");
    assert_eq!((known.status.as_u16(), known.headers["x-api-version"].to_str()?), (401, "1"));
    Ok(())
}

#[tokio::test]
async fn only_listed_origins_may_call() -> Result<()> {
    let api = Api::new().await?;
    let preflight = |origin: &str| {
        Request::options("/api/v1/machines")
            .header("origin", origin)
            .header("access-control-request-method", "GET")
            .body(Body::empty())
    };

    let known = api.call(preflight("http://localhost:3000")?).await?;
    let unknown = api.call(preflight("http://evil.example")?).await?;

    assert_eq!(known.headers["access-control-allow-origin"], "http://localhost:3000");
    assert_eq!(known.headers["access-control-allow-credentials"], "true");
    assert!(!unknown.headers.contains_key("access-control-allow-origin"));
    Ok(())
}

#[tokio::test]
async fn every_answer_carries_security_headers() -> Result<()> {
    let api = Api::new().await?;

    let answer = api.get("/health/live", None).await?;

    for name in ["content-security-policy", "strict-transport-security", "x-frame-options"] {
        assert!(answer.headers.contains_key(name), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn health_tells_when_the_database_is_away_but_stays_alive() -> Result<()> {
    let api = Api::new().await?;
    assert_eq!(api.get("/health", None).await?.status, 200);

    api.app.db.close().await;

    let health = api.get("/health", None).await?;
    assert_eq!(health.status, 503);
    assert_eq!(health.json()?["dependencies"][0]["status"], "down");
    assert_eq!(api.get("/health/ready", None).await?.status, 503);
    assert_eq!(api.get("/health/live", None).await?.status, 204);
    Ok(())
}

#[tokio::test]
async fn without_its_database_a_request_is_answered_503() -> Result<()> {
    let api = Api::new().await?;
    api.app.db.close().await;

    let body = Body::from(r#"{"email":"ada@example.com","password":"x"}"#);
    let answer = api.call(login().body(body)?).await?;

    assert_eq!(
        (answer.status.as_u16(), answer.json()?["code"].as_str()),
        (503, Some("unavailable"))
    );
    assert!(answer.headers.contains_key("retry-after"));
    Ok(())
}

#[tokio::test]
async fn metrics_count_by_route_and_not_by_path() -> Result<()> {
    let api = Api::new().await?;
    api.get("/api/v1/machines/7d9f4c4e-0000-7000-8000-000000000000", None).await?;

    let text = String::from_utf8(api.get("/metrics", None).await?.body.to_vec())?;

    assert!(text.contains(r#"route="/api/v1/machines/{id}",status_code="401""#), "{text}");
    assert!(text.contains("http_request_duration_seconds_bucket"), "{text}");
    assert!(text.contains("process_resident_memory_bytes"), "{text}");
    Ok(())
}
