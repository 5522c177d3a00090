//! Signing in at the pages of Google and Apple.

use super::provider::{Fake, signed};
use super::{count, profile, tokens, told};
use crate::gym::Gym;
use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cloud_api::Config;
use cloud_api::config::{Provider, Secret, WebSignIn};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use tempfile::TempDir;
use tests::api::{Answer, Api};
use time::Duration;
use tokio::task::JoinSet;
use url::Url;

const APP: &str = "gym://signed-in";
const VERIFIER: &str = "a-verifier-that-the-app-made-up-0123456789-ab";

struct Scene {
    api: Api,
    fake: Fake,
    _tasks: JoinSet<()>,
    _folder: TempDir,
}

/// A browser on its way.
struct Visit {
    /// What the provider's page was told.
    page: BTreeMap<String, String>,
    cookie: String,
}

impl Scene {
    async fn open() -> Result<Self> {
        let mut tasks = JoinSet::new();
        let fake = Fake::open(&mut tasks).await?;
        let folder = tempfile::tempdir()?;
        let key_file = folder.path().join("AuthKey.p8");
        std::fs::write(&key_file, rcgen::KeyPair::generate()?.serialize_pem())?;
        let keys_url = Some(fake.url("keys"));
        let web = WebSignIn {
            client_id: Some("our-web".to_owned()),
            client_secret: Some(Secret::from("geheim".to_owned())),
            authorize_url: Some(fake.url("page")),
            token_url: Some(fake.url("token")),
            team_id: Some("TEAM".to_owned()),
            key_id: Some("KEY".to_owned()),
            private_key_file: Some(key_file),
        };
        let provider = Provider { keys_url, web, ..Provider::default() };
        let (google, apple) = (provider.clone(), provider);
        let mut config = Config { google, apple, ..Config::default() };
        config.auth.return_urls = vec![APP.to_owned()];
        config.http.public_url = String::from("https://api.example.com/");
        let api = Api::with(config).await?;
        Gym::open(&api, "Gym").await?;
        Ok(Self { api, fake, _tasks: tasks, _folder: folder })
    }

