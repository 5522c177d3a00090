//! What the agent says: it reaches the driver, tells its age, and orders are answered once.

use crate::broker::{Answer, Broker, OK};
use crate::link::Link;
use crate::publishing::{Bridge, HASTY, clock};
use crate::{agent, until};
use firmware_bridge::inbox::{Mail, Word};
use firmware_bridge::place::Place;
use protocol::mqtt::topics::Topic;
use protocol::sync::entry::{CommandResult, Outcome};
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::TempDir;
use uuid::Uuid;

const DECISIONS: &str = "gymwire/v1/readers/door/decision";
const BRIDGE_COMMANDS: &str = "gymwire/v1/bridges/bridge-1/commands";

fn door() -> Place {
    Place::reader(&"door".parse().unwrap())
}

fn granted() -> Value {
    json!({
        "tap_id": Uuid::from_u128(7), "outcome": "granted", "action": "check_in", "reason": "granted",
        "display": "Hello", "open_door_ms": 3000, "valid_ms": 2000,
    })
}

fn command(id: u128, word: &str) -> Value {
    json!({ "id": Uuid::from_u128(id), "command": word, "args": {}, "ttl_ms": 5_000 })
}

fn result(id: u128, outcome: Outcome) -> CommandResult {
    CommandResult { id: protocol::ids::CommandId(Uuid::from_u128(id)), outcome, detail: None }
}

#[tokio::test]
async fn a_driver_hears_what_is_said_to_its_place() {
    let folder = TempDir::new().unwrap();
    let broker = Broker::start(|_| OK).await;
    let bridge = Bridge::start(folder.path(), broker.port, clock());
    let mut mailbox = bridge.desk.inbox.mailbox(door(), &[]);
    broker.hears(DECISIONS).await;

    broker.say(DECISIONS, json!({ "nonsense": true })).await;
    broker.say(DECISIONS, granted()).await;
    let mail = mailbox.recv().await.unwrap();

    let Mail { word: Word::Decision(decision), age_ms, .. } = mail else { panic!("{mail:?}") };
    assert_eq!((decision.tap_id.0, age_ms), (Uuid::from_u128(7), 0));
}

#[tokio::test]
async fn what_a_stalled_link_held_back_tells_its_age() {
    let folder = TempDir::new().unwrap();
    let broker = Broker::start(|_| OK).await;
    let link = Link::start(broker.port).await;
    let bridge = Bridge::with(agent(folder.path(), link.port), folder.path(), clock());
    let mut mailbox = bridge.desk.inbox.mailbox(door(), &[]);
    broker.hears(DECISIONS).await;
    until("everything is acked", || bridge.waiting() == 0).await;

    link.hold();
    broker.say(DECISIONS, granted()).await;
    until("the decision is on its way", || link.holds(b"check_in")).await;
    bridge.desk.clock.set(56_000);
    link.release();
    let mail = mailbox.recv().await.unwrap();

    assert_eq!(mail.age_ms, 6_000);
}

#[tokio::test]
async fn a_new_connection_is_asked_again_for_every_place() {
    let folder = TempDir::new().unwrap();
    let broker = Broker::start(|_| OK).await;
    let bridge = Bridge::start(folder.path(), broker.port, clock());
    let mut mailbox = bridge.desk.inbox.mailbox(door(), &[]);
    broker.hears(DECISIONS).await;
    let port = broker.port;
    drop(broker);

    let broker = Broker::start_at(port, None, |_| OK).await;
    broker.hears(DECISIONS).await;
    broker.say(DECISIONS, granted()).await;

    assert!(mailbox.recv().await.is_some());
}

