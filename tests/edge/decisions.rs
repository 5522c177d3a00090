//! Decisions at the door of a running agent: told once, at once, to who is there; never late, never to who comes later.

#[path = "../../edge-agent/src/access/tests/cards.rs"]
mod cards;

use crate::door::client::Client;
use crate::door::{Door, devices, soon};
use edge_agent::ops::clock::Clock;
use edge_agent::registry::Registry;
use edge_agent::registry::identity::Enrolment;
use protocol::credential::Credential;
use protocol::ids::TapId;
use protocol::mqtt::payloads::{Challenge, DecisionMessage, DecisionOutcome, tap_json};
use protocol::sync::changes::{Change, Changes};
use protocol::sync::entry::{Body, Decision, Event};
use serde_json::json;
use std::time::Duration;
use tests::doors;
use tests::edge::Edge;
use uuid::Uuid;

const TAP: &str = "gymwire/v1/readers/gate/tap";
const DECISION: &str = "gymwire/v1/readers/gate/decision";
const CHALLENGE: &str = "gymwire/v1/readers/gate/challenge";

/// An agent that was enrolled and told a member with every kind of credential, by a cloud that is away since.
async fn open(more: &str) -> Door {
    let mut door = Door::of(devices(), more).await;
    door.edge.stop().await.unwrap();
    let registry = Registry::open(&door.edge.state(), &Clock::system()).await.unwrap().registry;
    let key = registry.draw_key().unwrap();
    let enrolment = Enrolment {
        cloud_url: "http://127.0.0.1:9".to_owned(),
        public_key: hex::encode(key.verifying_key().as_bytes()),
        answer: cards::enrolled(),
    };
    registry.enrol(key, enrolment).await.unwrap();
    let mut changes = cards::roster(&cards::CREDENTIAL_KEY);
    changes.extend(devices().into_iter().map(Change::Device));
    let (key, value) = ("sun_keys".to_owned(), cards::SUN_KEYS.to_owned());
    changes.push(Change::Setting { key, value });
    let branch = cards::enrolled().branch_id;
    let told = Changes { branch, from: 0, to: 1, reset: true, more: false, changes };
    registry.apply(told).await.unwrap();
    drop(registry);
    door.edge.start().await.unwrap();
    door
}

fn tap_id(number: u128) -> TapId {
    TapId(Uuid::from_u128(number))
}

fn tap(number: u128, credential: &Credential, age_ms: u32) -> Vec<u8> {
    tap_json(tap_id(number), credential, age_ms)
}

/// Presents something and waits for the decision; the ack may come before or after it.
async fn present(gate: &mut Client, number: u128, credential: &Credential) -> DecisionMessage {
    gate.publish(1, TAP, &tap(number, credential, 0)).await;
    let (mut acked, mut decided) = (false, None);
    while !acked || decided.is_none() {
        let (first, body) = soon(gate.receive()).await.expect("connected");
        if first == 0x40 {
            acked = true;
        } else {
            decided = Some(decision(first, &body));
        }
    }
    decided.unwrap()
}

/// Out of a PUBLISH of version 3.1.1.
fn decision(first: u8, body: &[u8]) -> DecisionMessage {
    assert_eq!(first, 0x30, "QoS 0, not retained, not a repeat");
    let end = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
    assert_eq!(&body[2..end], DECISION.as_bytes());
    serde_json::from_slice(&body[end..]).unwrap()
}

async fn gate(door: &Door) -> Client {
    let mut gate = door.v311("gate").await;
    assert_eq!(gate.subscribe(&[DECISION, CHALLENGE]).await, [1, 1]);
    gate
}

fn decisions(events: &[Event]) -> Vec<&Decision> {
    events.iter().filter_map(made).collect()
}

fn made(event: &Event) -> Option<&Decision> {
    match &event.body {
        Body::Decision(decision) => Some(decision),
        _ => None,
    }
}

#[tokio::test]
async fn a_card_opens_and_a_message_of_a_card_only_once_even_after_a_kill() {
    let mut door = open("").await;
    let mut client = gate(&door).await;

    let first = present(&mut client, 1, &cards::sun(5)).await;
    let replay = present(&mut client, 2, &cards::sun(5)).await;
    door.edge.kill().await.unwrap();
    door.edge.start().await.unwrap();
    let mut client = gate(&door).await;
    let after_the_kill = present(&mut client, 3, &cards::sun(5)).await;
    let next = present(&mut client, 4, &cards::sun(6)).await;

    assert_eq!((first.outcome, first.open_door_ms), (DecisionOutcome::Granted, Some(3_000)));
    assert_eq!((&*replay.reason, replay.open_door_ms), ("replayed", None));
    assert_eq!((&*after_the_kill.reason, &*next.reason), ("replayed", "granted"));
    let (events, _) = door.stop_and_read().await;
    let reasons: Vec<_> = decisions(&events).iter().map(|made| &*made.reason).collect();
    assert_eq!(reasons, ["granted", "replayed", "replayed", "granted"]);
}

