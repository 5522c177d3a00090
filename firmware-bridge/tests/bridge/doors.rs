//! Promise 10 at the door: whatever a link, an agent or a bridge holds back, nothing old moves a relay.

use crate::broker::{Broker, OK};
use crate::link::Link;
use crate::publishing::{Bridge, clock};
use crate::{agent, bare, until};
use firmware_bridge::config::{Config, DoorConfig};
use firmware_bridge::drivers::door;
use firmware_bridge::emulators::relay::Relay;
use firmware_bridge::supervisor;
use protocol::ids::TapId;
use protocol::sync::entry::Outcome;
use serde_json::{Value, json};
use std::path::Path;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const DECISIONS: &str = "gymwire/v1/readers/door/decision";
const BRIDGE_STATUS: &str = "gymwire/v1/bridges/bridge-1/status";
const COMMANDS: &str = "gymwire/v1/readers/door/commands";

fn door_config(folder: &Path) -> DoorConfig {
    DoorConfig {
        readers: vec!["door".parse().unwrap()],
        line: format!("unix:{}", folder.join("relay").display()).parse().unwrap(),
        open_ms: 100,
        max_open_ms: 10_000,
        hold_ms: 60_000,
        max_hold_ms: 60_000,
        green: None,
        red: None,
        buzzer: None,
    }
}

fn granted(tap: TapId) -> Value {
    json!({
        "tap_id": tap.0, "outcome": "granted", "action": "check_in", "reason": "granted",
        "display": "Hello", "valid_ms": 2_000,
    })
}

fn command(id: u128, word: &str, ttl_ms: u64) -> Value {
    json!({ "id": Uuid::from_u128(id), "command": word, "args": {}, "ttl_ms": ttl_ms })
}

/// A bridge with a door behind a link that can be held up; its clock is set by hand.
struct Scene {
    folder: TempDir,
    broker: Broker,
    link: Link,
    bridge: Bridge,
    relay: Relay,
    _door: JoinSet<anyhow::Result<()>>,
}

impl Scene {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let broker = Broker::start(|_| OK).await;
        let link = Link::start(broker.port).await;
        let relay = Relay::plug_in(&folder.path().join("relay")).unwrap();
        let bridge = Bridge::with(agent(folder.path(), link.port), folder.path(), clock());
        let mut door = JoinSet::new();
        let config = door_config(folder.path());
        door.spawn(door::run(config, bridge.desk.clone(), bridge.stop.clone()));
        let scene = Self { folder, broker, link, bridge, relay, _door: door };
        scene.relay.used().await;
        scene.broker.hears(COMMANDS).await;
        scene.all_acked().await;
        scene
    }

    async fn all_acked(&self) {
        until("everything is acked", || self.bridge.waiting() == 0).await;
    }

    async fn tap(&self) -> TapId {
        let taps = self.broker.taps().len();
        self.bridge.tap("G1card").await;
        until("the tap is there", || self.broker.taps().len() > taps).await;
        self.all_acked().await;
        self.broker.taps()[taps].1.tap_id
    }

    /// Says something over a link that holds it back for so long.
    async fn say_held_back(&self, topic: &str, said: Value, mark: &str, held_ms: u64) {
        self.link.hold();
        self.broker.say(topic, said).await;
        until("it is on its way", || self.link.holds(mark.as_bytes())).await;
        self.bridge.desk.clock.set(50_000 + held_ms);
        self.link.release();
    }

    /// An order that comes behind everything else, and is answered last.
    async fn lock(&self, id: u128) {
        let before = self.broker.results().len();
        self.broker.say(COMMANDS, command(id, "lock", u64::MAX)).await;
        until("the last answer", || self.broker.results().len() > before).await;
    }
}

#[tokio::test]
async fn a_granted_tap_moves_the_relay_and_it_falls_back_by_itself() {
    let scene = Scene::start().await;
    let tap = scene.tap().await;

    scene.broker.say(DECISIONS, granted(tap)).await;
    scene.relay.becomes(true).await;
    scene.relay.becomes(false).await;

    assert_eq!(scene.relay.log().len(), 2);
}

#[tokio::test]
async fn a_decision_that_a_stalled_link_held_back_does_not_move_the_relay() {
    let scene = Scene::start().await;
    let tap = scene.tap().await;

    scene.say_held_back(DECISIONS, granted(tap), "check_in", 6_000).await;
    scene.lock(1).await;

    assert_eq!(scene.relay.log(), []);
}

#[tokio::test]
async fn a_decision_past_its_validity_does_not_move_the_relay_though_the_tap_is_fresh() {
    let scene = Scene::start().await;
    let tap = scene.tap().await;

    scene.say_held_back(DECISIONS, granted(tap), "check_in", 2_001).await;
    scene.lock(1).await;

    assert_eq!(scene.relay.log(), []);
}

