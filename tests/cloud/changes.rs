//! `/edge/v1/changes`: signed, in pages, nothing skipped.

use crate::edge::Scene;
use anyhow::{Context, Result};
use cloud_api::domains::devices::MachineType;
use cloud_api::domains::edges::{registry_changed, retire_branch_key, rotate_branch_key};
use cloud_api::events as bus;
use protocol::sync::WireError;
use protocol::sync::changes::{Change, Changes, CloudKey};
use std::collections::BTreeSet;
use tokio::task::JoinSet;

fn keys(scene: &Scene) -> Result<Vec<CloudKey>> {
    let keys = scene.edge.enrolment.cloud_keys.iter().map(|key| {
        let public = hex::decode(&key.public)?.try_into().ok().context("not 32 bytes")?;
        Ok(CloudKey { key_id: key.key_id, public })
    });
    keys.collect()
}

async fn signed(scene: &Scene, from: u64, wait_s: u32) -> Result<Vec<u8>> {
    let path = format!("/edge/v1/changes?from={from}&wait_s={wait_s}");
    let answer = scene.api.get(&path, Some(&scene.edge.token)).await?;
    anyhow::ensure!(answer.status == 200, "{answer:?}");
    assert_eq!(answer.headers["content-type"], "application/vnd.gymwire.changes");
    Ok(answer.body.to_vec())
}

pub async fn ask(scene: &Scene, from: u64, wait_s: u32) -> Result<Changes> {
    Ok(Changes::verify(&signed(scene, from, wait_s).await?, &keys(scene)?)?)
}

async fn set(scene: &Scene, key: &str, value: &str) -> Result<()> {
    let change = Change::Setting { key: key.to_owned(), value: value.to_owned() };
    let mut tx = scene.api.app.db.begin().await?;
    registry_changed(&mut tx, scene.gym.branch.id, &change).await?;
    Ok(tx.commit().await?)
}

/// Those that a test has set.
fn settings(changes: &Changes) -> BTreeSet<String> {
    let keys = changes.changes.iter().filter_map(|change| match change {
        Change::Setting { key, .. } if key.starts_with("test") => Some(key.clone()),
        _ => None,
    });
    keys.collect()
}

#[tokio::test]
async fn a_new_edge_is_told_everything() -> Result<()> {
    let scene = Scene::open().await?;

    let told = ask(&scene, 0, 0).await?;

    assert!(told.reset && !told.more);
    assert_eq!(told.branch, scene.gym.branch.id.into());
    let machines = told.changes.iter().filter(|change| matches!(change, Change::Device(_)));
    assert_eq!(machines.count(), 1);
    assert!(told.changes.iter().any(|change| matches!(change, Change::CloudKey(_))));
    Ok(())
}

#[tokio::test]
async fn an_answer_that_was_tampered_with_is_not_believed() -> Result<()> {
    let scene = Scene::open().await?;
    let mut message = signed(&scene, 0, 0).await?;
    let last = message.len() - 1;
    message[last] ^= 1;

    assert_eq!(Changes::verify(&message, &keys(&scene)?), Err(WireError::Signature));
    Ok(())
}

#[tokio::test]
async fn only_what_is_new_is_told() -> Result<()> {
    let scene = Scene::open().await?;
    let before = ask(&scene, 0, 0).await?.to;
    set(&scene, "test-a", "1").await?;

    let told = ask(&scene, before, 0).await?;

    assert!(!told.reset);
    assert_eq!((told.changes.len(), told.to), (1, before + 1));
    assert!(ask(&scene, told.to, 0).await?.changes.is_empty());
    Ok(())
}

#[tokio::test]
async fn what_was_removed_is_told_to_who_had_it() -> Result<()> {
    let scene = Scene::open().await?;
    set(&scene, "test-a", "1").await?;
    let before = ask(&scene, 0, 0).await?.to;
    let mut tx = scene.api.app.db.begin().await?;
    registry_changed(&mut tx, scene.gym.branch.id, &Change::SettingRemoved("test-a".to_owned()))
        .await?;
    tx.commit().await?;

    assert_eq!(
        ask(&scene, before, 0).await?.changes,
        [Change::SettingRemoved("test-a".to_owned())]
    );
    assert!(settings(&ask(&scene, 0, 0).await?).is_empty());
    Ok(())
}

#[tokio::test]
async fn an_edge_ahead_of_the_cloud_starts_anew() -> Result<()> {
    let scene = Scene::open().await?;

    let told = ask(&scene, 1_000_000, 0).await?;

    assert!(told.reset);
    Ok(())
}

