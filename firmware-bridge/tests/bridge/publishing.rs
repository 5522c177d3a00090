//! The publisher against brokers that cut, forget and refuse: nothing is lost, and taps come in order.

use crate::broker::{Answer, Broker, OK, is_tap, silent_agent, unused_port};
use crate::{agent, until};
use firmware_bridge::clock::Clock;
use firmware_bridge::config::AgentConfig;
use firmware_bridge::desk::Desk;
use firmware_bridge::place::Place;
use firmware_bridge::publisher::{Patience, Publisher};
use firmware_bridge::queue::{Outbox, Queue, QueueConfig};
use firmware_bridge::status;
use protocol::credential::Credential;
use rumqttc::v5::mqttbytes::v5::PubAckReason;
use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const BRIDGE_STATUS: &str = "gymwire/v1/bridges/bridge-1/status";
const DOOR_STATUS: &str = "gymwire/v1/readers/door/status";

/// Tests wait for milliseconds where the program waits for seconds.
pub const HASTY: Patience = Patience {
    ack: Duration::from_millis(150),
    connect: Duration::from_millis(500),
    first_pause: Duration::from_millis(5),
    longest_pause: Duration::from_millis(20),
    refused: Duration::from_millis(60),
};

/// A bridge without its serial side.
pub struct Bridge {
    pub desk: Desk,
    pub stop: CancellationToken,
    task: JoinSet<anyhow::Result<()>>,
}

impl Bridge {
    pub fn start(folder: &Path, port: u16, clock: Clock) -> Self {
        Self::with(AgentConfig { keep_alive_s: 1, ..agent(folder, port) }, folder, clock)
    }

    pub fn with(agent: AgentConfig, folder: &Path, clock: Clock) -> Self {
        let config = QueueConfig { path: folder.join("queue"), max_bytes: 1 << 20 };
        let outbox = Outbox::start(Queue::open(&config).unwrap()).unwrap();
        let desk = Desk::new(clock, outbox);
        let stop = CancellationToken::new();
        let publisher = Publisher { agent, desk: desk.clone(), patience: HASTY };
        let mut task = JoinSet::new();
        task.spawn(publisher.run(stop.clone()));
        Self { desk, stop, task }
    }

    pub async fn tap(&self, code: &str) {
        let qr = Credential::Qr { code: code.into() };
        self.desk.tap(&"door".parse().unwrap(), &qr, self.desk.clock.now()).await;
    }

    /// As `kill -9` would: no goodbye, and the queue's file is let go.
    pub async fn kill(mut self, folder: &Path) {
        self.task.shutdown().await;
        drop(self.desk);
        let config = QueueConfig { path: folder.join("queue"), max_bytes: 1 << 20 };
        until("the queue is closed", || Queue::open(&config).is_ok()).await;
    }

    pub fn waiting(&self) -> usize {
        self.desk.outbox.state().borrow().waiting
    }
}

pub fn clock() -> Clock {
    Clock::manual(Uuid::from_u128(1), 50_000)
}

fn codes(broker: &Broker) -> Vec<String> {
    let code = |credential| match credential {
        Credential::Qr { code } => code,
        other => panic!("{other:?}"),
    };
    broker.taps().into_iter().map(|(_, tap)| code(tap.credential)).collect()
}

