//! Who may do what.

use super::client::{Client, Login, packet, text};
use super::{Branch, OBSERVED, device_id, record, secret};
use crate::journal::What;
use protocol::sync::changes::{Change, DeviceRecord};
use protocol::sync::entry::{Body, DeviceKind, Source};

async fn refusal(branch: &Branch, login: &Login<'_>) -> u8 {
    let (mut client, answer) = Client::connect(branch.plain, login).await;
    let (first, body) = answer.expect("no CONNACK");
    assert!(client.is_closed().await);
    assert_eq!((first, body[0]), (0x20, 0));
    body[1]
}

#[tokio::test]
async fn wrong_logins_are_refused_with_the_reason() {
    let branch = Branch::open().await;
    let right = secret("bike");

    let mut codes = Vec::new();
    for level in [4, 5] {
        codes.push(refusal(&branch, &Login::new(level, "bike", "wrong")).await);
        codes.push(refusal(&branch, &Login::new(level, "nobody", &right)).await);
        let nameless = Login { user: None, password: None, ..Login::new(level, "", "") };
        codes.push(refusal(&branch, &nameless).await);
    }

    assert_eq!(codes, [4, 4, 5, 0x86, 0x86, 0x87]);
    branch.close().await;
}

#[tokio::test]
async fn other_versions_are_refused_in_a_way_they_know() {
    let branch = Branch::open().await;
    let secret = secret("bike");

    let v31 = {
        let mut client = Client::open(branch.plain, 4).await;
        let mut body = text(b"MQIsdp");
        body.extend([3, 2, 0, 60, 0, 1, b'x']);
        client.send(&packet(0x10, &body)).await;
        client.receive().await.unwrap().1
    };
    let v6 = refusal(&branch, &Login { level: 6, ..Login::new(4, "bike", &secret) }).await;

    assert_eq!((v31, v6), (vec![0, 1], 0x84));
    branch.close().await;
}

#[tokio::test]
async fn client_ids_do_no_harm_and_mean_nothing() {
    let branch = Branch::open().await;
    let secret = secret("bike");
    let long = vec![b'x'; 10_000];

    for id in [&b""[..], b"+", b"#", b"$SYS/x", b"/", b"gate", &long] {
        let login = Login { client_id: id, ..Login::new(5, "bike", &secret) };
        let (mut client, answer) = Client::connect(branch.plain, &login).await;
        assert_eq!(answer.unwrap().1[1], 0);
        client.ping().await;
    }
    let longest = vec![b'x'; 65_535];
    let too_long = Login { client_id: &longest, ..Login::new(5, "bike", &secret) };

    assert_eq!(refusal(&branch, &too_long).await, 0x95);
    branch.close().await;
}

#[tokio::test]
async fn a_foreign_topic_is_refused() {
    let branch = Branch::open().await;
    let mut v5 = branch.v5("bike").await;
    let mut v311 = branch.v311("gate").await;

    let foreign = v5.ask(1, "gymwire/v1/machines/rack/telemetry", b"{}").await;
    let own = v5.ask(2, "gymwire/v1/machines/bike/status", br#"{"state":"idle"}"#).await;
    let closed = v311.ask(1, "gymwire/v1/machines/bike/status", b"{}").await;

    assert_eq!((foreign, own, closed), (Some(0x87), Some(0), None));
    branch.close().await;
}

#[tokio::test]
async fn only_listed_filters_are_granted() {
    let branch = Branch::open().await;
    let mut bike = branch.v5("bike").await;
    let mut old = branch.v311("rack").await;
    let mut screen = branch.v5("screen").await;

    let answers = bike
        .subscribe(&[
            "#",
            "$SYS/#",
            "+/+/+/+/+",
            "$share/g/gymwire/v1/machines/bike/link",
            "gymwire/v1/machines/rack/link",
            "gymwire/v1/machines/bike/telemetry",
            "gymwire/v1/machines/bike/link",
        ])
        .await;
    let old_answers = old.subscribe(&["#", "gymwire/v1/machines/rack/commands"]).await;
    let observed = screen
        .subscribe(&[
            OBSERVED[0],
            "gymwire/v1/machines/rack/status",
            "gymwire/v1/machines/bike/set",
            "gymwire/v1/machines/rack/set",
            "gymwire/v1/machines/nobody/status",
            "gymwire/v1/machines/+/set",
            "gymwire/v1/readers/gate/status",
            "gymwire/v1/machines/bike/link",
        ])
        .await;

    assert_eq!(answers, [0x87, 0x87, 0x87, 0x9E, 0x87, 0x87, 1]);
    assert_eq!(old_answers, [0x80, 1]);
    assert_eq!(observed, [1, 1, 1, 0x87, 0x87, 0x87, 0x87, 0x87]);
    branch.close().await;
}

#[tokio::test]
async fn observers_publish_nothing() {
    let branch = Branch::open().await;
    let mut screen = branch.v5("screen").await;

    let answer = screen.ask(1, "gymwire/v1/machines/bike/status", br#"{"state":"idle"}"#).await;

    assert_eq!(answer, Some(0x87));
    branch.close().await;
}

#[tokio::test]
async fn a_bridge_speaks_for_its_devices_and_for_no_other() {
    let mut branch = Branch::open().await;
    let mut bridge = branch.v5("box").await;
    let tap = br#"{"tap_id":"0190a1b2-0000-7000-8000-000000000001","age_ms":3,
                   "credential":{"kind":"nfc_uid","uid":"04a1b2c3"}}"#;

    let mine = bridge.ask(1, "gymwire/v1/readers/door/tap", tap).await;
    let foreign = bridge.ask(2, "gymwire/v1/readers/gate/tap", tap).await;

    assert_eq!((mine, foreign), (Some(0), Some(0x87)));
    let source = branch
        .committed(|item| matches!(&item.what, What::Event(Body::Tap(_))).then_some(item.source))
        .await;
    assert_eq!(source, Source::Bridged { device: device_id("door"), bridge: device_id("box") });
    branch.close().await;
}

#[tokio::test]
async fn who_is_revoked_or_gets_a_new_secret_has_to_leave() {
    let mut branch = Branch::open().await;
    let mut bike = branch.v5("bike").await;
    let mut rack = branch.v5("rack").await;
    let mut gate = branch.v5("gate").await;

    let disabled = DeviceRecord { enabled: false, ..record("bike", DeviceKind::Machine) };
    let other_secret =
        DeviceRecord { secret_sha256: Some([1; 32]), ..record("gate", DeviceKind::Reader) };
    branch.change(vec![Change::Device(disabled), Change::Device(other_secret)]).await;

    assert_eq!(bike.receive().await, Some((0xE0, vec![0x98, 0])));
    assert_eq!(gate.receive().await, Some((0xE0, vec![0x98, 0])));
    rack.ping().await;
    let secret = secret("bike");
    assert_eq!(refusal(&branch, &Login::new(5, "bike", &secret)).await, 0x87);
    branch.close().await;
}

#[tokio::test]
async fn qos_2_is_refused_properly() {
    let branch = Branch::open().await;
    let mut v5 = branch.v5("bike").await;
    let mut v311 = branch.v311("rack").await;

    let two = v5.publish_packet(0x34, 1, "gymwire/v1/machines/bike/status", b"{}");
    v5.send(&two).await;
    let two = v311.publish_packet(0x34, 1, "gymwire/v1/machines/rack/status", b"{}");
    v311.send(&two).await;

    assert_eq!(v5.receive().await, Some((0xE0, vec![0x9B, 0])));
    assert!(v311.is_closed().await);
    branch.close().await;
}
