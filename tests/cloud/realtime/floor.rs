//! What the floor raises: machines, stays, links, queues, live values and preferences.

use super::{Scene, user};
use crate::edge::{Edge, events, stamp};
use anyhow::{Context, Result};
use axum::http::Method;
use cloud_api::domains::accounts::Role;
use cloud_api::domains::devices::MachineType;
use cloud_api::ids::DeviceId;
use protocol::ids::{LinkId, SessionId};
use protocol::machine::Field;
use protocol::rules::{Deed, Means};
use protocol::sync::entry::{Body, DeviceState, Event, Source};
use protocol::sync::state::{Floor, LiveDevice, LiveSample, LiveState, Position};
use protocol::time::Stamp;
use serde_json::{Value, json};
use tests::live::Socket;
use uuid::Uuid;

const STAY: Uuid = Uuid::from_u128(1);
const LINK: Uuid = Uuid::from_u128(2);

struct World {
    scene: Scene,
    edge: Edge,
    rower: DeviceId,
}

impl World {
    async fn open() -> Result<Self> {
        let scene = Scene::open().await?;
        let at = &scene.gym.branch;
        let rower = scene.gym.machine(&scene.api, at, "rower", MachineType::Cardio).await?;
        let edge = Edge::enrol(&scene.api, at.id).await?;
        Ok(Self { scene, edge, rower })
    }

    async fn says(&self, n: u64, state: DeviceState, power: i32) -> Result<Value> {
        let sample = LiveSample { mono_ms: 10_000, values: vec![(Field::PowerW as u8, power)] };
        let device =
            LiveDevice { device: self.rower.into(), state, error: None, sample: Some(sample) };
        let state = LiveState {
            boot: 1,
            n,
            stamp: stamp(10_000),
            as_of: Position { epoch: 1, seq: 1 },
            full: n == 1,
            floor: Floor::default(),
            machines: vec![device],
        };
        let answer = self.edge.put_state(&self.scene.api, &state).await?;
        anyhow::ensure!(answer.status == 200, "{answer:?}");
        answer.json()
    }

    /// So many milliseconds ago, the branch has journaled this.
    async fn journaled(&self, seq: u64, ago_ms: i64, deed: Deed) -> Result<()> {
        let wall_ms = self.scene.api.app.clock.now_ms() - ago_ms;
        let stamp = Stamp { boot: 1, mono_ms: wall_ms.unsigned_abs(), wall_ms, synced: true };
        let event = Event { stamp, source: Source::Edge, body: Body::Deed(deed) };
        let answer = self.edge.send(&self.scene.api, &events(1, seq, vec![event])).await?;
        anyhow::ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    }

    fn comes(&self) -> Deed {
        let member = self.scene.ada.member.into();
        Deed::CheckIn { session: SessionId(STAY), member, by: Means::Tap }
    }

    fn takes(&self) -> Deed {
        let (member, machine) = (self.scene.ada.member.into(), self.rower.into());
        Deed::Link { link: LinkId(LINK), member, machine, by: Means::Tap }
    }
}

