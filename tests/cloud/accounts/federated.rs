//! Signing in with the id token of an app.

use super::provider::{Fake, MODULUS, signed};
use super::{STRONG, count, letters, profile, register, token_of, tokens, told, verify};
use crate::gym::Gym;
use anyhow::Result;
use cloud_api::Config;
use cloud_api::config::Provider;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tests::api::{Answer, Api};
use time::Duration;
use tokio::task::JoinSet;

struct Scene {
    api: Api,
    fake: Fake,
    _tasks: JoinSet<()>,
}

const NONCE: &str = "nonce-of-this-app";

impl Scene {
    async fn open() -> Result<Self> {
        let mut tasks = JoinSet::new();
        let fake = Fake::open(&mut tasks).await?;
        let (client_ids, keys_url) = (vec!["our-app".to_owned()], Some(fake.url("keys")));
        let provider = Provider { client_ids, keys_url, ..Provider::default() };
        let (google, apple) = (provider.clone(), provider);
        let api = Api::with(Config { google, apple, ..Config::default() }).await?;
        Gym::open(&api, "Gym").await?;
        Ok(Self { api, fake, _tasks: tasks })
    }

    /// Claims of a good token of Google.
    fn claims(&self, subject: &str, email: &str) -> Value {
        let now = self.api.app.clock.now().unix_timestamp();
        json!({
            "iss": "https://accounts.google.com", "aud": "our-app", "sub": subject, "email": email,
            "email_verified": true, "name": "Ada", "nonce": NONCE, "iat": now, "exp": now + 3600,
            "jti": uuid::Uuid::now_v7().to_string(),
        })
    }

    async fn sign_in(&self, provider: &str, kid: &str, claims: &Value) -> Result<Answer> {
        let body = json!({"id_token": signed(kid, claims)?, "nonce": NONCE});
        self.api.post(&format!("/api/v1/auth/{provider}"), None, &body).await
    }

    async fn google(&self, claims: &Value) -> Result<Answer> {
        self.sign_in("google", "one", claims).await
    }
}

#[tokio::test]
async fn the_first_sign_in_makes_an_account_and_the_next_finds_it_by_its_subject() -> Result<()> {
    let scene = Scene::open().await?;

    let first = scene.google(&scene.claims("g-1", "ada@example.com")).await?;
    let (token, _) = tokens(&first)?;
    let renamed = scene.google(&scene.claims("g-1", "other@example.com")).await?;

    assert_eq!(profile(&scene.api, &token).await?.json()?["is_email_verified"], true);
    assert_eq!(renamed.json()?["user"]["email"], "ada@example.com");
    assert_eq!(count(&scene.api, "SELECT count(*) FROM users").await?, 1);
    Ok(())
}

#[tokio::test]
async fn an_account_is_linked_only_if_both_sides_confirmed_the_address() -> Result<()> {
    let scene = Scene::open().await?;
    register(&scene.api, "ada@example.com").await?;
    let link = token_of(&letters(&scene.api).await?[0])?;
    let mut unverified = scene.claims("g-1", "ada@example.com");
    unverified["email_verified"] = json!(false);

    let before = scene.google(&scene.claims("g-1", "ada@example.com")).await?;
    verify(&scene.api, &link).await?;
    let doubtful = scene.google(&unverified).await?;
    let linked = scene.google(&scene.claims("g-1", "ada@example.com")).await?;

    assert_eq!(told(&before)?, (409, json!("email_taken")));
    assert_eq!(told(&doubtful)?, (409, json!("email_taken")));
    assert_eq!(linked.status, 200);
    assert_eq!(super::log_in(&scene.api, "ada@example.com", STRONG).await?.status, 200);
    assert_eq!(count(&scene.api, "SELECT count(*) FROM users").await?, 1);
    Ok(())
}

#[tokio::test]
async fn apple_writes_truth_as_text_and_digests_the_nonce() -> Result<()> {
    let scene = Scene::open().await?;
    let mut claims = scene.claims("a-1", "x@privaterelay.appleid.com");
    claims["iss"] = json!("https://appleid.apple.com");
    claims["email_verified"] = json!("true");
    claims["nonce"] = json!(hex::encode(Sha256::digest(NONCE)));

    let answer = scene.sign_in("apple", "one", &claims).await?;

    let (token, _) = tokens(&answer)?;
    assert_eq!(profile(&scene.api, &token).await?.json()?["is_email_verified"], true);
    Ok(())
}

