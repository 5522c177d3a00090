//! `/edge/v1/state`: the live lane.

use crate::edge::{Edge, Scene, put_state, stamp};
use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::Request;
use cloud_api::domains::accounts::Role;
use cloud_api::domains::edges::save_live;
use cloud_api::ids::DeviceId;
use cloud_api::{App, Clock, Config};
use protocol::machine::Field;
use protocol::sync::entry::DeviceState;
use protocol::sync::state::{Floor, LiveDevice, LiveSample, LiveState, Position, STATE_MEDIA_TYPE};
use tests::api::Answer;
use tokio_util::sync::CancellationToken;

fn device(id: DeviceId, state: DeviceState) -> LiveDevice {
    let sample = Some(LiveSample { mono_ms: 9_000, values: vec![(Field::PowerW as u8, 2_500)] });
    LiveDevice { device: id.into(), state, error: None, sample }
}

fn state(n: u64, full: bool, machines: Vec<LiveDevice>) -> LiveState {
    LiveState {
        boot: 1,
        n,
        stamp: stamp(10_000),
        as_of: Position { epoch: 1, seq: 1 },
        full,
        floor: Floor::default(),
        machines,
    }
}

async fn put(scene: &Scene, encoding: &str, body: Vec<u8>) -> Result<Answer> {
    let request = Request::put("/edge/v1/state")
        .header("authorization", format!("Bearer {}", scene.edge.token))
        .header("content-type", STATE_MEDIA_TYPE)
        .header("content-encoding", encoding)
        .body(Body::from(body))?;
    scene.api.call(request).await
}

fn seen(scene: &Scene, id: DeviceId) -> Option<DeviceState> {
    scene.api.app.live.device(scene.gym.branch.id, id).map(|seen| seen.state)
}

#[tokio::test]
async fn the_floor_is_known_as_soon_as_it_is_told() -> Result<()> {
    let scene = Scene::open().await?;
    let told = state(1, true, vec![device(scene.machine, DeviceState::InUse)]);

    assert_eq!(scene.edge.put_state(&scene.api, &told).await?.status, 200);

    let seen = scene.api.app.live.device(scene.gym.branch.id, scene.machine);
    let seen = seen.context("not known")?;
    assert_eq!(seen.state, DeviceState::InUse);
    let (_, fields) = seen.sample.context("no sample")?;
    assert_eq!(fields.scaled(Field::PowerW), Some(2_500));
    Ok(())
}

#[tokio::test]
async fn an_edge_is_told_while_somebody_looks_at_its_floor() -> Result<()> {
    let scene = Scene::open().await?;
    let token = scene.gym.token(&scene.api, Role::Staff, &[scene.gym.branch.id]).await?;
    let watched = async |n| {
        let answer = scene.edge.put_state(&scene.api, &state(n, true, vec![])).await?;
        Ok::<_, anyhow::Error>(answer.json()?["watched"].clone())
    };

    let before = watched(1).await?;
    scene.api.get("/api/v1/machines/availability", Some(&token)).await?;
    let looked_at = watched(2).await?;
    scene.api.app.clock.advance(time::Duration::seconds(31));

    assert_eq!((before, looked_at, watched(3).await?), (false.into(), true.into(), false.into()));
    Ok(())
}

#[tokio::test]
async fn a_packed_state_counts_like_a_plain_one() -> Result<()> {
    let scene = Scene::open().await?;
    let packed = state(1, true, vec![device(scene.machine, DeviceState::InUse)]).pack();

    let answer = put(&scene, "zstd", packed).await?;

    assert_eq!(answer.status, 200);
    assert_eq!(seen(&scene, scene.machine), Some(DeviceState::InUse));
    Ok(())
}

#[tokio::test]
async fn a_packed_state_is_inflated_up_to_its_limit_and_no_further() -> Result<()> {
    let scene = Scene::open().await?;
    let bomb = zstd::bulk::compress(&vec![1; 64 << 20], 3)?;

    let answer = put(&scene, "zstd", bomb).await?;

    let code = answer.json()?["code"].clone();
    assert_eq!((answer.status.as_u16(), code.as_str()), (413, Some("payload_too_large")));
    Ok(())
}

#[tokio::test]
async fn an_encoding_nobody_knows_is_refused() -> Result<()> {
    let scene = Scene::open().await?;

    let answer = put(&scene, "br", state(1, true, vec![]).encode()).await?;

    let code = answer.json()?["code"].clone();
    assert_eq!((answer.status.as_u16(), code.as_str()), (415, Some("unsupported_encoding")));
    Ok(())
}

#[tokio::test]
async fn a_state_that_was_overtaken_changes_nothing() -> Result<()> {
    let scene = Scene::open().await?;
    let told = |n, state_of| state(n, true, vec![device(scene.machine, state_of)]);
    scene.edge.put_state(&scene.api, &told(2, DeviceState::InUse)).await?;

    let late = scene.edge.put_state(&scene.api, &told(1, DeviceState::Idle)).await?;

    assert_eq!(late.status, 200);
    assert_eq!(seen(&scene, scene.machine), Some(DeviceState::InUse));
    Ok(())
}

#[tokio::test]
async fn a_change_without_its_base_asks_for_everything() -> Result<()> {
    let scene = Scene::open().await?;

    let answer = scene.edge.put_state(&scene.api, &state(5, false, vec![])).await?;

    assert_eq!(
        (answer.status.as_u16(), answer.json()?["code"].as_str()),
        (409, Some("full_state_needed"))
    );
    Ok(())
}

#[tokio::test]
async fn machines_of_other_branches_are_ignored() -> Result<()> {
    let scene = Scene::open().await?;
    let kind = cloud_api::domains::devices::MachineType::Cardio;
    let foreign = scene.gym.machine(&scene.api, &scene.gym.other, "bike-02", kind).await?;
    let told = [foreign, scene.machine].map(|id| device(id, DeviceState::InUse));

    scene.edge.put_state(&scene.api, &state(1, true, told.into())).await?;

    assert_eq!(seen(&scene, foreign), None);
    assert_eq!(seen(&scene, scene.machine), Some(DeviceState::InUse));
    Ok(())
}

#[tokio::test]
async fn another_instance_goes_on_where_this_one_was() -> Result<()> {
    let scene = Scene::open().await?;
    let told = state(1, true, vec![device(scene.machine, DeviceState::InUse)]);
    scene.edge.put_state(&scene.api, &told).await?;
    save_live(&scene.api.app).await?;
    let db = scene.api.db().pool().await?;
    let stop = CancellationToken::new();
    let other = App::open(db, Config::default(), Clock::system(), stop).await?;

    let saved = tests::api::Api::over(other.clone());
    let answer = put_state(&saved, &scene.edge.token, &state(2, false, vec![])).await?;

    assert_eq!(answer.status, 200);
    assert!(other.live.device(scene.gym.branch.id, scene.machine).is_some());
    Ok(())
}

#[tokio::test]
async fn a_replaced_edge_is_not_believed() -> Result<()> {
    let scene = Scene::open().await?;
    Edge::enrol(&scene.api, scene.gym.branch.id).await?;

    let answer = scene.edge.put_state(&scene.api, &state(1, true, vec![])).await?;

    assert_eq!(answer.status, 401);
    Ok(())
}