#[tokio::test]
async fn an_order_that_a_stalled_link_held_back_has_expired() {
    let scene = Scene::start().await;

    scene.say_held_back(COMMANDS, command(7, "open", 5_000), "open", 6_000).await;
    scene.lock(8).await;

    let results = scene.broker.results();
    assert_eq!(results[0].id.0, Uuid::from_u128(7));
    assert_eq!(results[0].outcome, Outcome::Expired);
    assert_eq!(scene.relay.log(), []);
}

#[tokio::test]
async fn an_order_is_carried_out_once_however_often_it_comes() {
    let scene = Scene::start().await;

    scene.broker.say(COMMANDS, command(7, "open", 5_000)).await;
    scene.relay.becomes(true).await;
    scene.relay.becomes(false).await;
    until("an answer", || scene.broker.results().len() == 1).await;
    scene.broker.say(COMMANDS, command(7, "open", 5_000)).await;
    until("the same answer", || scene.broker.results().len() == 2).await;
    scene.lock(8).await;

    let results = scene.broker.results();
    assert_eq!(results[0], results[1]);
    assert_eq!((results[0].outcome, scene.relay.log().len()), (Outcome::Done, 2));
}

#[tokio::test]
async fn an_agent_that_comes_back_with_an_old_decision_does_not_move_the_relay() {
    let scene = Scene::start().await;
    let tap = scene.tap().await;
    let port = scene.broker.port;
    drop(scene.broker);
    scene.bridge.desk.clock.set(56_000);

    let broker = Broker::start_at(port, None, |_| OK).await;
    broker.hears(COMMANDS).await;
    broker.say(DECISIONS, granted(tap)).await;
    broker.say(COMMANDS, command(8, "lock", 5_000)).await;
    until("the last answer", || broker.results().len() == 1).await;

    assert_eq!(scene.relay.log(), []);
}

#[tokio::test]
async fn a_bridge_that_comes_back_does_not_act_on_a_tap_of_its_former_life() {
    let scene = Scene::start().await;
    let tap = scene.tap().await;
    let Scene { folder, broker, bridge, relay, _door: door, .. } = scene;
    drop(door);
    bridge.kill(folder.path()).await;

    let again = Bridge::start(folder.path(), broker.port, clock());
    let mut door = JoinSet::new();
    door.spawn(door::run(door_config(folder.path()), again.desk.clone(), again.stop.clone()));
    relay.used().await;
    until("the new login", || broker.log.lock().unwrap().connections == 2).await;
    broker.hears(COMMANDS).await;
    broker.say(DECISIONS, granted(tap)).await;
    broker.say(COMMANDS, command(8, "lock", 5_000)).await;
    until("the last answer", || broker.results().len() == 1).await;

    assert_eq!(relay.log(), []);
}

#[tokio::test]
async fn the_configured_door_is_open_only_while_its_bridge_lives() {
    let folder = TempDir::new().unwrap();
    let broker = Broker::start(|_| OK).await;
    let relay = Relay::plug_in(&folder.path().join("relay")).unwrap();
    let config =
        Config { door: vec![door_config(folder.path())], ..bare(folder.path(), broker.port) };
    let mut tasks = supervisor::start(config, &CancellationToken::new()).unwrap();
    relay.used().await;
    broker.hears(COMMANDS).await;

    broker.say(COMMANDS, command(1, "hold_open", 5_000)).await;
    relay.becomes(true).await;
    tasks.shutdown().await;
    relay.becomes(false).await;

    assert_eq!(relay.log().len(), 2);
}

#[tokio::test]
async fn a_relay_that_is_away_is_told_fails_orders_and_comes_back_locked() {
    let scene = Scene::start().await;
    let error = || scene.broker.retained(BRIDGE_STATUS).map(|status| status["error"].clone());
    let is_told = || error().is_some_and(|error| error.to_string().contains("relay unix:"));
    scene.broker.say(COMMANDS, command(1, "hold_open", 5_000)).await;
    scene.relay.becomes(true).await;
    drop(scene.relay);
    until("it is told", is_told).await;

    scene.broker.say(COMMANDS, command(2, "open", 5_000)).await;
    until("two answers", || scene.broker.results().len() == 2).await;
    let relay = Relay::plug_in(&scene.folder.path().join("relay")).unwrap();
    until("it is back", || !is_told()).await;
    let before = relay.log();
    scene.broker.say(COMMANDS, command(3, "hold_open", 5_000)).await;
    relay.becomes(true).await;
    until("three answers", || scene.broker.results().len() == 3).await;

    let outcomes: Vec<_> = scene.broker.results().iter().map(|result| result.outcome).collect();
    assert_eq!(outcomes, [Outcome::Done, Outcome::Failed, Outcome::Done]);
    assert_eq!(before, []);
}