    async fn go(&self, provider: &str, query: &str) -> Result<Visit> {
        let answer = self.api.get(&format!("/api/v1/auth/{provider}{query}"), None).await?;
        assert_eq!(answer.status, 303, "{:?}", answer.json());
        let cookie = answer.headers["set-cookie"].to_str()?;
        for attribute in ["HttpOnly", "Secure", "SameSite=None"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Ok(Visit { page: query_of(&answer)?, cookie })
    }

    /// Somebody signs in at the page: the provider knows a code for them.
    fn sign_in(&self, visit: &Visit, code: &str, issuer: &str) -> Result<()> {
        let now = self.api.app.clock.now().unix_timestamp();
        let claims = json!({
            "iss": issuer, "aud": "our-web", "sub": "s-1", "email": "ada@example.com",
            "email_verified": true, "nonce": visit.page["nonce"], "iat": now, "exp": now + 3600,
        });
        self.fake.state().codes.insert(code.to_owned(), signed("one", &claims)?);
        Ok(())
    }

    async fn back(&self, uri: &str, cookie: Option<&str>, form: Option<String>) -> Result<Answer> {
        let mut request = match form {
            Some(_) => {
                Request::post(uri).header("content-type", "application/x-www-form-urlencoded")
            }
            None => Request::get(uri),
        };
        if let Some(cookie) = cookie {
            request = request.header("cookie", format!("other=1; {cookie}"));
        }
        self.api.call(request.body(form.map_or_else(Body::empty, Body::from))?).await
    }

    async fn back_from_google(&self, visit: &Visit, code: &str) -> Result<Answer> {
        let uri = format!("/api/v1/auth/google/callback?state={}&code={code}", visit.page["state"]);
        self.back(&uri, Some(&visit.cookie), None).await
    }

    async fn exchange(&self, code: &str, verifier: &str) -> Result<Answer> {
        let body = json!({"code": code, "verifier": verifier, "device": {"id": "phone"}});
        self.api.post("/api/v1/auth/exchange", None, &body).await
    }
}

const GOOGLE: &str = "https://accounts.google.com";

fn query_of(answer: &Answer) -> Result<BTreeMap<String, String>> {
    let url = Url::parse(answer.headers["location"].to_str()?)?;
    Ok(url.query_pairs().into_owned().collect())
}

fn app_query() -> String {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    format!("?return_to={APP}&challenge={challenge}")
}

#[tokio::test]
async fn a_browser_signs_in_at_googles_page_and_comes_back_logged_in() -> Result<()> {
    let scene = Scene::open().await?;

    let visit = scene.go("google", "").await?;
    scene.sign_in(&visit, "c-1", GOOGLE)?;
    let answer = scene.back_from_google(&visit, "c-1").await?;

    let (token, _) = tokens(&answer)?;
    assert_eq!(profile(&scene.api, &token).await?.json()?["email"], "ada@example.com");
    assert_eq!(visit.page["response_type"], "code");
    assert_eq!(visit.page["scope"], "openid email profile");
    assert_eq!(visit.page["code_challenge_method"], "S256");
    let uri = "https://api.example.com/api/v1/auth/google/callback";
    assert_eq!(visit.page["redirect_uri"], uri);
    let form = scene.fake.state().forms[0].clone();
    assert_eq!((form["redirect_uri"].as_str(), form["client_secret"].as_str()), (uri, "geheim"));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
    assert_eq!(challenge, visit.page["code_challenge"]);
    Ok(())
}

#[tokio::test]
async fn an_app_takes_a_sign_in_over_once_and_only_with_its_own_verifier() -> Result<()> {
    let scene = Scene::open().await?;
    let mut codes = Vec::new();
    for code in ["c-1", "c-2"] {
        let visit = scene.go("google", &app_query()).await?;
        // Another second makes another token: each is good once.
        scene.api.app.clock.advance(Duration::seconds(1));
        scene.sign_in(&visit, code, GOOGLE)?;
        let answer = scene.back_from_google(&visit, code).await?;
        assert!(answer.headers["location"].to_str()?.starts_with(APP));
        codes.push(query_of(&answer)?["code"].clone());
    }

    let stolen = scene.exchange(&codes[0], &"x".repeat(43)).await?;
    let after = scene.exchange(&codes[0], VERIFIER).await?;
    let good = scene.exchange(&codes[1], VERIFIER).await?;
    let again = scene.exchange(&codes[1], VERIFIER).await?;

    assert_eq!(told(&stolen)?, (401, json!("invalid_code")));
    assert_eq!(told(&after)?, (401, json!("invalid_code")));
    tokens(&good)?;
    assert_eq!(told(&again)?, (401, json!("invalid_code")));
    assert_eq!(count(&scene.api, "SELECT count(*) FROM logins").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_code_for_an_app_is_good_for_a_minute() -> Result<()> {
    let scene = Scene::open().await?;
    let visit = scene.go("google", &app_query()).await?;
    scene.sign_in(&visit, "c-1", GOOGLE)?;
    let code = query_of(&scene.back_from_google(&visit, "c-1").await?)?["code"].clone();

    scene.api.app.clock.advance(Duration::seconds(60));
    let late = scene.exchange(&code, VERIFIER).await?;

    assert_eq!(told(&late)?, (401, json!("invalid_code")));
    Ok(())
}

#[tokio::test]
async fn apple_comes_back_with_a_form_and_tells_the_name_the_first_time() -> Result<()> {
    let scene = Scene::open().await?;
    let visit = scene.go("apple", "").await?;
    scene.sign_in(&visit, "c-1", "https://appleid.apple.com")?;
    let user = r#"{"name":{"firstName":"Ada","lastName":"Lovelace"},"email":"x@y.z"}"#;
    let form = Url::parse_with_params(
        "x:",
        [("state", visit.page["state"].as_str()), ("code", "c-1"), ("user", user)],
    )?;
    let form = form.query().map(str::to_owned);

    let answer = scene.back("/api/v1/auth/apple/callback", Some(&visit.cookie), form).await?;

    let (token, _) = tokens(&answer)?;
    assert_eq!(profile(&scene.api, &token).await?.json()?["name"], "Ada Lovelace");
    assert_eq!(visit.page["response_mode"], "form_post");
    let sent = scene.fake.state().forms[0]["client_secret"].clone();
    let header = jsonwebtoken::decode_header(&sent)?;
    assert_eq!(header.kid.as_deref(), Some("KEY"));
    let claims = URL_SAFE_NO_PAD.decode(sent.split('.').nth(1).context("claims")?)?;
    let claims: Value = serde_json::from_slice(&claims)?;
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("TEAM"), &json!("our-web")));
    assert_eq!(claims["exp"].as_i64(), claims["iat"].as_i64().map(|iat| iat + 300));
    Ok(())
}

#[tokio::test]
async fn another_browser_another_provider_or_another_time_does_not_go_on() -> Result<()> {
    let scene = Scene::open().await?;
    let visit = scene.go("google", "").await?;
    scene.sign_in(&visit, "c-1", GOOGLE)?;
    let state = &visit.page["state"];
    let at = |provider: &str, state: &str| {
        format!("/api/v1/auth/{provider}/callback?state={state}&code=c-1")
    };
    let cookie = Some(visit.cookie.as_str());
    let mut changed = state.clone();
    changed.replace_range(20..21, if &state[20..21] == "A" { "B" } else { "A" });

    let no_cookie = scene.back(&at("google", state), None, None).await?;
    let others = scene.back(&at("google", state), Some("gymwire_sign_in=x"), None).await?;
    let swapped = scene.back(&at("apple", state), cookie, None).await?;
    let forged = scene.back(&at("google", &changed), cookie, None).await?;
    scene.api.app.clock.advance(Duration::seconds(600));
    let late = scene.back(&at("google", state), cookie, None).await?;

    for answer in [no_cookie, others, swapped, forged, late] {
        assert_eq!(told(&answer)?, (401, json!("invalid_state")));
    }
    assert_eq!(count(&scene.api, "SELECT count(*) FROM users").await?, 0);
    Ok(())
}

#[tokio::test]
async fn who_says_no_or_brings_a_used_code_is_not_logged_in() -> Result<()> {
    let scene = Scene::open().await?;
    let visit = scene.go("google", "").await?;
    let app = scene.go("google", &app_query()).await?;
    let no = |visit: &Visit| {
        format!("/api/v1/auth/google/callback?state={}&error=access_denied", visit.page["state"])
    };

    let denied = scene.back(&no(&visit), Some(&visit.cookie), None).await?;
    let told_app = scene.back(&no(&app), None, None).await?;
    let unknown = scene.back_from_google(&visit, "used").await?;

    assert_eq!(told(&denied)?, (401, json!("access_denied")));
    assert_eq!(query_of(&told_app)?["error"], "access_denied");
    assert_eq!(told(&unknown)?, (401, json!("invalid_id_token")));
    Ok(())
}

#[tokio::test]
async fn only_addresses_that_are_allowed_are_returned_to() -> Result<()> {
    let scene = Scene::open().await?;
    let challenge = "x".repeat(43);

    for query in [
        format!("?return_to=gym://signed-in.evil&challenge={challenge}"),
        format!("?return_to={APP}"),
        format!("?challenge={challenge}"),
    ] {
        let answer = scene.api.get(&format!("/api/v1/auth/google{query}"), None).await?;
        assert_eq!(answer.status, 422, "{query}");
    }
    Ok(())
}

#[tokio::test]
async fn without_a_client_there_is_no_page_and_half_a_client_does_not_start() -> Result<()> {
    let api = Api::new().await?;
    let answer = api.get("/api/v1/auth/google", None).await?;
    let web = WebSignIn { client_id: Some("our-web".to_owned()), ..WebSignIn::default() };
    let apple = Provider { web, ..Provider::default() };

    let half = Api::with(Config { apple, ..Config::default() }).await;

    assert_eq!(told(&answer)?, (404, json!("not_configured")));
    let error = half.err().map(|error| format!("{error:#}")).unwrap_or_default();
    assert!(error.contains("apple.web.private_key_file"), "{error}");
    Ok(())
}