#[tokio::test]
async fn a_machine_that_changes_is_told_once_on_every_instance() -> Result<()> {
    let world = Box::pin(World::open()).await?;
    let (_, there) = world.scene.beside().await?;
    let channels = [format!("branch:{}", world.scene.gym.branch.id)];
    let (mut here, _) = world.scene.hear(&channels).await?;
    let (mut other, _) = Socket::hear(there.address, &world.scene.ada.token, &channels).await?;

    world.says(1, DeviceState::InUse, 1_000).await?;
    world.says(2, DeviceState::InUse, 2_000).await?;
    world.says(3, DeviceState::Idle, 0).await?;

    for socket in [&mut here, &mut other] {
        let (first, second) =
            (socket.until("machine:status").await?, socket.until("machine:status").await?);
        assert_eq!(
            (&first["data"]["state"], &second["data"]["state"]),
            (&json!("in_use"), &json!("idle"))
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_stay_and_its_machine_are_told_to_the_member_and_to_staff() -> Result<()> {
    let world = Box::pin(World::open()).await?;
    let branch = world.scene.gym.branch.id;
    let staff = world.scene.gym.token(&world.scene.api, Role::Staff, &[branch]).await?;
    let (mut app, _) = world.scene.hear(&user()).await?;
    let (mut desk, _) =
        Socket::hear(world.scene.here.address, &staff, &[format!("staff:{branch}")]).await?;
    let (mut board, _) = world.scene.hear(&[format!("branch:{branch}")]).await?;

    world.journaled(1, 3_000, world.comes()).await?;
    world.journaled(2, 2_000, world.takes()).await?;
    let leaves = Deed::CheckOut {
        session: SessionId(STAY),
        member: world.scene.ada.member.into(),
        by: Means::Tap,
    };
    world.journaled(3, 1_000, leaves).await?;

    for socket in [&mut app, &mut desk] {
        let started = socket.until("session:started").await?;
        let linked = socket.until("machine:linked").await?;
        assert_eq!(started["data"]["session_id"], json!(STAY));
        assert_eq!(linked["data"]["machine_id"], json!(world.rower));
    }
    let mut ends = [app.frame().await?, app.frame().await?];
    ends.sort_by_key(|frame| frame["type"].to_string());
    assert_eq!(
        (&ends[0]["type"], &ends[0]["data"]["reason"]),
        (&json!("machine:unlinked"), &json!("session_ended"))
    );
    assert_eq!(
        (&ends[1]["type"], &ends[1]["data"]["is_automatic"]),
        (&json!("session:ended"), &json!(false))
    );
    let (lent, free) = (board.until("machine:status").await?, board.until("machine:status").await?);
    assert_eq!((&lent["data"]["is_lent"], &free["data"]["is_lent"]), (&json!(true), &json!(false)));
    Ok(())
}

#[tokio::test]
async fn what_comes_a_day_late_builds_history_and_is_told_to_nobody() -> Result<()> {
    let world = Box::pin(World::open()).await?;
    let (mut app, _) = world.scene.hear(&user()).await?;

    world.journaled(1, 86_400_000, world.comes()).await?;
    world.scene.tell(7).await?;

    assert_eq!(super::number(&app.frame().await?)?, 7);
    Ok(())
}

#[tokio::test]
async fn what_the_machine_measures_reaches_who_has_it_by_way_of_any_instance() -> Result<()> {
    let world = Box::pin(World::open()).await?;
    let (_, there) = world.scene.beside().await?;
    let token = &world.scene.ada.token;
    let mut socket = Socket::open(there.address, "/api/v1/ws/workouts", Some(token)).await?;
    socket.until("snapshot").await?;
    world.journaled(1, 3_000, world.comes()).await?;
    world.journaled(2, 2_000, world.takes()).await?;
    socket.until("machine:linked").await?;
    let rower = json!(world.rower);

    // Until this instance has heard from the other one that somebody follows.
    let mut n = 0;
    let followed = tests::wait::until("it is followed", std::time::Duration::from_secs(20), || {
        n += 1;
        let says = world.says(n, DeviceState::InUse, 1_500);
        async { Ok(says.await?["followed"].as_array().and_then(|all| all.first().cloned())) }
    });
    let followed = followed.await?;
    world.says(1_000, DeviceState::InUse, 2_500).await?;

    assert_eq!(followed, rower);
    loop {
        let live = socket.until("workout:live").await?;
        assert_eq!(live["data"]["link_id"], json!(LINK));
        if live["data"]["values"]["power_w"] == json!(250.0) {
            return Ok(());
        }
    }
}

#[tokio::test]
async fn a_profile_that_changes_is_told_to_the_other_devices() -> Result<()> {
    let scene = Scene::open().await?;
    let (mut socket, _) = scene.hear(&user()).await?;

    let change = json!({"first_name": "Ada"});
    let path = "/api/v1/users/profile";
    let answer = scene.api.send(Method::PUT, path, Some(&scene.ada.token), &change).await?;

    anyhow::ensure!(answer.status == 200, "{:?}", answer.json());
    socket.until("sync:preferences").await.context("not told")?;
    Ok(())
}
