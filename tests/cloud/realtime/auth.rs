//! Who may connect, and for how long.

use super::{Scene, next_number, user};
use crate::gym::PASSWORD;
use anyhow::{Context, Result};
use cloud_api::domains::accounts::Role;
use serde_json::json;
use tests::live::Socket;

#[tokio::test]
async fn a_token_is_taken_from_the_header_the_address_and_the_first_frame() -> Result<()> {
    let scene = Scene::open().await?;
    let (address, token) = (scene.here.address, scene.ada.token.as_str());

    let mut by_header = Socket::open(address, "/api/v1/ws", Some(token)).await?;
    let mut by_address = Socket::open(address, &format!("/api/ws?token={token}"), None).await?;
    let mut by_frame = Socket::open(address, "/v1/ws", None).await?;
    by_frame.say(&json!({"type": "auth", "token": token})).await?;

    for socket in [&mut by_header, &mut by_address, &mut by_frame] {
        let ready = socket.until("ready").await?;
        assert_eq!(ready["data"]["user_id"], json!(scene.ada.id));
    }
    Ok(())
}

#[tokio::test]
async fn a_bad_token_closes_the_socket_with_4401_and_says_why() -> Result<()> {
    let scene = Scene::open().await?;
    let address = scene.here.address;
    let invalid = (4401, "invalid_token".to_owned());

    let mut by_header = Socket::open(address, "/api/v1/ws", Some("nonsense")).await?;
    let mut by_address = Socket::open(address, "/api/v1/ws?token=nonsense", None).await?;
    let mut by_frame = Socket::open(address, "/api/v1/ws", None).await?;
    by_frame.say(&json!({"type": "auth", "token": "nonsense"})).await?;
    let mut unasked = Socket::open(address, "/api/v1/ws", None).await?;
    unasked.say(&json!({"type": "subscribe", "channels": ["user"]})).await?;

    assert_eq!(by_header.end().await?, invalid);
    assert_eq!(by_address.end().await?, invalid);
    assert_eq!(by_frame.end().await?, invalid);
    assert_eq!(unasked.end().await?, (4401, "auth_expected".to_owned()));
    Ok(())
}

#[tokio::test]
async fn who_does_not_say_who_they_are_is_not_waited_for() -> Result<()> {
    let scene = Scene::with(|config| config.realtime.auth_timeout_s = 1).await?;

    let mut silent = Socket::open(scene.here.address, "/api/v1/ws", None).await?;

    assert_eq!(silent.end().await?, (4401, "auth_timeout".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_login_that_is_ended_closes_its_socket_and_no_other() -> Result<()> {
    let scene = Scene::open().await?;
    let email = "eve@example.com";
    scene.gym.user(&scene.api, email, Role::Member, &[]).await?;
    let log_in = async || {
        let login = json!({"email": email, "password": PASSWORD});
        let answer = scene.api.post("/api/v1/auth/login", None, &login).await?.json()?;
        Ok::<_, anyhow::Error>(answer["access_token"].as_str().context("no token")?.to_owned())
    };
    let (phone, watch) = (log_in().await?, log_in().await?);
    let (mut ended, _) = Socket::hear(scene.here.address, &phone, &user()).await?;
    let (mut other, _) = Socket::hear(scene.here.address, &watch, &user()).await?;

    scene.api.post("/api/v1/auth/logout", Some(&phone), &json!({})).await?;

    assert_eq!(ended.end().await?, (4401, "token_revoked".to_owned()));
    other.say(&json!({"type": "ping"})).await?;
    other.until("pong").await?;
    Ok(())
}

#[tokio::test]
async fn a_token_that_ends_closes_the_socket_unless_a_new_one_is_shown() -> Result<()> {
    let scene = Scene::with(|config| config.auth.access_token_s = 600).await?;
    let email = "eve@example.com";
    scene.gym.user(&scene.api, email, Role::Member, &[]).await?;
    let login = json!({"email": email, "password": PASSWORD});
    let answer = scene.api.post("/api/v1/auth/login", None, &login).await?.json()?;
    let first = answer["access_token"].as_str().context("no token")?;
    let (mut stays, _) = Socket::hear(scene.here.address, first, &user()).await?;
    let (mut goes, _) = Socket::hear(scene.here.address, first, &user()).await?;
    scene.api.app.clock.advance(time::Duration::seconds(300));

    let refresh = json!({"refresh_token": answer["refresh_token"]});
    let answer = scene.api.post("/api/v1/auth/refresh", None, &refresh).await?.json()?;
    stays.say(&json!({"type": "auth", "token": answer["access_token"]})).await?;
    stays.until("authenticated").await?;
    scene.api.app.clock.advance(time::Duration::seconds(301));

    assert_eq!(goes.end().await?, (4401, "token_expired".to_owned()));
    stays.say(&json!({"type": "ping"})).await?;
    stays.until("pong").await?;
    Ok(())
}

#[tokio::test]
async fn a_token_of_somebody_else_does_not_take_a_socket_over() -> Result<()> {
    let scene = Scene::open().await?;
    let (mut socket, _) = scene.hear(&user()).await?;
    let other = scene.gym.token(&scene.api, Role::Admin, &[]).await?;

    socket.say(&json!({"type": "auth", "token": other})).await?;

    assert_eq!(socket.until("error").await?["data"]["code"], "other_user");
    scene.tell(1).await?;
    assert_eq!(next_number(&mut socket).await?, 1);
    Ok(())
}
