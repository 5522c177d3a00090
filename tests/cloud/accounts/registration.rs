//! Making an account.

use super::{
    STRONG, cloud, count, field, letters, profile, register, registered, token_of, told, verify,
};
use crate::gym::Gym;
use anyhow::Result;
use cloud_api::Config;
use cloud_api::config::Auth;
use serde_json::json;
use tests::api::Api;
use time::Duration;

#[tokio::test]
async fn who_registers_is_logged_in_and_asked_to_confirm_the_address() -> Result<()> {
    let (api, _) = cloud().await?;

    let answer = register(&api, " Ada@Example.com ").await?;

    assert_eq!(answer.status, 201);
    let body = answer.json()?;
    assert_eq!(body["user"]["email"], "ada@example.com");
    assert_eq!(body["user"]["role"], "member");
    let letters = letters(&api).await?;
    assert_eq!((letters.len(), letters[0].to.as_str()), (1, "ada@example.com"));
    let (token, _) = super::tokens(&answer)?;
    assert_eq!(profile(&api, &token).await?.json()?["is_email_verified"], false);
    assert_eq!(verify(&api, &token_of(&letters[0])?).await?.status, 204);
    assert_eq!(profile(&api, &token).await?.json()?["is_email_verified"], true);
    Ok(())
}

#[tokio::test]
async fn the_longer_form_keeps_the_profile_under_both_paths() -> Result<()> {
    let (api, _) = cloud().await?;
    let new = json!({
        "email": "ada@example.com", "password": STRONG, "name": "Ada",
        "profile": {"first_name": "Ada", "date_of_birth": "1990-12-10", "gender": "female",
                    "fitness_level": "advanced", "time_zone": "Europe/London"},
    });

    let answer = api.post("/api/v1/users/register", None, &new).await?;

    assert_eq!(answer.status, 201);
    let (token, _) = super::tokens(&answer)?;
    let profile = profile(&api, &token).await?.json()?;
    assert_eq!(profile["date_of_birth"], "1990-12-10");
    assert_eq!(profile["fitness_level"], "advanced");
    Ok(())
}

#[tokio::test]
async fn an_address_makes_one_account_also_at_the_same_time() -> Result<()> {
    let (api, _) = cloud().await?;

    let (one, other) =
        tokio::join!(register(&api, "ada@example.com"), register(&api, "ADA@example.com"));

    let mut statuses = [one?.status.as_u16(), other?.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    let again = register(&api, "ada@example.com").await?;
    assert_eq!(told(&again)?, (409, json!("email_taken")));
    Ok(())
}

#[tokio::test]
async fn a_password_that_is_guessed_soon_is_refused() -> Result<()> {
    let (api, _) = cloud().await?;

    for weak in ["password1", "lovelace1990", "aaaaaaaaaaaaaaa"] {
        let new =
            json!({"email": "lovelace@example.com", "password": weak, "name": "Ada Lovelace"});
        let answer = api.post("/api/v1/auth/register", None, &new).await?;
        assert_eq!(field(&answer)?, (422, json!("password"), json!("weak")), "{weak}");
    }
    assert_eq!(count(&api, "SELECT count(*) FROM users").await?, 0);
    Ok(())
}

#[tokio::test]
async fn where_there_are_several_operators_one_has_to_be_named() -> Result<()> {
    let (api, gym) = cloud().await?;
    Gym::open(&api, "Other").await?;
    let named = |organization: &str| {
        let email = "ada@example.com";
        let new = json!({
            "email": email, "password": STRONG, "name": "Ada", "organization_id": organization,
        });
        let api = &api;
        async move { api.post("/api/v1/auth/register", None, &new).await }
    };

    let unnamed = register(&api, "ada@example.com").await?;
    let unknown = named("01900000-0000-7000-8000-000000000000").await?;

    let organization = json!("organization_id");
    assert_eq!(field(&unnamed)?, (422, organization.clone(), json!("required")));
    assert_eq!(field(&unknown)?, (422, organization, json!("unknown")));
    assert_eq!(named(&gym.organization.to_string()).await?.status, 201);
    Ok(())
}

#[tokio::test]
async fn a_link_is_good_once_for_a_day_and_the_newest_only() -> Result<()> {
    let (api, _) = cloud().await?;
    register(&api, "ada@example.com").await?;
    let first = token_of(&letters(&api).await?[0])?;
    let address = json!({"email": "ada@example.com"});
    let resend = || api.post("/api/v1/auth/resend-verification", None, &address);
    assert_eq!(resend().await?.status, 202);
    let second = token_of(&letters(&api).await?[0])?;

    let invalid = (422, json!("token"), json!("invalid_token"));
    assert_eq!(field(&verify(&api, &first).await?)?, invalid);
    api.app.clock.advance(Duration::hours(25));
    assert_eq!(field(&verify(&api, &second).await?)?, invalid);
    resend().await?;
    let third = token_of(&letters(&api).await?[0])?;
    assert_eq!(verify(&api, &third).await?.status, 204);
    assert_eq!(field(&verify(&api, &third).await?)?, invalid);
    Ok(())
}

#[tokio::test]
async fn who_is_confirmed_gets_no_further_letter_and_nobody_gets_one_for_nothing() -> Result<()> {
    let (api, _) = cloud().await?;
    register(&api, "ada@example.com").await?;
    verify(&api, &token_of(&letters(&api).await?[0])?).await?;

    for email in ["ada@example.com", "nobody@example.com"] {
        let address = json!({"email": email});
        let answer = api.post("/api/v1/auth/resend-verification", None, &address);
        assert_eq!(answer.await?.status, 202);
    }

    assert_eq!(letters(&api).await?, []);
    Ok(())
}

#[tokio::test]
async fn where_it_is_demanded_an_account_needs_its_address_confirmed() -> Result<()> {
    let auth = Auth { require_verified_email: true, ..Auth::default() };
    let api = Api::with(Config { auth, ..Config::default() }).await?;
    Gym::open(&api, "Gym").await?;
    let (token, _) = registered(&api, "ada@example.com").await?;

    let before = profile(&api, &token).await?;
    verify(&api, &token_of(&letters(&api).await?[0])?).await?;

    assert_eq!(told(&before)?, (403, json!("email_not_verified")));
    assert_eq!(profile(&api, &token).await?.status, 200);
    Ok(())
}
