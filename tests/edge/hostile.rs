//! Clients that hold places, talk nonsense, steal names or flood: a good one does not notice.

use crate::door::client::{Client, Login, packet, text};
use crate::door::{Door, OBSERVED, secret, soon};
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const IDLE: &[u8] = br#"{"state":"idle"}"#;

/// Who holds a place is put out after ten minutes: a good client that had to wait for that would fail its test.
const PATIENT: &str = "mqtt.login_timeout_ms = 600000";

/// Connects, logs in, publishes and gets an ack.
async fn good_client_works(door: &Door) {
    let work = async { door.v5("gate").await.ask(1, "gymwire/v1/readers/gate/status", IDLE).await };
    assert_eq!(soon(work).await, Some(0));
}

async fn hold(address: SocketAddr, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..count {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // Those who came first may already have been put out.
        let _ = stream.write_all(bytes).await;
        held.push(stream);
    }
    held
}

#[tokio::test]
async fn half_a_connect_half_a_handshake_or_silence_hold_nobody_up() {
    let door = Door::with(PATIENT).await;

    let mut held = hold(door.plain, 300, &[0x10, 0x50, 0, 4, b'M']).await;
    good_client_works(&door).await;
    held.extend(hold(door.encrypted, 300, &[0x16, 3, 1, 2, 0, 1]).await);
    held.extend(hold(door.encrypted, 300, &[]).await);
    good_client_works(&door).await;
    let mut bike = Client::over(soon(door.tls()).await.unwrap(), 5);

    bike.send(&Login::new(5, "bike", &secret("bike")).packet()).await;
    assert_eq!(soon(bike.receive()).await.unwrap().1[1], 0);
}

#[tokio::test]
async fn wrong_passwords_by_the_hundred_delay_only_themselves() {
    let door = Door::with(PATIENT).await;
    let wrong = Login::new(4, "bike", "wrong").packet();

    let _held = hold(door.plain, 400, &wrong).await;

    good_client_works(&door).await;
}

#[tokio::test]
async fn connections_that_say_nothing_are_closed_after_the_time_for_it() {
    let door = Door::with("mqtt.login_timeout_ms = 300").await;

    let mut silent = Client::open(door.plain, 4).await;
    let mut shy = Client::open(door.encrypted, 4).await;

    assert!(silent.is_closed().await && shy.is_closed().await);
}

#[tokio::test]
async fn names_that_lock_other_brokers_up_do_nothing_here() {
    let door = Door::with("mqtt.max_connections = 3").await;
    let bike = secret("bike");

    for _ in 0..3 {
        for id in ["+", "$", "#", "/", "a+b/#", "link-1", "pump", "gate"] {
            let login = Login { client_id: id.as_bytes(), ..Login::new(4, "bike", &bike) };
            let (mut client, answer) = Client::connect(door.plain, &login).await;
            assert_eq!(answer, Some((0x20, vec![0, 0])), "{id}");
            client.ping().await;
        }
    }

    good_client_works(&door).await;
}

#[tokio::test]
async fn at_the_limit_of_connections_the_answer_is_busy_and_a_place_that_frees_counts() {
    let door = Door::with("mqtt.max_connections = 2").await;
    let bike = door.v5("bike").await;
    let _rack = door.v5("rack").await;
    let gate = secret("gate");

    for _ in 0..3 {
        let (_, busy) = Client::connect(door.plain, &Login::new(5, "gate", &gate)).await;
        assert_eq!(busy.unwrap().1[1], 0x89);
        let (_, busy) = Client::connect(door.plain, &Login::new(4, "gate", &gate)).await;
        assert_eq!(busy, Some((0x20, vec![0, 3])));
    }
    drop(bike);

    soon(async {
        while Client::connect(door.plain, &Login::new(5, "gate", &gate)).await.1.unwrap().1[1] != 0
        {
        }
    })
    .await;
}

