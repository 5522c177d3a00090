//! Refreshing, logging out, and the list of logins.

use super::{
    STRONG, cloud, delete, letters, log_in, profile, refresh, register, registered, tokens, told,
};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use tests::api::Api;
use time::Duration;

const REUSED: &str = "refresh_token_reused";
const INVALID: &str = "invalid_refresh_token";

#[tokio::test]
async fn a_refresh_token_is_exchanged_and_then_used_up() -> Result<()> {
    let (api, _) = cloud().await?;
    let (_, first) = registered(&api, "ada@example.com").await?;

    let (access, second) = tokens(&refresh(&api, &first).await?)?;
    let (_, third) = tokens(&refresh(&api, &second).await?)?;

    assert_eq!(profile(&api, &access).await?.status, 200);
    assert_eq!(told(&refresh(&api, &first).await?)?, (401, json!(REUSED)));
    assert_eq!(told(&refresh(&api, &third).await?)?, (401, json!(INVALID)));
    assert_eq!(told(&profile(&api, &access).await?)?, (401, json!("token_revoked")));
    let subjects: Vec<_> = letters(&api).await?.into_iter().map(|letter| letter.subject).collect();
    assert!(subjects.contains(&"A device was logged out".to_owned()), "{subjects:?}");
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_is_given_again_for_ten_seconds() -> Result<()> {
    let (api, _) = cloud().await?;
    let (_, first) = registered(&api, "ada@example.com").await?;
    let (_, lost) = tokens(&refresh(&api, &first).await?)?;

    let again = refresh(&api, &first).await?;

    assert_eq!(again.status, 200);
    assert_eq!(told(&refresh(&api, &lost).await?)?, (401, json!(INVALID)));
    api.app.clock.advance(Duration::seconds(11));
    assert_eq!(told(&refresh(&api, &first).await?)?, (401, json!(REUSED)));
    Ok(())
}

#[tokio::test]
async fn refreshes_at_the_same_time_leave_one_family_alive() -> Result<()> {
    let (api, _) = cloud().await?;
    let (_, first) = registered(&api, "ada@example.com").await?;

    let (one, other) = tokio::join!(refresh(&api, &first), refresh(&api, &first));

    let (one, other) = (tokens(&one?)?, tokens(&other?)?);
    let mut statuses = Vec::new();
    for (_, token) in [one, other] {
        statuses.push(refresh(&api, &token).await?.status.as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
    Ok(())
}

#[tokio::test]
async fn a_login_that_is_not_used_for_a_week_ends() -> Result<()> {
    let (api, _) = cloud().await?;
    let (_, first) = registered(&api, "ada@example.com").await?;
    api.app.clock.advance(Duration::days(6));
    let (_, second) = tokens(&refresh(&api, &first).await?)?;
    api.app.clock.advance(Duration::days(6));
    let (_, third) = tokens(&refresh(&api, &second).await?)?;

    api.app.clock.advance(Duration::days(7) + Duration::seconds(1));

    assert_eq!(told(&refresh(&api, &third).await?)?, (401, json!(INVALID)));
    Ok(())
}

#[tokio::test]
async fn logging_out_ends_this_login_at_once() -> Result<()> {
    let (api, _) = cloud().await?;
    let (access, token) = registered(&api, "ada@example.com").await?;
    let (other, _) = tokens(&log_in(&api, "ada@example.com", STRONG).await?)?;

    let answer = api.post("/api/v1/auth/logout", Some(&access), &json!({})).await?;

    assert_eq!(answer.status, 204);
    assert_eq!(told(&profile(&api, &access).await?)?, (401, json!("token_revoked")));
    assert_eq!(told(&refresh(&api, &token).await?)?, (401, json!(INVALID)));
    assert_eq!(profile(&api, &other).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn logging_out_everywhere_ends_all_logins_of_oneself_only() -> Result<()> {
    let (api, _) = cloud().await?;
    let (access, _) = registered(&api, "ada@example.com").await?;
    let (other, _) = tokens(&log_in(&api, "ada@example.com", STRONG).await?)?;
    let (stranger, _) = registered(&api, "eve@example.com").await?;

    api.post("/api/v1/auth/logout", Some(&access), &json!({"all_devices": true})).await?;

    assert_eq!(profile(&api, &access).await?.status, 401);
    assert_eq!(profile(&api, &other).await?.status, 401);
    assert_eq!(profile(&api, &stranger).await?.status, 200);
    Ok(())
}

async fn list(api: &Api, token: &str) -> Result<Vec<Value>> {
    let page = api.get("/api/v1/auth/sessions", Some(token)).await?.json()?;
    Ok(page["items"].as_array().context("no items")?.clone())
}

#[tokio::test]
async fn logins_are_listed_with_their_device_and_can_be_ended() -> Result<()> {
    let (api, _) = cloud().await?;
    let (access, _) = registered(&api, "ada@example.com").await?;
    let login = json!({
        "email": "ada@example.com", "password": STRONG,
        "device": {"id": "phone-1", "name": "Ada's phone"},
    });
    let (phone, _) = tokens(&api.post("/api/v1/auth/login", None, &login).await?)?;

    let logins = list(&api, &access).await?;
    assert_eq!(logins.len(), 2);
    assert_eq!(
        (&logins[0]["device_id"], &logins[0]["device_name"]),
        (&json!("phone-1"), &json!("Ada's phone"))
    );
    let path = format!("/api/v1/auth/sessions/{}", logins[0]["id"].as_str().unwrap_or_default());
    assert_eq!(delete(&api, &path, &access).await?.status, 204);

    assert_eq!(profile(&api, &phone).await?.status, 401);
    assert_eq!(list(&api, &access).await?.len(), 1);
    assert_eq!(delete(&api, &path, &access).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn a_new_device_is_told_by_mail_and_a_known_one_is_not() -> Result<()> {
    let (api, _) = cloud().await?;
    register(&api, "ada@example.com").await?;
    letters(&api).await?;
    let login = |device: &str| {
        let login = json!({
            "email": "ada@example.com", "password": STRONG,
            "device": {"id": device, "name": "Phone"},
        });
        let api = &api;
        async move { api.post("/api/v1/auth/login", None, &login).await }
    };

    login("phone-1").await?;
    let first = letters(&api).await?;
    login("phone-1").await?;
    let second = letters(&api).await?;

    assert_eq!(first.len(), 1);
    assert!(first[0].text.contains("Phone logged in"), "{}", first[0].text);
    assert_eq!(second, []);
    Ok(())
}
