//! In and out, and what ends a sign-in.

use super::{Browser, location, text};
use crate::gym::{Gym, PASSWORD};
use anyhow::{Context as _, Result};
use axum::http::header;
use cloud_api::Config;
use cloud_api::domains::accounts::Role;
use serde_json::json;
use std::time::Duration as StdDuration;
use tests::api::Api;
use time::Duration;
use tokio::task::JoinSet;
use tokio::time::timeout;
use totp_rs::{Builder, Secret};

async fn count(api: &Api, sql: &'static str) -> Result<i64> {
    Ok(sqlx::query_scalar(sql).fetch_one(&api.app.db).await?)
}

#[tokio::test]
async fn who_signs_in_is_led_on_and_who_signs_out_sees_nothing() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    gym.user(&api, "ada@example.com", Role::Admin, &[]).await?;
    let mut browser = Browser::default();
    let wanted = format!("/console/branches/{}", gym.branch.id);

    let signed_in = browser.sign_in(&api, "Ada@Example.com", &[("next", &wanted)]).await?;
    assert_eq!(location(&signed_in)?, wanted);
    let old = browser.cookies.clone();
    assert!(text(&browser.get(&api, &wanted).await?).contains("Centre"));
    let out = browser.submit(&api, "/console/sign-out", &[]).await?;
    assert_eq!(location(&out)?, "/console/sign-in");

    // Its cookie is worth nothing, whoever kept it.
    let mut thief = Browser { cookies: old, ..Browser::default() };
    assert_eq!(thief.get(&api, "/console").await?.status, 303);
    assert_eq!(count(&api, "SELECT count(*) FROM logins WHERE ended_at IS NULL").await?, 0);
    Ok(())
}

#[tokio::test]
async fn nobody_is_sent_elsewhere_after_the_sign_in() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    gym.user(&api, "ada@example.com", Role::Admin, &[]).await?;

    for next in ["https://evil.example", "//evil.example", "/docs/", "/console\r\nx: y"] {
        let mut browser = Browser::default();
        let answer = browser.sign_in(&api, "ada@example.com", &[("next", next)]).await?;
        assert_eq!(location(&answer)?, "/console", "{next:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_member_is_told_that_the_page_is_not_for_them_and_is_not_signed_in() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    for role in [Role::Member, Role::Moderator] {
        let email = format!("{role}@example.com");
        gym.user(&api, &email, role, &[]).await?;
        let mut browser = Browser::default();

        let answer = browser.sign_in(&api, &email, &[]).await?;

        assert_eq!(answer.status, 403);
        assert!(text(&answer).contains("please use the app"), "{}", text(&answer));
        assert!(!browser.cookies.contains_key("gymwire-console"));
    }
    assert_eq!(count(&api, "SELECT count(*) FROM logins").await?, 0);
    Ok(())
}

#[tokio::test]
async fn guessing_is_counted_with_that_of_the_api() -> Result<()> {
    let mut config = Config::default();
    config.auth.max_failures = 2;
    let api = Api::with(config).await?;
    let gym = Gym::open(&api, "Gym").await?;
    gym.user(&api, "ada@example.com", Role::Admin, &[]).await?;
    let wrong = json!({"email": "ada@example.com", "password": "wrong"});
    let mut browser = Browser::default();

    assert_eq!(api.post("/api/v1/auth/login", None, &wrong).await?.status, 401);
    let second = browser.sign_in(&api, "ada@example.com", &[("password", "wrong")]).await?;
    let third = browser.sign_in(&api, "ada@example.com", &[]).await?;

    assert_eq!(second.status, 401);
    assert!(text(&second).contains("E-mail address or password is wrong."));
    assert!(!text(&second).contains("value=\"wrong\""), "a password is typed anew");
    assert_eq!(third.status, 429, "even with the right password");
    assert!(text(&third).contains("Too many wrong passwords."));
    assert_eq!(api.post("/api/v1/auth/login", None, &wrong).await?.status, 429);
    Ok(())
}

#[tokio::test]
async fn the_second_factor_is_asked_for() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let token = gym.token(&api, Role::Admin, &[]).await?;
    let email: String =
        sqlx::query_scalar("SELECT email FROM users").fetch_one(&api.app.db).await?;
    let path = "/api/v1/auth/second-factor";
    let begun = api.post(path, Some(&token), &json!({"password": PASSWORD})).await?.json()?;
    let secret = begun["secret"].as_str().context("no secret")?;
    let code = |api: &Api| -> Result<String> {
        let secret = Secret::try_from_base32(secret).map_err(|_| anyhow::anyhow!("base 32"))?;
        let totp = Builder::new().with_secret(secret).build();
        let totp = totp.map_err(|_| anyhow::anyhow!("no key"))?;
        Ok(totp.generate(u64::try_from(api.app.clock.now().unix_timestamp())?).to_string())
    };
    let confirm = json!({"code": code(&api)?});
    assert_eq!(api.post(&format!("{path}/confirm"), Some(&token), &confirm).await?.status, 200);
    api.app.clock.advance(Duration::seconds(31));
    let mut browser = Browser::default();

    let without = browser.sign_in(&api, &email, &[]).await?;
    let wrong = browser.sign_in(&api, &email, &[("code", "000000")]).await?;
    let right = browser.sign_in(&api, &email, &[("code", &code(&api)?)]).await?;

    assert!(text(&without).contains("Please type the code"), "{}", text(&without));
    assert!(text(&wrong).contains("The code is wrong"), "{}", text(&wrong));
    assert_eq!(right.status, 303, "{}", text(&right));
    Ok(())
}