#[tokio::test]
async fn a_token_for_others_of_others_or_of_another_time_is_refused() -> Result<()> {
    let scene = Scene::open().await?;
    let now = scene.api.app.clock.now().unix_timestamp();
    let wrong = [
        ("iss", json!("https://appleid.apple.com")),
        ("aud", json!("another-app")),
        ("azp", json!("another-app")),
        ("nonce", json!("another-nonce")),
        ("nonce", Value::Null),
        ("exp", json!(now - 61)),
        ("iat", json!(now + 120)),
        ("sub", Value::Null),
    ];

    for (name, value) in wrong {
        let mut claims = scene.claims("g-1", "ada@example.com");
        claims[name] = value;
        let answer = scene.google(&claims).await?;
        assert_eq!(told(&answer)?, (401, json!("invalid_id_token")), "{name}");
    }
    assert_eq!(count(&scene.api, "SELECT count(*) FROM users").await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_token_signed_by_somebody_else_or_with_a_shared_secret_is_refused() -> Result<()> {
    let scene = Scene::open().await?;
    let claims = scene.claims("g-1", "ada@example.com");
    let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::HS256) };
    let secret = EncodingKey::from_secret(MODULUS.as_bytes());
    let swapped = jsonwebtoken::encode(&header, &claims, &secret)?;
    let mut tokens = vec![swapped, "a.b.c".to_owned()];
    let good = signed("one", &claims)?;
    let (signed, _) = good.rsplit_once('.').unwrap_or_default();
    tokens.push(format!("{signed}.{}", "A".repeat(342)));

    for id_token in tokens {
        let body = json!({"id_token": id_token, "nonce": NONCE});
        let answer = scene.api.post("/api/v1/auth/google", None, &body).await?;
        assert_eq!(told(&answer)?, (401, json!("invalid_id_token")), "{id_token}");
    }
    Ok(())
}

#[tokio::test]
async fn an_id_token_is_good_once() -> Result<()> {
    let scene = Scene::open().await?;
    let claims = scene.claims("g-1", "ada@example.com");
    assert_eq!(scene.google(&claims).await?.status, 200);

    let again = scene.google(&claims).await?;

    assert_eq!(told(&again)?, (401, json!("invalid_id_token")));
    Ok(())
}

#[tokio::test]
async fn keys_are_fetched_once_and_for_unknown_ones_at_most_once_a_minute() -> Result<()> {
    let scene = Scene::open().await?;
    for subject in ["g-1", "g-2"] {
        let email = format!("{subject}@example.com");
        assert_eq!(scene.google(&scene.claims(subject, &email)).await?.status, 200);
    }

    for _ in 0..3 {
        let claims = scene.claims("g-3", "c@example.com");
        let answer = scene.sign_in("google", "made-up", &claims).await?;
        assert_eq!(told(&answer)?, (401, json!("invalid_id_token")));
    }

    assert_eq!(scene.fake.state().asked_for_keys, 1);
    Ok(())
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_told_apart_from_a_bad_token() -> Result<()> {
    let keys_url = "http://127.0.0.1:1/keys".to_owned();
    let (client_ids, keys_url) = (vec!["our-app".to_owned()], Some(keys_url));
    let google = Provider { client_ids, keys_url, ..Provider::default() };
    let api = Api::with(Config { google, ..Config::default() }).await?;
    let body = json!({"id_token": signed("one", &json!({"sub": "x"}))?, "nonce": NONCE});

    let away = api.post("/api/v1/auth/google", None, &body).await?;
    let off = api.post("/api/v1/auth/apple", None, &body).await?;

    assert_eq!(told(&away)?, (503, json!("provider_unavailable")));
    assert!(away.headers.contains_key("retry-after"));
    assert_eq!(told(&off)?, (404, json!("not_configured")));
    Ok(())
}

#[tokio::test]
async fn somebody_who_is_suspended_does_not_get_in_by_a_provider() -> Result<()> {
    let scene = Scene::open().await?;
    scene.google(&scene.claims("g-1", "ada@example.com")).await?;
    sqlx::query("UPDATE users SET status = 'suspended'").execute(&scene.api.app.db).await?;
    scene.api.app.clock.advance(Duration::seconds(1));

    let answer = scene.google(&scene.claims("g-1", "ada@example.com")).await?;

    assert_eq!(told(&answer)?, (403, json!("account_suspended")));
    Ok(())
}
