//! Going on after an event: nothing is missed and nothing comes twice, on whichever instance.

use super::{Scene, next_number, number, user};
use anyhow::{Context, Result};
use cloud_api::config::Secret;
use cloud_api::events::log::ForgetLogged;
use cloud_api::jobs::Job as _;
use serde_json::{Value, json};
use tests::live::Socket;
use tests::redis::Redis;

fn id(frame: &Value) -> Result<String> {
    Ok(frame["id"].as_str().context("no id")?.to_owned())
}

async fn go_on(scene: &Scene, address: std::net::SocketAddr, after: &str) -> Result<Socket> {
    let path = format!("/api/v1/ws?channels=user&last_event_id={after}");
    Socket::open(address, &path, Some(&scene.ada.token)).await
}

#[tokio::test]
async fn who_comes_back_hears_what_they_missed_and_then_what_comes() -> Result<()> {
    let scene = Scene::open().await?;
    let (mut socket, _) = scene.hear(&user()).await?;
    scene.tell(1).await?;
    let last = id(&socket.until("sync:workout").await?)?;
    drop(socket);
    for number in 2..=300 {
        scene.tell(number).await?;
    }

    let mut socket = go_on(&scene, scene.here.address, &last).await?;
    scene.tell(301).await?;

    for expected in 2..=301 {
        assert_eq!(next_number(&mut socket).await?, expected);
    }
    Ok(())
}

/// Numbers of a sequence would have been given in the other order.
#[tokio::test]
async fn what_is_committed_late_is_not_skipped() -> Result<()> {
    let scene = Scene::open().await?;
    let (mut socket, _) = scene.hear(&user()).await?;
    let mut slow = scene.api.app.db.begin().await?;
    scene.tell_in(&mut slow, 1).await?;
    scene.tell(2).await?;
    let heard = socket.until("sync:workout").await?;

    slow.commit().await?;
    let mut again = go_on(&scene, scene.here.address, &id(&heard)?).await?;

    assert_eq!(number(&heard)?, 2);
    assert_eq!(next_number(&mut socket).await?, 1);
    assert_eq!(next_number(&mut again).await?, 1);
    Ok(())
}

#[tokio::test]
async fn what_a_snapshot_knew_does_not_come_after_it() -> Result<()> {
    let scene = Scene::open().await?;
    // Nobody numbers while this is held, so the event is on its way while the snapshot is made.
    let mut held = scene.api.app.db.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock(7456111017726207239)").execute(&mut *held).await?;
    scene.tell(1).await?;
    let (mut socket, _) = scene.hear(&user()).await?;

    held.commit().await?;
    scene.tell(2).await?;

    assert_eq!(next_number(&mut socket).await?, 2);
    Ok(())
}

#[tokio::test]
async fn events_of_two_instances_are_heard_by_both_in_one_order() -> Result<()> {
    let scene = Scene::open().await?;
    let (_, there) = scene.beside().await?;
    let (mut first, _) = scene.hear(&user()).await?;
    let (mut second, _) = Socket::hear(there.address, &scene.ada.token, &user()).await?;

    let telling = (0..40).map(|number| scene.tell(number));
    futures_util::future::try_join_all(telling).await?;

    let mut numbers = Vec::new();
    for _ in 0..40 {
        let (one, other) =
            (first.until("sync:workout").await?, second.until("sync:workout").await?);
        assert_eq!(one, other);
        numbers.push(number(&one)?);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..40).collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn who_was_away_too_long_is_told_to_begin_anew() -> Result<()> {
    let scene = Scene::open().await?;
    let (mut socket, _) = scene.hear(&user()).await?;
    scene.tell(1).await?;
    let last = id(&socket.until("sync:workout").await?)?;
    scene.tell(2).await?;
    socket.until("sync:workout").await?;
    let forget = "UPDATE events SET at = at - interval '25 hours'";
    sqlx::query(forget).execute(&scene.api.app.db).await?;
    ForgetLogged.run(&scene.api.app).await?;

    let mut socket = go_on(&scene, scene.here.address, &last).await?;

    assert_eq!(socket.until("reset").await?["data"], json!({"reason": "too_old"}));
    socket.until("snapshot").await?;
    scene.tell(3).await?;
    assert_eq!(next_number(&mut socket).await?, 3);
    Ok(())
}

#[tokio::test]
async fn an_id_of_the_future_begins_anew_too() -> Result<()> {
    let scene = Scene::open().await?;

    let mut socket = go_on(&scene, scene.here.address, "999999999").await?;

    socket.until("reset").await?;
    socket.until("snapshot").await?;
    Ok(())
}

#[tokio::test]
async fn with_redis_instances_tell_each_other_too() -> Result<()> {
    let redis = Redis::start().await?;
    let url = redis.url();
    let scene = Scene::with(|config| config.redis.url = Some(Secret::from(url))).await?;
    let (_, there) = scene.beside().await?;
    let (mut socket, _) = Socket::hear(there.address, &scene.ada.token, &user()).await?;

    for number in 0..20 {
        scene.tell(number).await?;
        assert_eq!(next_number(&mut socket).await?, number);
    }
    Ok(())
}
