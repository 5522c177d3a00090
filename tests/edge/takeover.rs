//! One login, one connection: whoever comes last has it, and nothing acked is lost on the way.

use crate::door::client::{Client, Login};
use crate::door::{Door, device_id, secret, soon};
use protocol::sync::entry::{Body, DeviceState, Source};

const STATUS: &str = "gymwire/v1/machines/bike/status";
const TELEMETRY: &str = "gymwire/v1/machines/bike/telemetry";

#[tokio::test]
async fn the_second_login_takes_over_whatever_the_client_ids_are() {
    let door = Door::open().await;
    let secret = secret("bike");
    let mut former = door.v5("bike").await;

    for id in [&b"any"[..], b"other", b""] {
        let login = Login { client_id: id, ..Login::new(5, "bike", &secret) };
        let (mut next, answer) = Client::connect(door.plain, &login).await;
        let (first, body) = answer.unwrap();
        assert_eq!((first, body[0], body[1]), (0x20, 0, 0), "accepted, session not present");
        assert_eq!(former.receive().await, Some((0xE0, vec![0x8E, 0])));
        assert!(former.is_closed().await);
        next.ping().await;
        former = next;
    }
}

#[tokio::test]
async fn the_same_client_id_under_another_login_takes_nothing() {
    let door = Door::open().await;
    let mut bike = door.v5("bike").await;

    let mut rack = door.v5("rack").await;

    bike.ping().await;
    rack.ping().await;
}

#[tokio::test]
async fn the_will_of_the_former_comes_before_the_words_of_the_next() {
    let door = Door::open().await;
    let secret = secret("bike");
    let will = Some((STATUS, r#"{"state":"offline"}"#));
    let login = Login { will, ..Login::new(5, "bike", &secret) };
    let (_former, _) = Client::connect(door.plain, &login).await;

    let mut next = door.v5("bike").await;
    assert_eq!(next.ask(1, STATUS, br#"{"state":"idle"}"#).await, Some(0));

    let (events, _) = door.stop_and_read().await;
    let states: Vec<_> = events
        .iter()
        .filter(|event| event.source == Source::Device(device_id("bike")))
        .filter_map(|event| match &event.body {
            Body::Status(status) => Some(status.state),
            _ => None,
        })
        .collect();
    assert_eq!(states, [DeviceState::Offline, DeviceState::Idle]);
}

#[tokio::test]
async fn two_that_fight_for_a_login_lose_nothing_that_was_acked() {
    let door = Door::open().await;
    let mut acked = 0;

    for seq in 0..30 {
        let mut client = door.v5("bike").await;
        let sample = format!(r#"{{"seq":{seq},"boot":1,"power_w":100}}"#);
        client.publish(1, TELEMETRY, sample.as_bytes()).await;
        let _thief = if seq % 2 == 0 { Some(door.v5("bike").await) } else { None };
        while let Some((first, _)) = client.receive().await {
            if first == 0x40 {
                acked += 1;
                break;
            }
        }
    }

    let (_, samples) = door.stop_and_read().await;
    assert!(acked >= 15 && samples >= acked, "{acked} acked, {samples} journaled");
}

#[tokio::test]
async fn what_waits_for_its_ack_is_not_taken_twice() {
    let door = Door::with("journal.group_ms = 800").await;
    let mut bike = door.v311("bike").await;
    let sample = br#"{"seq":1,"power_w":100}"#;
    let first = bike.publish_packet(0x32, 7, TELEMETRY, sample);
    let again = bike.publish_packet(0x3A, 7, TELEMETRY, sample);

    bike.send(&[first, again.clone(), again].concat()).await;

    assert_eq!(soon(bike.receive()).await, Some((0x40, vec![0, 7])));
    bike.ping().await;
    let (_, samples) = door.stop_and_read().await;
    assert_eq!(samples, 1);
}
