//! Accounts: making one, logging in and out, tokens, letters.

mod external;
mod factors;
mod federated;
mod letters;
mod logins;
mod passwords;
mod provider;
mod redirect;
mod registration;
mod remembered_profiles;
mod repeats;
mod revocation;
mod user_tokens;

use crate::gym::Gym;
use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::{Method, Request};
use cloud_api::jobs::run_due_jobs;
use cloud_api::outside::mail::Rendered;
use cloud_api::{App, events};
use serde_json::{Value, json};
use std::time::Duration;
use tests::api::{Answer, Api};
use tests::wait;
use tokio::task::JoinSet;

/// A cloud with one gym.
async fn cloud() -> Result<(Api, Gym)> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    Ok((api, gym))
}

const STRONG: &str = "marble otter sings 7 tangos";

/// Another instance over the same database, whose bus is heard.
async fn instance(api: &Api, tasks: &mut JoinSet<Result<()>>) -> Result<Api> {
    let (config, clock) = ((*api.app.config).clone(), api.app.clock.clone());
    let app = App::open(api.db().pool().await?, config, clock, api.app.stop.clone()).await?;
    tasks.spawn(events::run(app.bus.clone(), app.db.clone(), app.stop.clone()));
    let bus = app.bus.clone();
    wait::until_true("the bus is heard", Duration::from_secs(20), || {
        let is_heard = bus.is_heard();
        async move { Ok(is_heard) }
    })
    .await?;
    Ok(Api::over(app))
}

/// Waits until an instance, whose tasks these are, knows that it hears the bus no longer.
async fn not_heard(other: &Api, tasks: &mut JoinSet<Result<()>>) -> Result<()> {
    tasks.shutdown().await;
    let bus = other.app.bus.clone();
    wait::until_true("the bus counts as not heard", Duration::from_secs(20), || {
        let is_heard = bus.is_heard();
        async move { Ok(!is_heard) }
    })
    .await
}

async fn register(api: &Api, email: &str) -> Result<Answer> {
    let new = json!({"email": email, "password": STRONG, "name": "Ada"});
    api.post("/api/v1/auth/register", None, &new).await
}

/// The tokens of somebody new: access and refresh.
async fn registered(api: &Api, email: &str) -> Result<(String, String)> {
    tokens(&register(api, email).await?)
}

fn tokens(answer: &Answer) -> Result<(String, String)> {
    let body = answer.json()?;
    let text = |name: &str| body[name].as_str().map(str::to_owned).context(body.to_string());
    Ok((text("access_token")?, text("refresh_token")?))
}

async fn log_in(api: &Api, email: &str, password: &str) -> Result<Answer> {
    api.post("/api/v1/auth/login", None, &json!({"email": email, "password": password})).await
}

async fn refresh(api: &Api, token: &str) -> Result<Answer> {
    api.post("/api/v1/auth/refresh", None, &json!({"refresh_token": token})).await
}

async fn profile(api: &Api, token: &str) -> Result<Answer> {
    api.get("/api/v1/users/profile", Some(token)).await
}

async fn delete(api: &Api, path: &str, token: &str) -> Result<Answer> {
    let request = Request::delete(path).header("authorization", format!("Bearer {token}"));
    api.call(request.body(Body::empty())?).await
}

fn told(answer: &Answer) -> Result<(u16, Value)> {
    Ok((answer.status.as_u16(), answer.json()?["code"].clone()))
}

/// Status and code of the first wrong field.
fn field(answer: &Answer) -> Result<(u16, Value, Value)> {
    let error = answer.json()?["errors"][0].clone();
    Ok((answer.status.as_u16(), error["field"].clone(), error["code"].clone()))
}

/// What came by mail.
async fn letters(api: &Api) -> Result<Vec<Rendered>> {
    run_due_jobs(&api.app).await?;
    Ok(api.inbox.take())
}

/// The token in the link of a letter.
fn token_of(letter: &Rendered) -> Result<String> {
    let (_, token) = letter.text.split_once("?token=").context("no link")?;
    Ok(token.split_whitespace().next().unwrap_or_default().to_owned())
}

async fn verify(api: &Api, token: &str) -> Result<Answer> {
    api.get(&format!("/api/v1/auth/verify-email?token={token}"), None).await
}

async fn count(api: &Api, sql: &'static str) -> Result<i64> {
    Ok(sqlx::query_scalar(sql).fetch_one(&api.app.db).await?)
}

async fn change_profile(api: &Api, token: &str, changes: &Value) -> Result<Answer> {
    api.send(Method::PATCH, "/api/v1/users/profile", Some(token), changes).await
}
