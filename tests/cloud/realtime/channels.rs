//! What may be heard by whom, and how things stand at first.

use super::{Person, Scene, next_number, user};
use crate::gym::Gym;
use anyhow::Result;
use cloud_api::domains::accounts::Role;
use cloud_api::domains::devices::MachineType;
use cloud_api::events::log::{self, Audience, BranchSilent, Event};
use serde_json::json;
use tests::live::Socket;

#[tokio::test]
async fn channels_of_others_are_refused_and_the_rest_is_heard() -> Result<()> {
    let scene = Scene::open().await?;
    let foreign = Gym::open(&scene.api, "Other").await?;
    let own = scene.gym.branch.id;
    let mut socket = Socket::open(scene.here.address, "/api/v1/ws", Some(&scene.ada.token)).await?;
    let asked =
        [format!("branch:{}", foreign.branch.id), format!("staff:{own}"), format!("branch:{own}")];

    socket.say(&json!({"type": "subscribe", "channels": asked})).await?;

    let (first, second) = (socket.until("error").await?, socket.until("error").await?);
    assert_eq!(first["data"]["code"], "not_allowed");
    assert!(first["data"]["message"].as_str().is_some_and(|text| text.starts_with(&asked[0])));
    assert!(second["data"]["message"].as_str().is_some_and(|text| text.starts_with(&asked[1])));
    assert_eq!(socket.until("subscribed").await?["data"]["channels"], json!([asked[2]]));
    Ok(())
}

#[tokio::test]
async fn who_neither_trains_nor_works_there_hears_no_branch() -> Result<()> {
    let scene = Scene::open().await?;
    let nobody = scene.gym.token(&scene.api, Role::Member, &[]).await?;
    let path = format!("/api/v1/ws/machines?branch_id={}", scene.gym.branch.id);

    let mut socket = Socket::open(scene.here.address, &path, Some(&nobody)).await?;

    assert_eq!(socket.until("error").await?["data"]["code"], "not_allowed");
    assert_eq!(socket.until("subscribed").await?["data"]["channels"], json!([]));
    Ok(())
}

#[tokio::test]
async fn a_snapshot_of_a_branch_has_its_machines() -> Result<()> {
    let scene = Scene::open().await?;
    let at = &scene.gym.branch;
    let rower = scene.gym.machine(&scene.api, at, "rower", MachineType::Cardio).await?;
    let path = format!("/api/v1/ws/machines?branch_id={}", at.id);

    let mut socket = Socket::open(scene.here.address, &path, Some(&scene.ada.token)).await?;

    let snapshot = socket.until("snapshot").await?;
    assert_eq!(snapshot["data"]["channel"], format!("branch:{}", at.id));
    let expected = json!([{"machine_id": rower, "branch_id": at.id, "state": null, "error": null,
        "is_lent": false, "waiting": 0}]);
    assert_eq!(snapshot["data"]["machines"], expected);
    Ok(())
}

#[tokio::test]
async fn what_is_told_to_one_is_heard_on_all_their_devices_and_by_nobody_else() -> Result<()> {
    let scene = Scene::open().await?;
    let eve = Person::enter(&scene.api, &scene.gym, "Eve").await?;
    let (mut phone, _) = scene.hear(&user()).await?;
    let (mut watch, _) = scene.hear(&["workouts".to_owned()]).await?;
    let (mut foreign, _) = Socket::hear(scene.here.address, &eve.token, &user()).await?;

    scene.tell(1).await?;
    let mut db = scene.api.app.db.acquire().await?;
    let now = scene.api.app.clock.now();
    let to_eve = (Audience::Member(eve.member), super::numbered(2));
    log::append_all(&mut db, &[to_eve], now).await?;

    assert_eq!(next_number(&mut phone).await?, 1);
    assert_eq!(next_number(&mut watch).await?, 1);
    assert_eq!(next_number(&mut foreign).await?, 2);
    Ok(())
}

#[tokio::test]
async fn an_event_that_is_heard_by_two_channels_comes_once() -> Result<()> {
    let scene = Scene::open().await?;
    let (mut socket, _) = scene.hear(&["user".to_owned(), "workouts".to_owned()]).await?;

    scene.tell(1).await?;
    scene.tell(2).await?;

    assert_eq!((next_number(&mut socket).await?, next_number(&mut socket).await?), (1, 2));
    Ok(())
}

#[tokio::test]
async fn who_stops_working_at_a_branch_hears_its_staff_no_more() -> Result<()> {
    let scene = Scene::open().await?;
    let branch = scene.gym.branch.id;
    let staff = scene.gym.token(&scene.api, Role::Staff, &[branch]).await?;
    let channel = format!("staff:{branch}");
    let (mut socket, _) =
        Socket::hear(scene.here.address, &staff, &[channel.clone(), "user".to_owned()]).await?;

    sqlx::query("DELETE FROM branch_staff").execute(&scene.api.app.db).await?;

    let told = socket.until("unsubscribed").await?;
    assert_eq!(told["data"], json!({"channels": [channel], "reason": "not_allowed"}));
    let now = scene.api.app.clock.now();
    let silent = Event::BranchSilent(BranchSilent { branch_id: branch, since: now });
    let mut db = scene.api.app.db.acquire().await?;
    log::append(&mut db, Audience::Staff(branch), &silent, now).await?;
    socket.say(&json!({"type": "ping"})).await?;
    assert_eq!(socket.frame().await?["type"], "pong");
    Ok(())
}

#[tokio::test]
async fn who_unsubscribes_hears_it_no_more() -> Result<()> {
    let scene = Scene::open().await?;
    let (mut socket, _) = scene.hear(&user()).await?;
    let (mut other, _) = scene.hear(&user()).await?;
    socket.say(&json!({"type": "unsubscribe", "channels": ["user"]})).await?;
    socket.until("unsubscribed").await?;

    scene.tell(1).await?;
    assert_eq!(next_number(&mut other).await?, 1);
    socket.say(&json!({"type": "ping"})).await?;

    assert_eq!(socket.frame().await?["type"], "pong");
    Ok(())
}