#[tokio::test]
async fn who_waits_is_told_as_soon_as_something_changes() -> Result<()> {
    let scene = Scene::open().await?;
    let app = scene.api.app.clone();
    let before = ask(&scene, 0, 0).await?.to;
    let mut tasks = JoinSet::new();
    let mut heard = app.bus.subscribe();
    tasks.spawn(bus::run(app.bus.clone(), app.db.clone(), app.stop.clone()));
    heard.recv().await?;

    let (told, done) = tokio::join!(ask(&scene, before, 20), set(&scene, "test-a", "1"));

    done?;
    assert_eq!(settings(&told?).len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_large_registry_comes_in_pages_even_while_it_changes() -> Result<()> {
    let scene = Scene::open().await?;
    let value = format!("\"{}\"", "x".repeat(200 * 1024));
    for n in 0..12 {
        set(&scene, &format!("test-{n:02}"), &value).await?;
    }

    let mut page = ask(&scene, 0, 0).await?;
    let mut told = settings(&page);
    let mut pages = 1;
    set(&scene, "test-00", "\"new\"").await?;
    set(&scene, "test-11", "\"new\"").await?;
    while page.more {
        page = ask(&scene, page.to, 0).await?;
        assert!(!page.reset);
        told.extend(settings(&page));
        pages += 1;
    }

    assert_eq!(told.len(), 12);
    assert!(pages > 2, "{pages}");
    assert!(ask(&scene, page.to, 0).await?.changes.is_empty());
    Ok(())
}

#[tokio::test]
async fn nothing_is_skipped_while_many_write() -> Result<()> {
    let scene = Scene::open().await?;
    let (app, branch) = (scene.api.app.clone(), scene.gym.branch.id);
    let mut version = ask(&scene, 0, 0).await?.to;
    let mut writers = JoinSet::new();
    for n in 0..30 {
        let app = app.clone();
        writers.spawn(async move {
            let (key, value) = (format!("test-{n:02}"), "1".to_owned());
            let mut tx = app.db.begin().await?;
            registry_changed(&mut tx, branch, &Change::Setting { key, value }).await?;
            anyhow::Ok(tx.commit().await?)
        });
    }

    let mut told = BTreeSet::new();
    while let Some(written) = writers.join_next().await {
        written??;
        let page = ask(&scene, version, 0).await?;
        told.extend(settings(&page));
        version = page.to;
    }

    assert_eq!(told.len(), 30);
    Ok(())
}

#[tokio::test]
async fn a_new_key_is_announced_with_the_old_one_and_then_signs() -> Result<()> {
    let scene = Scene::open().await?;
    let before = ask(&scene, 0, 0).await?.to;
    let mut tx = scene.api.app.db.begin().await?;
    let key_id = rotate_branch_key(&mut tx, scene.api.app.clock.now()).await?;
    tx.commit().await?;

    let announced = ask(&scene, before, 0).await?;

    let new = announced.changes.iter().find_map(|change| match change {
        Change::CloudKey(key) => Some(*key),
        _ => None,
    });
    let new = new.context("not announced")?;
    assert_eq!(new.key_id, key_id);
    let next = signed(&scene, announced.to, 0).await?;
    assert!(Changes::verify(&next, &[new]).is_ok());
    Ok(())
}

#[tokio::test]
async fn a_key_that_leaked_is_replaced_and_then_believed_no_more() -> Result<()> {
    let scene = Scene::open().await?;
    let old = keys(&scene)?[0].key_id;
    let before = ask(&scene, 0, 0).await?.to;
    let mut tx = scene.api.app.db.begin().await?;
    assert!(retire_branch_key(&mut tx, old).await.is_err(), "it is in use");
    tx.rollback().await?;
    let mut tx = scene.api.app.db.begin().await?;
    rotate_branch_key(&mut tx, scene.api.app.clock.now()).await?;
    tx.commit().await?;
    let announced = ask(&scene, before, 0).await?;

    let mut tx = scene.api.app.db.begin().await?;
    retire_branch_key(&mut tx, old).await?;
    tx.commit().await?;

    let new = announced.changes.iter().find_map(|change| match change {
        Change::CloudKey(key) => Some(*key),
        _ => None,
    });
    let new = new.context("not announced")?;
    let told = Changes::verify(&signed(&scene, announced.to, 0).await?, &[new])?;
    assert_eq!(told.changes, [Change::CloudKeyRemoved(old)]);
    assert!(ask(&scene, 0, 0).await.is_err(), "the old key signs nothing");
    Ok(())
}

#[tokio::test]
async fn each_branch_is_told_of_its_own_devices() -> Result<()> {
    let scene = Scene::open().await?;
    let before = ask(&scene, 0, 0).await?.to;

    scene.gym.machine(&scene.api, &scene.gym.other, "bike-02", MachineType::Cardio).await?;

    assert!(ask(&scene, before, 0).await?.changes.is_empty());
    Ok(())
}