#[tokio::test]
async fn a_place_that_was_refused_is_asked_for_until_it_is_assigned() {
    let folder = TempDir::new().unwrap();
    let broker = Broker::start(|_| OK).await;
    broker.forbidden.lock().unwrap().insert(DECISIONS.to_owned());
    let bridge = Bridge::start(folder.path(), broker.port, clock());
    let mut mailbox = bridge.desk.inbox.mailbox(door(), &[]);
    broker.hears(DECISIONS).await;

    broker.forbidden.lock().unwrap().clear();
    let asked = || {
        let log = broker.log.lock().unwrap();
        log.subscriptions.iter().filter(|(_, topic)| topic == DECISIONS).count()
    };
    until("it is asked for again", || asked() == 2).await;
    broker.say(DECISIONS, granted()).await;

    assert!(mailbox.recv().await.is_some());
    assert_eq!(broker.log.lock().unwrap().connections, 1);
}

#[tokio::test]
async fn orders_to_the_bridge_are_followed_once_and_answered() {
    let folder = TempDir::new().unwrap();
    let broker = Broker::start(|_| OK).await;
    let bridge = Bridge::start(folder.path(), broker.port, clock());
    let mut orders = tokio::task::JoinSet::new();
    let code = agent(folder.path(), 0).username;
    orders.spawn(firmware_bridge::orders::run(code, bridge.desk.clone(), bridge.stop.clone()));
    broker.hears(BRIDGE_COMMANDS).await;

    broker.say(BRIDGE_COMMANDS, command(1, "dance")).await;
    broker.say(BRIDGE_COMMANDS, command(2, "diag")).await;
    until("two answers", || broker.results().len() == 2).await;
    broker.say(BRIDGE_COMMANDS, command(2, "diag")).await;
    until("three answers", || broker.results().len() == 3).await;
    broker.say(BRIDGE_COMMANDS, command(3, "restart")).await;
    let ended = orders.join_next().await.unwrap().unwrap();

    let results = broker.results();
    assert_eq!(results[0], result(1, Outcome::Unknown));
    assert!(results[1].detail.as_ref().unwrap().contains("queue on disk"));
    assert_eq!(results[2], results[1]);
    assert_eq!(results[3], result(3, Outcome::Done));
    assert!(ended.unwrap_err().to_string().contains("restart"));
}

#[tokio::test]
async fn what_is_delivered_is_sent_until_it_is_acked_and_never_on_disk() {
    let folder = TempDir::new().unwrap();
    let mut lost = 2;
    let broker = Broker::start(move |publish| {
        if publish.topic.ends_with(b"/telemetry") && lost > 0 {
            lost -= 1;
            return if lost == 1 { Answer::Cut } else { Answer::Nothing };
        }
        OK
    })
    .await;
    let bridge = Bridge::start(folder.path(), broker.port, clock());
    let topic = Topic::MachineTelemetry("bike".parse().unwrap());

    let acked = bridge.desk.deliver(topic.clone(), b"{\"seq\":1}".to_vec()).await;

    assert_eq!(acked, Ok(()));
    let log = broker.log.lock().unwrap();
    let sent = log.publishes.iter().filter(|publish| publish.topic == topic.to_string());
    assert_eq!(sent.map(|publish| publish.dup).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(firmware_bridge::queue::peek(&folder.path().join("queue")).unwrap(), []);
    assert!(HASTY.ack < Duration::from_secs(1));
}

#[tokio::test]
async fn what_is_told_survives_a_restart() {
    let folder = TempDir::new().unwrap();
    let port = crate::broker::unused_port().await;
    let bridge = Bridge::start(folder.path(), port, clock());
    let topic = Topic::MachineCsafe("bike".parse().unwrap());
    bridge.desk.tell(topic.clone(), vec![1, 2, 3]).await.unwrap();
    bridge.kill(folder.path()).await;

    let broker = Broker::start_at(port, None, |_| OK).await;
    let bridge = Bridge::start(folder.path(), port, clock());
    until("it is acked", || bridge.waiting() == 0).await;

    let log = broker.log.lock().unwrap();
    assert!(
        log.publishes
            .iter()
            .any(|sent| sent.topic == topic.to_string() && sent.payload == [1, 2, 3])
    );
}
