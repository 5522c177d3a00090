//! Forgotten and changed passwords, changed addresses, imported hashes.

use super::{
    STRONG, cloud, count, field, letters, log_in, profile, refresh, register, registered, token_of,
    tokens, told, verify,
};
use crate::gym::Gym;
use anyhow::Result;
use cloud_api::Config;
use cloud_api::config::Auth;
use serde_json::{Value, json};
use tests::api::{Answer, Api};
use time::Duration;

const NEW: &str = "seven violet anchors hum";

async fn forgot(api: &Api, email: &str) -> Result<Answer> {
    api.post("/api/v1/auth/forgot-password", None, &json!({"email": email})).await
}

async fn reset(api: &Api, token: &str, password: &str) -> Result<Answer> {
    let body = json!({"token": token, "password": password});
    api.post("/api/v1/auth/reset-password", None, &body).await
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_once_and_all_devices_are_logged_out() -> Result<()> {
    let (api, _) = cloud().await?;
    let (access, token) = registered(&api, "ada@example.com").await?;
    letters(&api).await?;
    assert_eq!(forgot(&api, "ADA@example.com").await?.status, 202);
    let link = token_of(&letters(&api).await?[0])?;

    let weak = reset(&api, &link, "password1").await?;
    let right = reset(&api, &link, NEW).await?;

    assert_eq!(field(&weak)?, (422, json!("password"), json!("weak")));
    assert_eq!(right.status, 204);
    assert_eq!(
        field(&reset(&api, &link, NEW).await?)?,
        (422, json!("token"), json!("invalid_token"))
    );
    assert_eq!(profile(&api, &access).await?.status, 401);
    assert_eq!(refresh(&api, &token).await?.status, 401);
    assert_eq!(log_in(&api, "ada@example.com", STRONG).await?.status, 401);
    assert_eq!(log_in(&api, "ada@example.com", NEW).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_link_to_a_new_password_is_good_for_an_hour() -> Result<()> {
    let (api, _) = cloud().await?;
    register(&api, "ada@example.com").await?;
    letters(&api).await?;
    forgot(&api, "ada@example.com").await?;
    let link = token_of(&letters(&api).await?[0])?;

    api.app.clock.advance(Duration::minutes(61));

    assert_eq!(reset(&api, &link, NEW).await?.status, 422);
    Ok(())
}

#[tokio::test]
async fn nothing_tells_whether_an_account_was_asked_for() -> Result<()> {
    let (api, _) = cloud().await?;
    register(&api, "ada@example.com").await?;
    letters(&api).await?;

    let runs = api.app.passwords.runs();
    let known = forgot(&api, "ada@example.com").await?;
    let unknown = forgot(&api, "nobody@example.com").await?;

    assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
    // Both have done the same so far: one job each, no password, no letter.
    assert_eq!((api.app.passwords.runs(), api.inbox.take().len()), (runs, 0));
    let queued: Vec<String> = sqlx::query_scalar("SELECT kind FROM jobs WHERE failed_at IS NULL")
        .fetch_all(&api.app.db)
        .await?;
    assert_eq!(queued, ["accounts.write_to", "accounts.write_to"]);
    assert_eq!(letters(&api).await?.len(), 1);
    Ok(())
}

/// Answer, passwords that were looked at, and lines in the audit log, of a login that fails.
async fn failed(api: &Api, email: &str) -> Result<((u16, Value), u64, i64)> {
    const LINES: &str = "SELECT count(*) FROM audit_log";
    let (runs, lines) = (api.app.passwords.runs(), count(api, LINES).await?);
    let answer = told(&log_in(api, email, "wrong").await?)?;
    Ok((answer, api.app.passwords.runs() - runs, count(api, LINES).await? - lines))
}

#[tokio::test]
async fn a_login_that_fails_does_the_same_whether_or_not_there_is_an_account() -> Result<()> {
    let (api, _) = cloud().await?;
    for (email, change) in [
        ("known@example.com", "name = 'Ada'"),
        ("hashless@example.com", "password_hash = NULL"),
        ("suspended@example.com", "status = 'suspended'"),
        ("locked@example.com", "status = 'locked'"),
    ] {
        register(&api, email).await?;
        let change = format!("UPDATE users SET {change} WHERE email = '{email}'");
        sqlx::query(sqlx::AssertSqlSafe(change)).execute(&api.app.db).await?;
    }

    let unknown = failed(&api, "nobody@example.com").await?;

    assert_eq!(unknown, ((401, json!("invalid_credentials")), 1, 1));
    for email in ["known", "hashless", "suspended", "locked"] {
        assert_eq!(failed(&api, &format!("{email}@example.com")).await?, unknown, "{email}");
    }
    Ok(())
}

#[tokio::test]
async fn one_address_gets_three_letters_an_hour() -> Result<()> {
    let (api, _) = cloud().await?;
    for _ in 0..3 {
        assert_eq!(forgot(&api, "ada@example.com").await?.status, 202);
    }

    let fourth = forgot(&api, "ada@example.com").await?;

    assert_eq!(told(&fourth)?, (429, json!("too_many_letters")));
    assert!(fourth.headers.contains_key("retry-after"));
    assert_eq!(forgot(&api, "eve@example.com").await?.status, 202);
    Ok(())
}

async fn change(api: &Api, token: &str, what: &str, body: &Value) -> Result<Answer> {
    api.post(&format!("/api/v1/auth/change-{what}"), Some(token), body).await
}

#[tokio::test]
async fn changing_the_password_needs_the_present_one_and_logs_other_devices_out() -> Result<()> {
    let (api, _) = cloud().await?;
    let (here, _) = registered(&api, "ada@example.com").await?;
    let (there, _) = tokens(&log_in(&api, "ada@example.com", STRONG).await?)?;

    let wrong = json!({"current_password": "wrong", "new_password": NEW});
    let wrong = change(&api, &here, "password", &wrong).await?;
    let right = json!({"current_password": STRONG, "new_password": NEW});
    let right = change(&api, &here, "password", &right).await?;

    assert_eq!(field(&wrong)?, (422, json!("current_password"), json!("wrong")));
    assert_eq!(right.status, 204);
    assert_eq!(profile(&api, &here).await?.status, 200);
    assert_eq!(profile(&api, &there).await?.status, 401);
    assert_eq!(log_in(&api, "ada@example.com", NEW).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_stolen_token_does_not_guess_the_password_for_long() -> Result<()> {
    let auth = Auth { max_failures: 2, ..Auth::default() };
    let api = Api::with(Config { auth, ..Config::default() }).await?;
    Gym::open(&api, "Gym").await?;
    let (token, _) = registered(&api, "ada@example.com").await?;
    let guess = json!({"current_password": "wrong", "new_password": NEW});

    change(&api, &token, "password", &guess).await?;
    change(&api, &token, "password", &guess).await?;

    let third = change(&api, &token, "password", &guess).await?;
    assert_eq!(told(&third)?, (429, json!("too_many_attempts")));
    Ok(())
}

#[tokio::test]
async fn a_new_address_is_used_once_it_was_confirmed_and_the_old_one_is_told() -> Result<()> {
    let (api, _) = cloud().await?;
    let (token, _) = registered(&api, "ada@example.com").await?;
    letters(&api).await?;
    let body = json!({"password": STRONG, "new_email": "ada@example.org"});
    assert_eq!(change(&api, &token, "email", &body).await?.status, 202);
    let letter = letters(&api).await?.remove(0);
    assert_eq!(letter.to, "ada@example.org");
    assert_eq!(log_in(&api, "ada@example.org", STRONG).await?.status, 401);

    assert_eq!(verify(&api, &token_of(&letter)?).await?.status, 204);

    assert_eq!(letters(&api).await?[0].to, "ada@example.com");
    assert_eq!(log_in(&api, "ada@example.org", STRONG).await?.status, 200);
    assert_eq!(log_in(&api, "ada@example.com", STRONG).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn an_address_that_was_taken_meanwhile_is_not_given_twice() -> Result<()> {
    let (api, _) = cloud().await?;
    let (token, _) = registered(&api, "ada@example.com").await?;
    letters(&api).await?;
    let body = json!({"password": STRONG, "new_email": "eve@example.com"});
    change(&api, &token, "email", &body).await?;
    let link = token_of(&letters(&api).await?[0])?;
    register(&api, "eve@example.com").await?;

    let answer = verify(&api, &link).await?;

    assert_eq!(told(&answer)?, (409, json!("email_taken")));
    assert_eq!(log_in(&api, "ada@example.com", STRONG).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn an_imported_hash_logs_in_and_is_replaced() -> Result<()> {
    let (api, _) = cloud().await?;
    register(&api, "ada@example.com").await?;
    let imported = "$2b$04$abcdefghijklmnopqrstuuPWRtT5yx7FBi4dcf6ROhboeNunUrLQ.";
    sqlx::query("UPDATE users SET password_hash = $1").bind(imported).execute(&api.app.db).await?;

    assert_eq!(log_in(&api, "ada@example.com", "wrong").await?.status, 401);
    assert_eq!(log_in(&api, "ada@example.com", "geheim").await?.status, 200);

    let hash: String =
        sqlx::query_scalar("SELECT password_hash FROM users").fetch_one(&api.app.db).await?;
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    assert_eq!(log_in(&api, "ada@example.com", "geheim").await?.status, 200);
    Ok(())
}
