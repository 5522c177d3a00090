//! How often somebody may call.

use crate::gym::{Gym, PASSWORD};
use anyhow::Result;
use axum::body::Body;
use axum::http::Request;
use cloud_api::Config;
use cloud_api::config::Limits;
use cloud_api::domains::accounts::Role;
use serde_json::json;
use tests::api::{Answer, Api};
use time::Duration;

async fn limited(limits: Limits) -> Result<(Api, Gym)> {
    let api = Api::with(Config { limits, ..Config::default() }).await?;
    let gym = Gym::open(&api, "Gym").await?;
    Ok((api, gym))
}

fn told(answer: &Answer) -> (String, String) {
    let header = |name: &str| {
        let value = answer.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    (header("ratelimit-limit"), header("ratelimit-remaining"))
}

fn pair(limit: &str, remaining: &str) -> (String, String) {
    (limit.to_owned(), remaining.to_owned())
}

#[tokio::test]
async fn a_user_has_an_allowance_that_every_answer_tells() -> Result<()> {
    let (api, gym) = limited(Limits { admin: 2, ..Limits::default() }).await?;
    let token = gym.token(&api, Role::Admin, &[]).await?;
    let other = gym.token(&api, Role::Admin, &[]).await?;
    let call = || api.get("/api/v1/machines", Some(&token));

    assert_eq!(told(&call().await?), pair("2", "1"));
    assert_eq!(told(&call().await?), pair("2", "0"));
    let refused = call().await?;

    assert_eq!(refused.status, 429);
    assert_eq!(refused.json()?["code"], "rate_limited");
    assert_eq!(refused.headers["retry-after"], refused.headers["ratelimit-reset"]);
    assert_eq!(api.get("/api/v1/machines", Some(&other)).await?.status, 200);
    api.app.clock.advance(Duration::minutes(15));
    let again = api.get("/api/v1/machines", Some(&token)).await?;
    assert_eq!(again.json()?["code"], "token_expired");
    Ok(())
}

#[tokio::test]
async fn wrong_tokens_count_for_their_address() -> Result<()> {
    let (api, gym) = limited(Limits { anonymous: 2, ..Limits::default() }).await?;
    let token = gym.token(&api, Role::Admin, &[]).await?;

    assert_eq!(api.get("/api/v1/machines", Some("wrong")).await?.status, 401);
    assert_eq!(api.get("/api/v1/machines", None).await?.status, 429);
    assert_eq!(api.get("/api/v1/machines", Some(&token)).await?.status, 200);
    api.app.clock.advance(Duration::minutes(15));
    assert_eq!(api.get("/api/v1/machines", None).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn addresses_behind_a_trusted_proxy_count_each_for_themselves() -> Result<()> {
    let mut config =
        Config { limits: Limits { anonymous: 1, ..Limits::default() }, ..Config::default() };
    config.http.trusted_proxies = vec!["0.0.0.0".parse()?];
    let api = Api::with(config).await?;
    let from = |address: &str| {
        Request::get("/api/v1/machines").header("x-forwarded-for", address).body(Body::empty())
    };

    assert_eq!(api.call(from("192.0.2.1")?).await?.status, 401);
    assert_eq!(api.call(from("192.0.2.1")?).await?.status, 429);
    assert_eq!(api.call(from("192.0.2.2")?).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn health_and_metrics_do_not_count() -> Result<()> {
    let (api, _) = limited(Limits { anonymous: 1, ..Limits::default() }).await?;

    for _ in 0..5 {
        let answer = api.get("/health/live", None).await?;
        assert_eq!((answer.status.as_u16(), told(&answer)), (204, pair("", "")));
        assert_eq!(api.get("/metrics", None).await?.status, 200);
    }
    Ok(())
}

#[tokio::test]
async fn logging_in_counts_as_a_call_without_a_token() -> Result<()> {
    let (api, gym) = limited(Limits { anonymous: 1, ..Limits::default() }).await?;
    gym.user(&api, "ada@example.com", Role::Admin, &[]).await?;
    let login = json!({"email": "ada@example.com", "password": PASSWORD});

    assert_eq!(api.post("/api/v1/auth/login", None, &login).await?.status, 200);
    assert_eq!(api.post("/api/v1/auth/login", None, &login).await?.status, 429);
    Ok(())
}