#[tokio::test]
async fn a_bridge_logs_in_tells_its_state_and_publishes_taps() {
    let folder = TempDir::new().unwrap();
    let broker = Broker::start(|_| OK).await;
    let bridge = Bridge::start(folder.path(), broker.port, clock());

    bridge.tap("G1abc").await;
    until("the tap is acked", || bridge.waiting() == 0).await;

    assert_eq!(codes(&broker), ["G1abc"]);
    assert_eq!(broker.retained(BRIDGE_STATUS).unwrap()["state"], "idle");
    let will = broker.log.lock().unwrap().will.clone().unwrap();
    assert_eq!((will.topic.as_ref(), will.retain), (BRIDGE_STATUS.as_bytes(), true));
    assert_eq!(will.message.as_ref(), br#"{"state":"offline"}"#);
}

#[tokio::test]
async fn a_clean_stop_says_goodbye() {
    let folder = TempDir::new().unwrap();
    let broker = Broker::start(|_| OK).await;
    let mut bridge = Bridge::start(folder.path(), broker.port, clock());
    until("the bridge is there", || broker.retained(BRIDGE_STATUS).is_some()).await;

    bridge.stop.cancel();
    bridge.task.join_next().await.unwrap().unwrap().unwrap();

    until("the goodbye", || broker.log.lock().unwrap().clean_ends == 1).await;
    assert_eq!(broker.retained(BRIDGE_STATUS).unwrap()["state"], "offline");
}

#[tokio::test]
async fn a_readers_status_follows_its_port() {
    let folder = TempDir::new().unwrap();
    let broker = Broker::start(|_| OK).await;
    let bridge = Bridge::start(folder.path(), broker.port, clock());
    let door = Place::reader(&"door".parse().unwrap());
    let state = || broker.retained(DOOR_STATUS).map(|status| status["state"].clone());

    bridge.desk.note(&door, status::lost("no such device"));
    until("offline", || state().is_some_and(|state| state == "offline")).await;
    bridge.desk.note(&door, status::idle());
    until("idle", || state().is_some_and(|state| state == "idle")).await;
}

#[tokio::test]
async fn statuses_are_told_again_to_an_agent_that_came_back() {
    let folder = TempDir::new().unwrap();
    let broker = Broker::start(|_| OK).await;
    let bridge = Bridge::start(folder.path(), broker.port, clock());
    bridge.desk.note(&Place::reader(&"door".parse().unwrap()), status::idle());
    until("idle", || broker.retained(DOOR_STATUS).is_some()).await;
    let port = broker.port;
    drop(broker);

    let broker = Broker::start_at(port, None, |_| OK).await;

    until("idle again", || broker.retained(DOOR_STATUS).is_some()).await;
    assert!(broker.retained(BRIDGE_STATUS).is_some());
}

/// A generator whose seed can be told.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Taps while the broker cuts connections and loses acks, and the bridge is killed now and then.
async fn ordeal(seed: u64) {
    println!("seed {seed}");
    let folder = TempDir::new().unwrap();
    let mut dice = Dice(seed);
    let mut fate = Dice(seed + 1000);
    let mut faults_left = 25;
    let broker = Broker::start(move |publish| match fate.roll(10) {
        0 | 1 if is_tap(publish) && faults_left > 0 => {
            faults_left -= 1;
            Answer::Cut
        }
        2 if is_tap(publish) && faults_left > 0 => {
            faults_left -= 1;
            Answer::Nothing
        }
        _ => OK,
    })
    .await;
    let mut bridge = Bridge::start(folder.path(), broker.port, clock());
    let sent: Vec<String> = (0..150).map(|number| format!("G1-{number:04}")).collect();

    for code in &sent {
        bridge.tap(code).await;
        if dice.roll(30) == 0 {
            bridge.kill(folder.path()).await;
            bridge = Bridge::start(folder.path(), broker.port, clock());
        }
    }
    until("everything is acked", || bridge.waiting() == 0).await;

    let taps = broker.taps();
    let mut ids = std::collections::HashMap::new();
    let mut first_arrivals = Vec::new();
    for ((received, tap), code) in taps.iter().zip(codes(&broker)) {
        let id = *ids.entry(code.clone()).or_insert(tap.tap_id);
        assert_eq!(id, tap.tap_id, "one presentation, one id");
        if !first_arrivals.contains(&code) {
            first_arrivals.push(code);
        } else if received.connection > 1 {
            assert!(received.dup, "what may have come before says so");
        }
    }
    assert_eq!(first_arrivals, sent, "all of them, in order");
    let ids: HashSet<_> = ids.values().collect();
    assert_eq!(ids.len(), sent.len(), "no id twice");
    for pair in taps.windows(2).filter(|pair| pair[0].0.connection == pair[1].0.connection) {
        assert!(pair[0].1.tap_id.0 < pair[1].1.tap_id.0, "in order within each connection");
    }
    bridge.kill(folder.path()).await;
    let left = Queue::open(&QueueConfig { path: folder.path().join("queue"), max_bytes: 1 << 20 });
    assert!(left.unwrap().is_empty());
}

#[tokio::test]
async fn every_tap_arrives_with_its_id_whatever_breaks() {
    for seed in 1..=4 {
        ordeal(seed).await;
    }
}

#[tokio::test]
async fn a_lost_ack_makes_the_bridge_send_again_over_a_new_connection() {
    let folder = TempDir::new().unwrap();
    let mut lost = false;
    let broker = Broker::start(move |publish| {
        if is_tap(publish) && !std::mem::replace(&mut lost, true) { Answer::Nothing } else { OK }
    })
    .await;
    let bridge = Bridge::start(folder.path(), broker.port, clock());

    bridge.tap("G1abc").await;
    until("the tap is acked", || bridge.waiting() == 0).await;

    let taps = broker.taps();
    assert_eq!(taps.len(), 2);
    assert_eq!(taps[0].1.tap_id, taps[1].1.tap_id);
    assert_eq!((taps[0].0.dup, taps[1].0.dup), (false, true));
    assert!(taps[0].0.connection < taps[1].0.connection);
}

#[tokio::test]
async fn a_tap_that_waited_tells_its_age() {
    let folder = TempDir::new().unwrap();
    let port = unused_port().await;
    let bridge = Bridge::start(folder.path(), port, clock());
    bridge.tap("G1waited").await;

    bridge.desk.clock.set(57_500);
    let broker = Broker::start_at(port, None, |_| OK).await;
    until("the tap is acked", || bridge.waiting() == 0).await;

    assert_eq!(broker.taps()[0].1.age_ms, 7_500);
}

#[tokio::test]
async fn the_age_goes_on_over_a_restart_and_is_unknown_after_a_reboot() {
    let folder = TempDir::new().unwrap();
    let port = unused_port().await;
    let bridge = Bridge::start(folder.path(), port, clock());
    bridge.tap("G1old").await;
    bridge.kill(folder.path()).await;
    let restarted = Bridge::start(folder.path(), port, Clock::manual(Uuid::from_u128(1), 53_000));
    let mut first = true;
    let broker = Broker::start_at(port, None, move |publish| {
        if is_tap(publish) && std::mem::replace(&mut first, false) { Answer::Cut } else { OK }
    })
    .await;
    until("it came once", || !broker.taps().is_empty()).await;
    restarted.kill(folder.path()).await;

    let rebooted = Bridge::start(folder.path(), port, Clock::manual(Uuid::from_u128(2), 53_100));
    until("the tap is acked", || rebooted.waiting() == 0).await;

    let ages: Vec<u32> = broker.taps().iter().map(|(_, tap)| tap.age_ms).collect();
    assert_eq!(ages.first(), Some(&3_000));
    assert!(ages.len() == 1 || ages.last() == Some(&u32::MAX), "{ages:?}");
}

#[tokio::test]
async fn a_refused_reader_does_not_hold_up_the_others_and_is_offered_again() {
    let folder = TempDir::new().unwrap();
    let mut refusals = 3;
    let broker = Broker::start(move |publish| {
        let is_first = is_tap(publish) && publish.payload.windows(7).any(|text| text == b"G1first");
        if is_first && refusals > 0 {
            refusals -= 1;
            return Answer::Ack(PubAckReason::NotAuthorized);
        }
        OK
    })
    .await;
    let bridge = Bridge::start(folder.path(), broker.port, clock());

    bridge.tap("G1first").await;
    bridge.tap("G1second").await;
    until("both are acked", || bridge.waiting() == 0).await;

    assert_eq!(codes(&broker), ["G1first", "G1second", "G1first", "G1first", "G1first"]);
    assert_eq!(broker.log.lock().unwrap().connections, 1);
}

#[tokio::test]
async fn a_status_that_was_refused_is_told_once_the_reader_is_assigned() {
    let folder = TempDir::new().unwrap();
    let mut refusals = 2;
    let broker = Broker::start(move |publish| {
        if publish.topic == DOOR_STATUS && refusals > 0 {
            refusals -= 1;
            return Answer::Ack(PubAckReason::NotAuthorized);
        }
        OK
    })
    .await;
    let bridge = Bridge::start(folder.path(), broker.port, clock());
    let told = || {
        let log = broker.log.lock().unwrap();
        log.publishes.iter().filter(|publish| publish.topic == DOOR_STATUS).count()
    };

    bridge.desk.note(&Place::reader(&"door".parse().unwrap()), status::idle());
    until("it is told for the third time", || told() == 3).await;

    assert_eq!(broker.log.lock().unwrap().connections, 1);
}

#[tokio::test]
async fn what_the_agent_cannot_read_is_not_sent_again() {
    let folder = TempDir::new().unwrap();
    let broker = Broker::start(|publish| {
        if is_tap(publish) { Answer::Ack(PubAckReason::PayloadFormatInvalid) } else { OK }
    })
    .await;
    let bridge = Bridge::start(folder.path(), broker.port, clock());

    bridge.tap("G1abc").await;
    until("the tap is acked", || bridge.waiting() == 0).await;

    assert_eq!(broker.taps().len(), 1);
}

#[tokio::test]
async fn a_new_secret_is_used_without_a_restart() {
    let folder = TempDir::new().unwrap();
    let broker = Broker::start(|_| OK).await;
    *broker.password.lock().unwrap() = "new one".into();
    let bridge = Bridge::start(folder.path(), broker.port, clock());
    bridge.tap("G1abc").await;

    std::fs::write(folder.path().join("secret"), "new one").unwrap();
    until("the tap is acked", || bridge.waiting() == 0).await;

    assert_eq!(codes(&broker), ["G1abc"]);
}

#[tokio::test]
async fn an_agent_that_never_answers_does_not_hold_up_the_end() {
    let folder = TempDir::new().unwrap();
    let (port, _agent) = silent_agent().await;
    let mut bridge = Bridge::start(folder.path(), port, clock());
    bridge.tap("G1abc").await;

    bridge.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(2), bridge.task.join_next()).await;

    ended.unwrap().unwrap().unwrap().unwrap();
    assert_eq!(bridge.waiting(), 1);
}

#[tokio::test]
async fn an_agent_that_went_silent_is_noticed_by_its_missing_signs_of_life() {
    let folder = TempDir::new().unwrap();
    let broker = Broker::start(|_| OK).await;
    let _bridge = Bridge::start(folder.path(), broker.port, clock());
    let connections = || broker.log.lock().unwrap().connections;
    until("the bridge is there", || connections() == 1).await;

    broker.is_deaf.store(true, Ordering::Relaxed);

    until("a new connection", || connections() == 2).await;
}
