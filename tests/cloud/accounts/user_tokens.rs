//! Tokens of users: only ours, only while they are good, and only for what they are.

use super::{STRONG, cloud, log_in, profile, refresh, registered, tokens, told};
use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cloud_api::keys::rotate_user_token_key;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tests::api::Api;
use time::Duration;

/// The claims of a token, unverified.
fn claims(token: &str) -> Result<Value> {
    part(token, 1)
}

fn part(token: &str, index: usize) -> Result<Value> {
    let text = token.split('.').nth(index).context("no token")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text)?)?)
}

/// A token with our own key and head, and other claims.
fn signed(api: &Api, claims: &Value) -> Result<String> {
    let keys = api.app.keys.user_token();
    let header = Header { kid: Some(keys.key_id().to_string()), ..Header::new(Algorithm::EdDSA) };
    Ok(jsonwebtoken::encode(&header, claims, keys.encoding())?)
}

async fn refused(api: &Api, token: &str, about: &str) -> Result<()> {
    let answer = profile(api, token).await?;
    assert_eq!(told(&answer)?, (401, json!("invalid_token")), "{about}");
    Ok(())
}

#[tokio::test]
async fn a_token_says_who_with_which_role_and_for_how_long() -> Result<()> {
    let (api, _) = cloud().await?;
    registered(&api, "ada@example.com").await?;
    sqlx::query("UPDATE users SET plan = 'premium'").execute(&api.app.db).await?;

    let (access, refresh) = tokens(&log_in(&api, "ada@example.com", STRONG).await?)?;

    let said = claims(&access)?;
    assert_eq!((&said["email"], &said["role"]), (&json!("ada@example.com"), &json!("premium")));
    assert_eq!(said["subscription"], "premium");
    assert_eq!(said["exp"].as_i64().unwrap_or(0) - said["iat"].as_i64().unwrap_or(0), 900);
    let scope = said["scope"].as_array().context("no scope")?;
    assert!(scope.contains(&json!("read:profile")) && scope.contains(&json!("read:analytics")));
    let said = claims(&refresh)?;
    assert_eq!(said["type"], "refresh");
    assert_eq!(said["exp"].as_i64().unwrap_or(0) - said["iat"].as_i64().unwrap_or(0), 604_800);
    Ok(())
}

#[tokio::test]
async fn algorithms_are_not_for_the_sender_to_choose() -> Result<()> {
    let (api, _) = cloud().await?;
    let (access, _) = registered(&api, "ada@example.com").await?;
    let body = access.split('.').nth(1).context("no token")?;
    let keys = api.app.keys.user_token();
    let (key_id, public) = keys.public().next().context("no key")?;
    let head = |head: Value| URL_SAFE_NO_PAD.encode(head.to_string());

    for none in ["none", "None", "NONE"] {
        let head = head(json!({"alg": none, "typ": "JWT", "kid": key_id.to_string()}));
        refused(&api, &format!("{head}.{body}."), none).await?;
    }
    // The public key as a shared secret.
    let header = Header { kid: Some(key_id.to_string()), ..Header::new(Algorithm::HS256) };
    let secret = EncodingKey::from_secret(public.as_bytes());
    let swapped = jsonwebtoken::encode(&header, &claims(&access)?, &secret)?;
    refused(&api, &swapped, "HS256").await?;
    Ok(())
}

#[tokio::test]
async fn a_token_of_another_issuer_audience_or_kind_is_refused() -> Result<()> {
    let (api, _) = cloud().await?;
    let (access, refresh_token) = registered(&api, "ada@example.com").await?;
    let with = |name: &str, value: Value| {
        let mut said = claims(&access)?;
        said[name] = value;
        signed(&api, &said)
    };

    refused(&api, &with("iss", json!("elsewhere"))?, "issuer").await?;
    refused(&api, &with("aud", json!("gymwire-refresh"))?, "audience").await?;
    refused(&api, &with("sub", json!("no id"))?, "subject").await?;
    refused(&api, &refresh_token, "a refresh token").await?;
    let as_refresh = refresh(&api, &access).await?;
    assert_eq!(told(&as_refresh)?, (401, json!("invalid_refresh_token")));
    Ok(())
}

#[tokio::test]
async fn a_token_is_over_at_its_second() -> Result<()> {
    let (api, _) = cloud().await?;
    let (access, _) = registered(&api, "ada@example.com").await?;
    let exp = claims(&access)?["exp"].as_i64().context("no exp")?;
    let until = |second: i64| {
        let now = api.app.clock.now().unix_timestamp();
        api.app.clock.advance(Duration::seconds(second - now));
    };

    until(exp - 2);
    assert_eq!(profile(&api, &access).await?.status, 200);
    until(exp);
    assert_eq!(told(&profile(&api, &access).await?)?, (401, json!("token_expired")));
    Ok(())
}

#[tokio::test]
async fn clocks_of_instances_may_differ_by_a_minute() -> Result<()> {
    let (api, _) = cloud().await?;
    let (access, _) = registered(&api, "ada@example.com").await?;
    let ahead = |by_s: i64| {
        let mut said = claims(&access)?;
        for name in ["iat", "exp"] {
            said[name] = json!(said[name].as_i64().unwrap_or(0) + by_s);
        }
        signed(&api, &said)
    };

    assert_eq!(profile(&api, &ahead(50)?).await?.status, 200);
    refused(&api, &ahead(120)?, "from the future").await
}

#[tokio::test]
async fn a_token_of_a_login_that_never_was_is_refused() -> Result<()> {
    let (api, _) = cloud().await?;
    let (access, _) = registered(&api, "ada@example.com").await?;
    let (other, _) = registered(&api, "eve@example.com").await?;
    let mut said = claims(&access)?;
    said["sid"] = claims(&other)?["sid"].clone();

    let answer = profile(&api, &signed(&api, &said)?).await?;

    assert_eq!(told(&answer)?, (401, json!("token_revoked")));
    Ok(())
}

#[tokio::test]
async fn keys_are_published_and_rotated_without_logging_anybody_out() -> Result<()> {
    let (api, _) = cloud().await?;
    let (old, refresh_token) = registered(&api, "ada@example.com").await?;
    let second = Api::over(api.app.clone());
    let elsewhere = cloud_api::App::open(
        api.app.db.clone(),
        (*api.app.config).clone(),
        api.app.clock.clone(),
        api.app.stop.clone(),
    );
    let elsewhere = Api::over(elsewhere.await?);
    let mut tx = api.app.db.begin().await?;
    let key_id = rotate_user_token_key(&mut tx, api.app.clock.now()).await?;
    tx.commit().await?;
    api.app.keys.reload_user_token(&api.app).await?;

    let (new, _) = tokens(&refresh(&api, &refresh_token).await?)?;

    assert_eq!(part(&new, 0)?["kid"], key_id.to_string());
    assert_eq!(profile(&second, &old).await?.status, 200);
    // An instance that has not heard of the key looks for it.
    assert_eq!(profile(&elsewhere, &new).await?.status, 200);
    let published = api.get("/.well-known/jwks.json", None).await?.json()?;
    let kids = published["keys"].as_array().context("no keys")?;
    assert_eq!(kids.len(), 2);
    assert_eq!((&kids[0]["kid"], &kids[0]["crv"]), (&json!(key_id.to_string()), &json!("Ed25519")));
    Ok(())
}
