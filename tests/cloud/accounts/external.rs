//! Access tokens of an external issuer, such as Supabase Auth.

use super::provider::{Fake, signed};
use super::{count, profile, register, told};
use crate::gym::Gym;
use anyhow::Result;
use cloud_api::Config;
use cloud_api::config::{ExternalIssuer, Secret};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tests::api::Api;
use time::Duration;
use tokio::task::JoinSet;

const ISSUER: &str = "https://abc.supabase.co/auth/v1";
const SECRET: &str = "a secret that both sides know";

async fn with_secret(confirms_email: bool) -> Result<Api> {
    let secret = Some(Secret::from(SECRET.to_owned()));
    let external = ExternalIssuer {
        issuer: Some(ISSUER.to_owned()),
        secret,
        confirms_email,
        ..ExternalIssuer::default()
    };
    let api = Api::with(Config { external, ..Config::default() }).await?;
    Gym::open(&api, "Gym").await?;
    Ok(api)
}

fn claims(api: &Api) -> Value {
    let now = api.app.clock.now().unix_timestamp();
    json!({
        "iss": ISSUER, "aud": "authenticated", "role": "authenticated", "aal": "aal1",
        "sub": "5a1f1f0e-6a53-4b62-8a43-6a1d1f0e5a1f", "session_id": "0d6f2f5e-8d7b-4a6e-9a51-2f5e0d6f8d7b",
        "email": "ada@example.com", "iat": now, "exp": now + 3600,
    })
}

fn shared(claims: &Value) -> Result<String> {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key)?)
}

#[tokio::test]
async fn its_users_are_users_here_from_their_first_requests_on() -> Result<()> {
    let api = with_secret(true).await?;
    let token = shared(&claims(&api))?;

    let (one, two, three) =
        tokio::join!(profile(&api, &token), profile(&api, &token), profile(&api, &token));
    api.app.clock.advance(Duration::minutes(30));
    let renewed = profile(&api, &shared(&claims(&api))?).await?;

    for answer in [one?, two?, three?, renewed] {
        assert_eq!(answer.status, 200, "{:?}", answer.json());
        assert_eq!(answer.json()?["email"], "ada@example.com");
    }
    assert_eq!(count(&api, "SELECT count(*) FROM users").await?, 1);
    assert_eq!(count(&api, "SELECT count(*) FROM logins").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_login_there_can_be_ended_here() -> Result<()> {
    let api = with_secret(true).await?;
    let token = shared(&claims(&api))?;
    assert_eq!(profile(&api, &token).await?.status, 200);

    let out = api.post("/api/v1/auth/logout", Some(&token), &json!({})).await?;
    let after = profile(&api, &token).await?;
    api.app.clock.advance(Duration::seconds(5));
    let renewed = profile(&api, &shared(&claims(&api))?).await?;

    assert_eq!(out.status, 204, "{:?}", out.json());
    assert_eq!(told(&after)?, (401, json!("token_revoked")));
    assert_eq!(told(&renewed)?, (401, json!("token_revoked")));
    Ok(())
}

#[tokio::test]
async fn an_account_with_the_same_address_is_not_given_to_who_did_not_confirm_it() -> Result<()> {
    let api = with_secret(false).await?;
    register(&api, "ada@example.com").await?;

    let answer = profile(&api, &shared(&claims(&api))?).await?;

    assert_eq!(told(&answer)?, (409, json!("email_taken")));
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_not_for_us_or_not_of_now_or_of_nobody_is_refused() -> Result<()> {
    let api = with_secret(true).await?;
    let now = api.app.clock.now().unix_timestamp();
    let wrong = [
        ("aud", json!("anon")),
        ("exp", json!(now)),
        ("iat", json!(now + 120)),
        ("sub", json!("no-uuid")),
        ("session_id", Value::Null),
        ("is_anonymous", json!(true)),
    ];

    for (name, value) in wrong {
        let mut claims = claims(&api);
        claims[name] = value;
        let answer = profile(&api, &shared(&claims)?).await?;
        assert_eq!(told(&answer)?, (401, json!("invalid_id_token")), "{name}");
    }
    let other = EncodingKey::from_secret(b"another secret");
    let forged = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims(&api), &other)?;
    let swapped = signed("one", &claims(&api))?;
    let (_, rest) = forged.split_once('.').unwrap_or_default();
    let none = format!("eyJhbGciOiJub25lIn0.{rest}");
    for token in [forged, swapped, none] {
        assert_eq!(told(&profile(&api, &token).await?)?.0, 401);
    }
    assert_eq!(count(&api, "SELECT count(*) FROM users").await?, 0);
    Ok(())
}

#[tokio::test]
async fn published_keys_are_used_where_there_is_no_secret() -> Result<()> {
    let mut tasks = JoinSet::new();
    let fake = Fake::open(&mut tasks).await?;
    let external = ExternalIssuer {
        issuer: Some(ISSUER.to_owned()),
        keys_url: Some(fake.url("keys")),
        confirms_email: true,
        ..ExternalIssuer::default()
    };
    let api = Api::with(Config { external, ..Config::default() }).await?;
    Gym::open(&api, "Gym").await?;

    let good = profile(&api, &signed("one", &claims(&api))?).await?;
    let unknown = profile(&api, &signed("two", &claims(&api))?).await?;
    let shared = profile(&api, &shared(&claims(&api))?).await?;

    assert_eq!(good.status, 200, "{:?}", good.json());
    assert_eq!(told(&unknown)?, (401, json!("invalid_id_token")));
    assert_eq!(told(&shared)?, (401, json!("invalid_id_token")));
    Ok(())
}
