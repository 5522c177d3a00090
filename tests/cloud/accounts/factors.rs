//! The second factor.

use super::{STRONG, cloud, field, letters, log_in, registered, told};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::api::{Answer, Api};
use time::Duration;
use totp_rs::{Builder, Secret};

async fn post(api: &Api, path: &str, token: &str, body: &Value) -> Result<Answer> {
    api.post(&format!("/api/v1/auth/second-factor{path}"), Some(token), body).await
}

/// What the app shows now.
fn code(api: &Api, secret: &str) -> Result<String> {
    let secret = Secret::try_from_base32(secret).map_err(|_| anyhow::anyhow!("no base 32"))?;
    let totp = Builder::new().with_secret(secret).build().map_err(|_| anyhow::anyhow!("no key"))?;
    let now = u64::try_from(api.app.clock.now().unix_timestamp())?;
    Ok(totp.generate(now).to_string())
}

async fn log_in_with(api: &Api, code: &str) -> Result<Answer> {
    let login = json!({"email": "ada@example.com", "password": STRONG, "code": code});
    api.post("/api/v1/auth/login", None, &login).await
}

/// Switched on: the token, the secret and the recovery codes.
async fn switched_on(api: &Api) -> Result<(String, String, Vec<String>)> {
    let (token, _) = registered(api, "ada@example.com").await?;
    let begun = post(api, "", &token, &json!({"password": STRONG})).await?.json()?;
    let secret = begun["secret"].as_str().context(begun.to_string())?.to_owned();
    let confirm = json!({"code": code(api, &secret)?});
    let codes = post(api, "/confirm", &token, &confirm).await?.json()?;
    let codes = codes["recovery_codes"].as_array().context(codes.to_string())?;
    let codes = codes.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect();
    Ok((token, secret, codes))
}

#[tokio::test]
async fn once_it_is_on_logging_in_needs_a_code_that_is_good_once() -> Result<()> {
    let (api, _) = cloud().await?;
    let (_, secret, _) = switched_on(&api).await?;

    let without = log_in(&api, "ada@example.com", STRONG).await?;
    let used = log_in_with(&api, &code(&api, &secret)?).await?;
    api.app.clock.advance(Duration::seconds(31));
    let fresh = code(&api, &secret)?;
    let right = log_in_with(&api, &fresh).await?;

    assert_eq!(told(&without)?, (401, json!("second_factor_required")));
    assert_eq!(told(&used)?, (401, json!("invalid_code")));
    assert_eq!(right.status, 200);
    assert_eq!(told(&log_in_with(&api, &fresh).await?)?, (401, json!("invalid_code")));
    assert!(letters(&api).await?.iter().any(|letter| letter.subject == "Two-step login is on"));
    Ok(())
}

#[tokio::test]
async fn a_code_is_asked_for_only_after_the_right_password() -> Result<()> {
    let (api, _) = cloud().await?;
    switched_on(&api).await?;

    let answer = log_in(&api, "ada@example.com", "wrong").await?;

    assert_eq!(told(&answer)?, (401, json!("invalid_credentials")));
    Ok(())
}

#[tokio::test]
async fn codes_cannot_be_guessed_for_long() -> Result<()> {
    let (api, _) = cloud().await?;
    let (_, secret, _) = switched_on(&api).await?;
    api.app.clock.advance(Duration::seconds(31));
    for _ in 0..5 {
        assert_eq!(told(&log_in_with(&api, "000000").await?)?.0, 401);
    }

    let right = log_in_with(&api, &code(&api, &secret)?).await?;

    assert_eq!(told(&right)?, (429, json!("too_many_attempts")));
    Ok(())
}

#[tokio::test]
async fn a_recovery_code_is_good_once_however_it_is_typed() -> Result<()> {
    let (api, _) = cloud().await?;
    let (_, _, codes) = switched_on(&api).await?;
    assert_eq!(codes.len(), 10);

    let typed = codes[0].to_lowercase().replace('-', " ");

    assert_eq!(log_in_with(&api, &typed).await?.status, 200);
    assert_eq!(told(&log_in_with(&api, &codes[0]).await?)?, (401, json!("invalid_code")));
    assert_eq!(log_in_with(&api, &codes[1]).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn it_is_switched_on_and_off_only_by_who_knows_the_password() -> Result<()> {
    let (api, _) = cloud().await?;
    let (token, secret, codes) = switched_on(&api).await?;
    api.app.clock.advance(Duration::seconds(31));
    let begun = post(&api, "", &token, &json!({"password": STRONG})).await?;
    assert_eq!(told(&begun)?, (409, json!("second_factor_is_on")));
    let disable = |password: &str, code: &str| json!({"password": password, "code": code});
    let (right, wrong) = (code(&api, &secret)?, "000000");

    let no_password = post(&api, "/disable", &token, &disable("wrong", &right)).await?;
    let no_code = post(&api, "/disable", &token, &disable(STRONG, wrong)).await?;
    let done = post(&api, "/disable", &token, &disable(STRONG, &codes[0])).await?;

    assert_eq!(field(&no_password)?, (422, json!("password"), json!("wrong")));
    assert_eq!(field(&no_code)?, (422, json!("code"), json!("wrong")));
    assert_eq!(done.status, 204);
    assert_eq!(log_in(&api, "ada@example.com", STRONG).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn secrets_of_apps_are_kept_sealed() -> Result<()> {
    let (api, _) = cloud().await?;
    let (_, secret, _) = switched_on(&api).await?;

    let kept: Vec<u8> =
        sqlx::query_scalar("SELECT secret FROM second_factors").fetch_one(&api.app.db).await?;

    let plain = Secret::try_from_base32(&secret).map_err(|_| anyhow::anyhow!("no base 32"))?;
    assert!(!kept.windows(20).any(|window| window == &plain[..]));
    Ok(())
}