#[tokio::test]
async fn it_is_a_login_like_any_other_listed_and_revoked() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    gym.user(&api, "ada@example.com", Role::Staff, &[gym.branch.id]).await?;
    let login = json!({"email": "ada@example.com", "password": PASSWORD});
    let token = api.post("/api/v1/auth/login", None, &login).await?.json()?;
    let token = token["access_token"].as_str().context("no token")?.to_owned();
    let mut browser = Browser::default();
    browser.sign_in(&api, "ada@example.com", &[]).await?;
    assert_eq!(browser.get(&api, "/console").await?.status, 200);

    let list = api.get("/api/v1/auth/sessions", Some(&token)).await?.json()?;
    let page = &list["items"][0];
    assert_eq!(page["device_name"], "Operators' page", "{list}");
    let path = format!("/api/v1/auth/sessions/{}", page["id"].as_str().context("no id")?);
    assert_eq!(api.delete(&path, Some(&token)).await?.status, 204);

    assert_eq!(browser.get(&api, "/console").await?.status, 303);
    Ok(())
}

#[tokio::test]
async fn a_stream_ends_with_its_login() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let mut browser = Browser::of(&api, &gym, Role::Staff, &[gym.branch.id]).await?;
    let streams = ["/console/live".to_owned(), format!("/console/branches/{}/live", gym.branch.id)];
    let mut listening = JoinSet::new();
    for path in streams {
        let api = Api::over(api.app.clone());
        let request = browser.request(axum::http::Method::GET, &path);
        let request = request.header(header::ACCEPT, "text/event-stream");
        listening.spawn(async move { api.call(request.body(axum::body::Body::empty())?).await });
    }

    browser.submit(&api, "/console/sign-out", &[]).await?;

    let heard = timeout(StdDuration::from_secs(20), listening.join_all()).await?;
    for heard in heard {
        let heard = heard?;
        assert!(text(&heard).contains("event: signed-out") || heard.status == 401, "{heard:?}");
    }
    Ok(())
}

#[tokio::test]
async fn who_is_suspended_is_told_so_and_reaches_nothing() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let mut browser = Browser::of(&api, &gym, Role::Admin, &[]).await?;
    sqlx::query("UPDATE users SET status = 'suspended'").execute(&api.app.db).await?;

    let page = browser.get(&api, "/console").await?;

    assert_eq!(page.status, 403);
    assert!(text(&page).contains("This account is suspended."), "{}", text(&page));
    assert_eq!(browser.get(&api, "/console/sign-in").await?.status, 200, "somebody else may");
    Ok(())
}

#[tokio::test]
async fn a_browser_that_does_nothing_is_signed_out() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let mut browser = Browser::of(&api, &gym, Role::Admin, &[]).await?;

    api.app.clock.advance(Duration::hours(11));
    assert_eq!(browser.get(&api, "/console").await?.status, 200);
    api.app.clock.advance(Duration::hours(11));
    assert_eq!(browser.get(&api, "/console").await?.status, 200, "use prolongs it");
    api.app.clock.advance(Duration::hours(13));

    assert_eq!(browser.get(&api, "/console").await?.status, 303);
    Ok(())
}

#[tokio::test]
async fn where_browsers_come_by_https_the_cookie_travels_by_that_alone() -> Result<()> {
    let mut config = Config::default();
    config.http.public_url = "https://gym.test".to_owned();
    let api = Api::with(config).await?;
    let gym = Gym::open(&api, "Gym").await?;
    gym.user(&api, "ada@example.com", Role::Admin, &[]).await?;
    let mut browser = Browser::default();
    browser.get(&api, "/console/sign-in").await?;
    let body = format!(
        "email=ada%40example.com&password={}&form_token={}",
        PASSWORD.replace(' ', "+"),
        browser.form_token
    );

    let plain =
        browser.post(&api, "/console/sign-in", Some("http://gym.test"), body.clone()).await?;
    let signed_in = browser.post(&api, "/console/sign-in", Some("https://gym.test"), body).await?;

    assert_eq!(plain.status, 403);
    let lines: Vec<_> = signed_in.headers.get_all(header::SET_COOKIE).iter().collect();
    let line = lines
        .iter()
        .filter_map(|line| line.to_str().ok())
        .find(|line| line.starts_with("__Host-gymwire-console=") && !line.contains("Max-Age=0"));
    let line = line.context("no cookie")?;
    assert!(line.ends_with("; Path=/; HttpOnly; SameSite=Strict; Secure"), "{line}");
    assert_eq!(browser.get(&api, "/console").await?.status, 200);
    Ok(())
}
