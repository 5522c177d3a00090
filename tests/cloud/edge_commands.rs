//! `/edge/v1/commands` and their results.

use crate::edge::{Edge, Scene, event, events};
use anyhow::Result;
use cloud_api::domains::edges::{Order, give_command};
use cloud_api::events as bus;
use cloud_api::ids::CommandId;
use cloud_api::jobs::run_due_jobs;
use protocol::sync::commands::{Commands, Target};
use protocol::sync::entry::{Body, CommandResult, DeviceKind, Outcome};
use serde_json::{Map, json};
use time::Duration;
use tokio::task::JoinSet;

async fn give(scene: &Scene, ttl: Duration) -> Result<CommandId> {
    let target = Some(Target { kind: DeviceKind::Machine, code: "bike-01".parse()? });
    let (branch, command) = (scene.gym.branch.id, "lock".to_owned());
    let order = Order { branch, target, command, args: Map::new(), ttl };
    let mut tx = scene.api.app.db.begin().await?;
    let id = give_command(&mut tx, &order, &scene.api.app.clock).await?;
    tx.commit().await?;
    Ok(id)
}

async fn ask(scene: &Scene, wait_s: u32) -> Result<Commands> {
    let path = format!("/edge/v1/commands?wait_s={wait_s}");
    let answer = scene.api.get(&path, Some(&scene.edge.token)).await?;
    anyhow::ensure!(answer.status == 200, "{answer:?}");
    Ok(serde_json::from_slice(&answer.body)?)
}

async fn report(scene: &Scene, id: CommandId, outcome: &str) -> Result<u16> {
    let path = format!("/edge/v1/commands/{id}/result");
    let report = json!({"outcome": outcome, "detail": null});
    Ok(scene.api.post(&path, Some(&scene.edge.token), &report).await?.status.as_u16())
}

async fn outcome(scene: &Scene) -> Result<Option<String>> {
    let row = sqlx::query_scalar("SELECT outcome FROM commands");
    Ok(row.fetch_one(&scene.api.app.db).await?)
}

#[tokio::test]
async fn a_command_is_told_with_the_time_it_has_left() -> Result<()> {
    let scene = Scene::open().await?;
    let id = give(&scene, Duration::seconds(30)).await?;
    scene.api.app.clock.advance(Duration::seconds(10));

    let told = ask(&scene, 0).await?.items;

    assert_eq!((told.len(), told[0].id), (1, id.into()));
    assert!(told[0].ttl_ms <= 20_000 && told[0].ttl_ms > 15_000, "{}", told[0].ttl_ms);
    assert_eq!(told[0].command, "lock");
    Ok(())
}

#[tokio::test]
async fn who_waits_is_told_when_a_command_is_given() -> Result<()> {
    let scene = Scene::open().await?;
    let app = scene.api.app.clone();
    let mut tasks = JoinSet::new();
    let mut heard = app.bus.subscribe();
    tasks.spawn(bus::run(app.bus.clone(), app.db.clone(), app.stop.clone()));
    heard.recv().await?;

    let given = async {
        tokio::task::yield_now().await;
        give(&scene, Duration::seconds(30)).await
    };
    let (told, id) = tokio::join!(ask(&scene, 20), given);

    assert_eq!(told?.items[0].id, id?.into());
    Ok(())
}

#[tokio::test]
async fn a_command_without_a_result_is_told_again_after_a_while_and_to_a_new_start_at_once()
-> Result<()> {
    let mut scene = Scene::open().await?;
    give(&scene, Duration::minutes(5)).await?;
    assert_eq!(ask(&scene, 0).await?.items.len(), 1);
    assert_eq!(ask(&scene, 0).await?.items.len(), 0);

    scene.api.app.clock.advance(Duration::seconds(10));
    assert_eq!(ask(&scene, 0).await?.items.len(), 1);

    scene.edge.token = scene.edge.start(&scene.api, "second").await?;
    assert_eq!(ask(&scene, 0).await?.items.len(), 1);
    Ok(())
}

#[tokio::test]
async fn the_first_result_counts_and_a_repeat_changes_nothing() -> Result<()> {
    let scene = Scene::open().await?;
    let id = give(&scene, Duration::minutes(5)).await?;

    assert_eq!(report(&scene, id, "done").await?, 204);
    assert_eq!(report(&scene, id, "failed").await?, 204);

    assert_eq!(outcome(&scene).await?.as_deref(), Some("done"));
    assert_eq!(ask(&scene, 0).await?.items.len(), 0);
    Ok(())
}

#[tokio::test]
async fn a_result_from_the_journal_ends_a_command() -> Result<()> {
    let scene = Scene::open().await?;
    let id = give(&scene, Duration::minutes(5)).await?;
    let result = CommandResult { id: id.into(), outcome: Outcome::Failed, detail: None };

    let batch = events(1, 1, vec![event(scene.machine, 1, Body::CommandResult(result))]);
    assert_eq!(scene.send(&batch).await?.status, 200);

    assert_eq!(outcome(&scene).await?.as_deref(), Some("failed"));
    Ok(())
}

#[tokio::test]
async fn a_command_past_its_time_is_not_told_and_ends_as_expired() -> Result<()> {
    let scene = Scene::open().await?;
    let id = give(&scene, Duration::seconds(30)).await?;
    scene.api.app.clock.advance(Duration::minutes(2));

    assert_eq!(ask(&scene, 0).await?.items.len(), 0);
    run_due_jobs(&scene.api.app).await?;
    assert_eq!(outcome(&scene).await?.as_deref(), Some("expired"));

    // It was carried out in time, and the branch was cut off before it could say so.
    assert_eq!(report(&scene, id, "done").await?, 204);
    assert_eq!(outcome(&scene).await?.as_deref(), Some("done"));
    Ok(())
}

#[tokio::test]
async fn commands_of_other_branches_are_not_there() -> Result<()> {
    let mut scene = Scene::open().await?;
    let id = give(&scene, Duration::minutes(5)).await?;

    scene.edge = Edge::enrol(&scene.api, scene.gym.other.id).await?;

    assert_eq!(ask(&scene, 0).await?.items.len(), 0);
    assert_eq!(report(&scene, id, "done").await?, 404);
    Ok(())
}