#[tokio::test]
async fn a_code_of_the_cloud_opens_once() {
    let door = open("").await;
    let mut client = gate(&door).await;
    let now_s = u32::try_from(Clock::system().wall_ms() / 1_000).unwrap();
    let code = cards::code(&cards::cloud_key(), 1, now_s + 1, 1);

    let first = present(&mut client, 1, &code).await;
    let again = present(&mut client, 2, &code).await;

    assert_eq!((&*first.reason, &*again.reason), ("granted", "replayed"));
}

#[tokio::test]
async fn a_phone_answers_a_nonce_that_is_good_once() {
    let door = open("").await;
    let mut client = gate(&door).await;

    client.publish(9, CHALLENGE, json!({"request_id": "a"}).to_string().as_bytes()).await;
    let mut given = None;
    for _ in 0..2 {
        let (first, body) = soon(client.receive()).await.expect("connected");
        if first == 0x30 {
            let end = 2 + CHALLENGE.len();
            given = Some(serde_json::from_slice::<Challenge>(&body[end..]).unwrap());
        }
    }
    let given = given.expect("a nonce");
    let answer = cards::phone(given.nonce.unwrap(), given.site_no.unwrap());
    let first = present(&mut client, 1, &answer).await;
    let again = present(&mut client, 2, &answer).await;

    assert_eq!((&*given.request_id, given.site_no), ("a", Some(cards::SITE_NO)));
    assert_eq!((&*first.reason, &*again.reason), ("granted", "replayed"));
}

#[tokio::test]
async fn a_tap_that_is_sent_again_is_acked_again_and_not_decided_again() {
    let door = open("").await;
    let mut client = gate(&door).await;
    let plain = Credential::NfcUid { uid: cards::PLAIN_UID.into() };
    present(&mut client, 1, &plain).await;

    assert_eq!(client.ask(2, TAP, &tap(1, &plain, 40)).await, Some(0));

    client.ping().await;
    let (events, _) = door.stop_and_read().await;
    assert_eq!(decisions(&events).len(), 1);
}

#[tokio::test]
async fn who_reconnects_hears_nothing_of_what_was_decided_before() {
    let door = open("").await;
    let mut client = gate(&door).await;
    let plain = Credential::NfcUid { uid: cards::PLAIN_UID.into() };
    present(&mut client, 1, &plain).await;
    drop(client);

    let mut client = gate(&door).await;
    let next = present(&mut client, 2, &plain).await;

    assert_eq!(next.tap_id, tap_id(2));
    client.ping().await;
}

#[tokio::test]
async fn an_old_tap_out_of_a_queue_moves_no_door_after_a_restart_of_the_agent() {
    let mut door = open("").await;
    door.edge.kill().await.unwrap();
    door.edge.start().await.unwrap();
    let mut client = gate(&door).await;
    let plain = Credential::NfcUid { uid: cards::PLAIN_UID.into() };

    assert_eq!(client.ask(1, TAP, &tap(1, &plain, 60_000)).await, Some(0));

    // Nothing but the answer to the ping comes.
    client.ping().await;
    let (events, _) = door.stop_and_read().await;
    let made = decisions(&events);
    assert_eq!((made.len(), &*made[0].reason), (1, "stale"));
}

#[tokio::test]
async fn the_bridge_hears_what_was_decided_about_a_reader_behind_it() {
    let door = open("").await;
    let mut bridge = door.v5("box").await;
    let topic = "gymwire/v1/readers/door/decision";
    assert_eq!(bridge.subscribe(&[topic]).await, [1]);
    let plain = Credential::NfcUid { uid: cards::PLAIN_UID.into() };
    let packet = bridge.publish_packet(0x30, 0, "gymwire/v1/readers/door/tap", &tap(1, &plain, 0));
    bridge.send(&packet).await;

    let (first, told_on, told) = bridge.message().await;

    let told: DecisionMessage = serde_json::from_slice(&told).unwrap();
    assert_eq!((first, &*told_on), (0x30, topic));
    assert_eq!((told.outcome, told.tap_id), (DecisionOutcome::Granted, tap_id(1)));
}

#[tokio::test]
async fn no_number_of_a_card_and_no_key_is_ever_logged() {
    let door = open("agent.log = \"trace\"\n").await;
    let mut client = gate(&door).await;
    let plain = Credential::NfcUid { uid: cards::PLAIN_UID.into() };
    present(&mut client, 1, &plain).await;
    present(&mut client, 2, &cards::sun(7)).await;

    let log = door.edge.log_text().to_lowercase();

    assert!(log.contains("trace"), "the log is as chatty as it can be");
    let secrets = ["dec0de01", "c0ffee", &"aa".repeat(16), &"bb".repeat(16), "222, 192, 222"];
    let shown: Vec<_> = secrets.iter().filter(|secret| log.contains(**secret)).collect();
    assert!(shown.is_empty(), "{shown:?}");
}

#[tokio::test]
async fn every_member_of_a_large_roster_is_let_in() {
    let members = 2_000;
    let mut edge = Edge::new().unwrap();
    let login = doors::furnish(&edge, "gate", members).await.unwrap();
    edge.start().await.unwrap();

    let times = doors::time_taps(edge.ports().mqtt, &login, members, 50, Duration::ZERO).await;

    assert_eq!(times.unwrap().count(), 50);
}