#[tokio::test]
async fn nonsense_ends_only_its_own_connection() {
    let door = Door::open().await;
    let mut witness = door.v5("rack").await;
    let mut connect = text(b"MQTT");
    connect.extend([4, 0xFF, 0, 0]);

    for bytes in [
        packet(0x10, &connect),
        packet(0x10, &[]),
        packet(0x10, &[0xFF; 300]),
        packet(0x62, &[0, 1]),
        packet(0x50, &[0, 1]),
        packet(0x70, &[0, 1]),
        packet(0x82, &[0, 1]),
        packet(0x82, &[0, 0, 0, 1, b'#', 0]),
        packet(0x82, &[0, 1, 0, 1, b'#', 3]),
        packet(0xA2, &[0, 1]),
        packet(0x30, &[0xFF, 0xFF]),
        packet(0x32, &[0, 1, b'x', 0, 0]),
        packet(0x34, &[0, 1, b'x', 0, 1]),
        packet(0x36, &[0, 1, b'x', 0, 1]),
        packet(0xC0, &[1]),
        vec![0xF0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        vec![0x30, 0xFF, 0xFF, 0xFF, 0x7F],
    ] {
        for level in [4, 5] {
            let mut in_session = Client::log_in(door.plain, level, "bike").await;
            in_session.send(&bytes).await;
            while in_session.receive().await.is_some() {}
        }
        let mut before = Client::open(door.plain, 4).await;
        before.send(&bytes).await;
    }

    witness.ping().await;
    good_client_works(&door).await;
}

#[tokio::test]
async fn acks_that_nobody_waits_for_are_no_matter() {
    let door = Door::open().await;
    let mut bike = door.v5("bike").await;
    bike.subscribe(&["gymwire/v1/machines/bike/errors"]).await;
    for id in 1..=3 {
        bike.publish(id, "gymwire/v1/machines/bike/set", b"{").await;
    }
    for _ in 0..6 {
        bike.receive().await.unwrap();
    }

    // The reports that came with them, acked backwards, twice, and some that never were.
    for id in [3, 2, 1, 1, 9, 3] {
        bike.send(&[0x40, 2, 0, id]).await;
    }
    bike.ping().await;
}

#[tokio::test]
async fn a_flood_of_one_device_leaves_the_others_their_second() {
    let door = Door::open().await;
    let mut bike = door.v311("bike").await;
    let flood: Vec<u8> = (1..=2_000)
        .flat_map(|id| bike.publish_packet(0x32, id, "gymwire/v1/machines/bike/set", b"no JSON"))
        .collect();

    bike.send(&flood).await;
    good_client_works(&door).await;

    for id in 1..=2_000_u16 {
        assert_eq!(bike.receive().await, Some((0x40, id.to_be_bytes().to_vec())));
    }
}

#[tokio::test]
async fn who_never_reads_is_left_alone_with_it() {
    let door = Door::open().await;
    let mut deaf = door.v5("screen").await;
    deaf.subscribe(&[OBSERVED]).await;
    let pings: Vec<u8> = [0xC0, 0].repeat(200_000);

    let mut flood = JoinSet::new();
    flood.spawn(async move { deaf.send(&pings).await });
    let mut bike = door.v5("bike").await;
    for seq in 0..500_u16 {
        let sample = format!(r#"{{"seq":{seq},"boot":1,"power_w":{seq}}}"#);
        bike.publish(seq + 1, "gymwire/v1/machines/bike/telemetry", sample.as_bytes()).await;
    }
    for id in 1..=500_u16 {
        assert_eq!(bike.receive().await.unwrap().1[..2], id.to_be_bytes());
    }

    good_client_works(&door).await;
}

#[tokio::test]
async fn memory_stays_flat_under_names_topics_and_filters_without_end() {
    let mut door = Door::open().await;
    let bike = secret("bike");
    churn(&door, &bike, 0..300).await;
    let before = door.edge.process().unwrap().rss_bytes().unwrap();

    churn(&door, &bike, 300..3_300).await;

    let after = door.edge.process().unwrap().rss_bytes().unwrap();
    let grown = after.saturating_sub(before);
    assert!(grown <= 5 << 20, "grew by {grown} bytes from {before}");
}

/// Each number is a client id, a refused topic, refused filters, and a subscription that comes and goes.
async fn churn(door: &Door, secret: &str, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let id = format!("client {number}");
        let login = Login { client_id: id.as_bytes(), ..Login::new(5, "bike", secret) };
        let (mut client, _) = Client::connect(door.plain, &login).await;
        let topic = format!("gymwire/v1/machines/m{number}/telemetry");
        assert_eq!(client.ask(1, &topic, b"{}").await, Some(0x87));
        let filters = [topic.as_str(), id.as_str(), "gymwire/v1/machines/bike/link"];
        assert_eq!(client.subscribe(&filters).await, [0x87, 0x87, 1]);
        client.send(&[0xE0, 0]).await;
    }
}
