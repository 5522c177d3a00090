//! What is unusual about an account locks it, and its owner is told.

use super::{Scene, log_in, told};
use crate::gym::PASSWORD;
use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::Request;
use cloud_api::domains::accounts::Role;
use serde_json::{Value, json};
use tests::api::Answer;

async fn log_in_from(scene: &Scene, address: u8) -> Result<Answer> {
    let body = json!({"email": scene.ada.email, "password": PASSWORD}).to_string();
    let peer: std::net::SocketAddr = ([192, 0, 2, address], 4000).into();
    let mut request = Request::post("/api/v1/auth/login")
        .header("content-type", "application/json")
        .body(Body::from(body))?;
    request.extensions_mut().insert(axum::extract::ConnectInfo(peer));
    scene.api.call(request).await
}

async fn events(scene: &Scene) -> Result<Vec<(Value, Value)>> {
    let admin = scene.person("admin@example.com", Role::Admin, &[]).await?;
    let path = "/api/v1/admin/security-events";
    let list = scene.api.get(path, Some(&admin.token)).await?.json()?;
    let items = list["items"].as_array().cloned().unwrap_or_default();
    Ok(items.iter().map(|one| (one["rule"].clone(), one["is_locked"].clone())).collect())
}

#[tokio::test]
async fn logins_from_everywhere_at_once_lock_the_account_until_a_new_password() -> Result<()> {
    let scene = Scene::open().await?;
    for address in 1..=7 {
        assert_eq!(log_in_from(&scene, address).await?.status, 200);
    }
    scene.letters().await?;

    let refused = log_in_from(&scene, 8).await?;
    let device = scene.get("/users/profile").await?;
    let letters = scene.letters().await?;

    assert_eq!(told(&refused)?, (403, json!("account_locked")));
    assert_eq!(device.status, 401);
    assert!(letters.contains(&"Your account was locked".to_owned()), "{letters:?}");
    assert_eq!(told(&log_in(&scene.api, &scene.ada.email).await?)?, (403, json!("account_locked")));
    assert_eq!(events(&scene).await?, [(json!("many_addresses"), json!(true))]);
    Ok(())
}

#[tokio::test]
async fn a_new_password_by_letter_unlocks() -> Result<()> {
    let scene = Scene::open().await?;
    sqlx::query("UPDATE users SET status = 'locked'").execute(&scene.api.app.db).await?;
    let ask = json!({"email": scene.ada.email});
    scene.api.post("/api/v1/auth/forgot-password", None, &ask).await?;
    cloud_api::jobs::run_due_jobs(&scene.api.app).await?;
    let letter = scene.api.inbox.take().pop().context("no letter")?;
    let token = letter.text.split("token=").nth(1).context("no link")?;
    let token = token.split_whitespace().next().unwrap_or_default();

    let reset = json!({"token": token, "password": "marble otter sings 7 tangos"});
    let reset = scene.api.post("/api/v1/auth/reset-password", None, &reset).await?;

    assert_eq!(reset.status, 204);
    let login = json!({"email": scene.ada.email, "password": "marble otter sings 7 tangos"});
    assert_eq!(scene.api.post("/api/v1/auth/login", None, &login).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn archives_that_are_asked_for_again_and_again_lock_the_account() -> Result<()> {
    let scene = Scene::open().await?;
    for _ in 0..4 {
        assert_eq!(scene.post("/users/export", json!({})).await?.status, 202);
        scene.letters().await?;
    }

    let refused = scene.post("/users/export", json!({})).await?;

    assert_eq!(told(&refused)?, (403, json!("account_locked")));
    assert_eq!(events(&scene).await?, [(json!("export_burst"), json!(true))]);
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_copied_again_and_again_locks_the_account() -> Result<()> {
    let scene = Scene::open().await?;
    let mut last = Value::Null;
    for _ in 0..3 {
        let tokens = log_in(&scene.api, &scene.ada.email).await?.json()?;
        let old = json!({"refresh_token": tokens["refresh_token"]});
        let new = scene.api.post("/api/v1/auth/refresh", None, &old).await?.json()?;
        let new = json!({"refresh_token": new["refresh_token"]});
        scene.api.post("/api/v1/auth/refresh", None, &new).await?;
        let reused = scene.api.post("/api/v1/auth/refresh", None, &old).await?;
        last = reused.json()?["code"].clone();
    }

    assert_eq!(last, "account_locked");
    let mut expected = vec![(json!("token_reuse"), json!(true))];
    expected.extend(vec![(json!("token_reuse"), json!(false)); 3]);
    assert_eq!(events(&scene).await?, expected);
    Ok(())
}

#[tokio::test]
async fn guessed_passwords_are_noted_once_and_lock_nobody_out() -> Result<()> {
    let scene = Scene::open().await?;
    let guess = async |email: &str| {
        let body = json!({"email": email, "password": "a guess"});
        anyhow::Ok(scene.api.post("/api/v1/auth/login", None, &body).await?.status.as_u16())
    };
    let mut statuses = Vec::new();
    for _ in 0..9 {
        statuses.push(guess(&scene.ada.email).await?);
        guess("nobody@example.com").await?;
    }
    scene.letters().await?;

    assert_eq!(statuses, [401, 401, 401, 401, 401, 429, 429, 429, 429]);
    assert_eq!(events(&scene).await?, [(json!("password_guessing"), json!(false))]);
    assert_eq!(scene.get("/users/profile").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn an_operator_bounds_what_is_unusual() -> Result<()> {
    let mut config = cloud_api::Config::default();
    config.watch.max_exports = 1;
    let api = tests::api::Api::with(config).await?;
    let gym = crate::gym::Gym::open(&api, "Gym").await?;
    let ada = super::Person::enter(&api, &gym, "ada@example.com", Role::Member, &[]).await?;
    let ask = async || api.post("/api/v1/users/export", Some(&ada.token), &json!({})).await;

    let first = ask().await?;
    cloud_api::jobs::run_due_jobs(&api.app).await?;
    let second = ask().await?;

    assert_eq!(first.status, 202);
    assert_eq!(told(&second)?, (403, json!("account_locked")));
    Ok(())
}
