//! `/edge/v1/token`, and which start of an agent may use its key.

use crate::edge::{Scene, ask, event, events, key, send_packed, sign};
use anyhow::Result;
use protocol::sync::batch::Batch;
use protocol::sync::entry::{Body, DeviceState, DeviceStatus};
use tests::api::{Answer, Api};
use time::Duration;

fn told(answer: &Answer) -> Result<(u16, String)> {
    let code = answer.json()?["code"].as_str().unwrap_or_default().to_owned();
    Ok((answer.status.as_u16(), code))
}

async fn call(api: &Api, token: &str) -> Result<Answer> {
    api.get("/edge/v1/commands", Some(token)).await
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_the_time() -> Result<()> {
    let scene = Scene::open().await?;
    let mut claims = scene.edge.claims(&scene.api, "first");
    (claims.iat, claims.exp) = (60, 120);

    let answer = scene.edge.ask(&scene.api, &claims).await?;

    assert_eq!(told(&answer)?, (401, "clock_skew".to_owned()));
    let off_ms = answer.json()?["now_ms"].as_i64().unwrap_or(0) - scene.api.app.clock.now_ms();
    assert!(off_ms.abs() < 60_000, "{off_ms}");
    Ok(())
}

#[tokio::test]
async fn an_assertion_is_good_once() -> Result<()> {
    let scene = Scene::open().await?;
    let assertion = sign(&scene.edge.claims(&scene.api, "first"), &scene.edge.key);
    assert_eq!(ask(&scene.api, &assertion).await?.status, 200);

    let replayed = ask(&scene.api, &assertion).await?;

    assert_eq!(told(&replayed)?, (401, "assertion_used".to_owned()));
    Ok(())
}

#[tokio::test]
async fn another_key_does_not_sign_for_an_edge() -> Result<()> {
    let scene = Scene::open().await?;
    let assertion = sign(&scene.edge.claims(&scene.api, "first"), &key(9));

    let answer = ask(&scene.api, &assertion).await?;

    assert_eq!(told(&answer)?, (401, "invalid_client".to_owned()));
    Ok(())
}

#[tokio::test]
async fn noise_is_no_assertion() -> Result<()> {
    let scene = Scene::open().await?;

    for noise in ["", "a.b.c", "e30.e30.e30", &"x".repeat(5_000)] {
        let answer = ask(&scene.api, noise).await?;
        assert_eq!(told(&answer)?, (401, "invalid_client".to_owned()));
    }
    Ok(())
}

#[tokio::test]
async fn a_token_ends_after_a_quarter_of_an_hour() -> Result<()> {
    let scene = Scene::open().await?;
    assert_eq!(call(&scene.api, &scene.edge.token).await?.status, 200);
    scene.api.app.clock.advance(Duration::minutes(15));

    let answer = call(&scene.api, &scene.edge.token).await?;

    assert_eq!(told(&answer)?, (401, "token_expired".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_wrong_or_missing_token_opens_nothing() -> Result<()> {
    let scene = Scene::open().await?;
    let user = scene.gym.token(&scene.api, cloud_api::domains::accounts::Role::Admin, &[]).await?;

    assert_eq!(scene.api.get("/edge/v1/commands", None).await?.status, 401);
    assert_eq!(call(&scene.api, "nonsense").await?.status, 401);
    assert_eq!(call(&scene.api, &user).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn a_restarted_agent_goes_on_at_once() -> Result<()> {
    let scene = Scene::open().await?;
    assert_eq!(call(&scene.api, &scene.edge.token).await?.status, 200);

    let restarted = scene.edge.start(&scene.api, "second").await?;

    assert_eq!(call(&scene.api, &restarted).await?.status, 200);
    assert_eq!(scene.count("SELECT count(*) FROM notices").await?, 0);
    Ok(())
}

#[tokio::test]
async fn what_a_dead_agent_sent_last_does_not_harm_its_successor() -> Result<()> {
    let scene = Scene::open().await?;
    let restarted = scene.edge.start(&scene.api, "second").await?;

    let late = call(&scene.api, &scene.edge.token).await?;

    assert_eq!(told(&late)?, (503, "edge_handover".to_owned()));
    assert_eq!(call(&scene.api, &restarted).await?.status, 200);
    assert_eq!(scene.count("SELECT count(*) FROM notices").await?, 0);
    Ok(())
}

#[tokio::test]
async fn the_second_of_two_edges_with_one_key_is_refused_and_staff_are_told_once() -> Result<()> {
    let scene = Scene::open().await?;
    let clone = scene.edge.start(&scene.api, "clone").await?;
    scene.api.app.clock.advance(Duration::seconds(3));

    assert_eq!(call(&scene.api, &scene.edge.token).await?.status, 200);
    assert_eq!(told(&call(&scene.api, &clone).await?)?, (409, "edge_conflict".to_owned()));
    let again = scene.edge.ask(&scene.api, &scene.edge.claims(&scene.api, "clone")).await?;

    assert_eq!(told(&again)?, (409, "edge_conflict".to_owned()));
    assert_eq!(call(&scene.api, &scene.edge.token).await?.status, 200);
    let notices = "SELECT count(*) FROM notices WHERE code = 'edge_conflict'";
    assert_eq!(scene.count(notices).await?, 1);
    Ok(())
}

#[tokio::test]
async fn the_second_edge_goes_on_once_the_first_is_silent() -> Result<()> {
    let scene = Scene::open().await?;
    scene.edge.start(&scene.api, "clone").await?;
    scene.api.app.clock.advance(Duration::seconds(3));
    assert_eq!(call(&scene.api, &scene.edge.token).await?.status, 200);
    scene.api.app.clock.advance(Duration::seconds(15));

    let clone = scene.edge.start(&scene.api, "clone").await?;

    assert_eq!(call(&scene.api, &clone).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_refused_edge_writes_nothing() -> Result<()> {
    let scene = Scene::open().await?;
    let clone = scene.edge.start(&scene.api, "clone").await?;
    scene.api.app.clock.advance(Duration::seconds(3));
    let status =
        DeviceStatus { state: DeviceState::Idle, firmware: None, uptime_ms: None, error: None };
    let batch: Batch = events(7, 1, vec![event(scene.machine, 1, Body::Status(status))]);
    assert_eq!(scene.send(&batch).await?.status, 200);

    let refused = send_packed(&scene.api, &clone, batch.encode(3)).await?;

    assert_eq!(told(&refused)?, (409, "edge_conflict".to_owned()));
    assert_eq!(scene.count("SELECT count(*) FROM device_statuses").await?, 1);
    Ok(())
}
