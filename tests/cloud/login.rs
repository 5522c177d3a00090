//! Logging in.

use crate::gym::{Gym, PASSWORD};
use anyhow::Result;
use cloud_api::config::Auth;
use cloud_api::domains::accounts::Role;
use cloud_api::{Config, ids::BranchId};
use serde_json::{Value, json};
use tests::api::{Answer, Api};
use time::Duration;

async fn log_in(api: &Api, email: &str, password: &str) -> Result<Answer> {
    api.post("/api/v1/auth/login", None, &json!({"email": email, "password": password})).await
}

async fn with_staff() -> Result<(Api, Gym)> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    gym.user(&api, "ada@example.com", Role::Staff, &[gym.branch.id]).await?;
    Ok((api, gym))
}

fn code(answer: &Answer) -> Result<Value> {
    Ok(answer.json()?["code"].clone())
}

#[tokio::test]
async fn nobody_logs_in_with_a_wrong_password() -> Result<()> {
    let (api, _) = with_staff().await?;

    let answer = log_in(&api, "ada@example.com", "not the password").await?;

    assert_eq!(answer.status, 401);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(code(&answer)?, "invalid_credentials");
    Ok(())
}

#[tokio::test]
async fn an_unknown_account_is_answered_like_a_wrong_password() -> Result<()> {
    let (api, _) = with_staff().await?;

    let unknown = log_in(&api, "nobody@example.com", "x").await?.json()?;
    let wrong = log_in(&api, "ada@example.com", "x").await?.json()?;

    let visible = |problem: &Value| {
        (problem["status"].clone(), problem["code"].clone(), problem["detail"].clone())
    };
    assert_eq!(visible(&unknown), visible(&wrong));
    Ok(())
}

#[tokio::test]
async fn the_right_password_gives_a_token_for_a_quarter_of_an_hour() -> Result<()> {
    let (api, _) = with_staff().await?;

    let answer = log_in(&api, " ADA@example.com", PASSWORD).await?;

    assert_eq!(answer.status, 200);
    let body = answer.json()?;
    assert_eq!(body["expires_in"], 900);
    assert_eq!(body["user"]["role"], "staff");
    let token = body["access_token"].as_str();
    assert_eq!(api.get("/api/v1/machines", token).await?.status, 200);
    api.app.clock.advance(Duration::seconds(901));
    let late = api.get("/api/v1/machines", token).await?;
    assert_eq!((late.status.as_u16(), code(&late)?), (401, json!("token_expired")));
    Ok(())
}

#[tokio::test]
async fn a_token_of_somebody_who_is_suspended_is_worth_nothing() -> Result<()> {
    let (api, gym) = with_staff().await?;
    let token = gym.token(&api, Role::Staff, &[gym.branch.id]).await?;

    sqlx::query("UPDATE users SET status = 'suspended'").execute(&api.app.db).await?;

    let answer = api.get("/api/v1/machines", Some(&token)).await?;
    assert_eq!((answer.status.as_u16(), code(&answer)?), (403, json!("account_suspended")));
    let login = log_in(&api, "ada@example.com", PASSWORD).await?;
    assert_eq!((login.status.as_u16(), code(&login)?), (403, json!("account_suspended")));
    Ok(())
}

#[tokio::test]
async fn a_suspension_is_told_only_to_who_knows_the_password() -> Result<()> {
    let (api, _) = with_staff().await?;
    sqlx::query("UPDATE users SET status = 'disabled'").execute(&api.app.db).await?;

    let answer = log_in(&api, "ada@example.com", "x").await?;

    assert_eq!(code(&answer)?, "invalid_credentials");
    Ok(())
}

#[tokio::test]
async fn guessing_is_slowed_down_even_with_the_right_password_in_the_end() -> Result<()> {
    let auth = Auth { max_failures: 2, ..Auth::default() };
    let api = Api::with(Config { auth, ..Config::default() }).await?;
    let gym = Gym::open(&api, "Gym").await?;
    gym.user(&api, "ada@example.com", Role::Admin, &[]).await?;
    log_in(&api, "ada@example.com", "1").await?;
    log_in(&api, "ada@example.com", "2").await?;

    let answer = log_in(&api, "ada@example.com", PASSWORD).await?;

    assert_eq!((answer.status.as_u16(), code(&answer)?), (429, json!("too_many_attempts")));
    assert!(answer.headers["retry-after"].to_str()?.parse::<u64>()? > 800);
    Ok(())
}

#[tokio::test]
async fn a_token_that_was_changed_or_signed_by_others_is_refused() -> Result<()> {
    let (api, gym) = with_staff().await?;
    let token = gym.token(&api, Role::Admin, &[]).await?;
    let elsewhere = Api::new().await?;
    let other_gym = Gym::open(&elsewhere, "Other").await?;
    let foreign = other_gym.token(&elsewhere, Role::Admin, &[]).await?;
    let (signed, _) = token.rsplit_once('.').unwrap_or_default();

    for bad in ["", "x", "a.b.c", signed, &format!("{signed}."), &foreign] {
        let answer = api.get("/api/v1/machines", Some(bad)).await?;
        assert_eq!(
            (answer.status.as_u16(), code(&answer)?),
            (401, json!("invalid_token")),
            "{bad}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_change_of_branches_counts_at_once() -> Result<()> {
    let (api, gym) = with_staff().await?;
    let token = gym.token(&api, Role::Staff, &[gym.branch.id]).await?;
    let path = |branch: BranchId| format!("/api/v1/machines?branch_id={branch}");
    assert_eq!(api.get(&path(gym.other.id), Some(&token)).await?.status, 404);

    sqlx::query("UPDATE branch_staff SET branch_id = $1")
        .bind(gym.other.id.0)
        .execute(&api.app.db)
        .await?;

    assert_eq!(api.get(&path(gym.other.id), Some(&token)).await?.status, 200);
    assert_eq!(api.get(&path(gym.branch.id), Some(&token)).await?.status, 404);
    Ok(())
}
