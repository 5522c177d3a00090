//! Clients that mean no good.

use super::client::{Client, packet};
use super::{Branch, Config};
use proptest::prelude::*;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

const STATUS: &str = "gymwire/v1/machines/bike/status";

#[tokio::test]
async fn a_good_client_connects_while_hundreds_hold_their_places() {
    // They are put out after ten minutes; a good client that had to wait for that would fail.
    let branch = Branch::with(Config { login_timeout_ms: 600_000, ..Config::default() }).await;
    let mut bad = Vec::new();
    for i in 0..600 {
        let address = if i % 2 == 0 { branch.plain } else { branch.encrypted };
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(&[0x10, 100, 0]).await.unwrap();
        bad.push(stream);
    }

    let good = timeout(Duration::from_secs(20), branch.v5("bike")).await;
    let mut good = good.expect("it has to wait for those who hold places");

    assert_eq!(good.ask(1, STATUS, br#"{"state":"idle"}"#).await, Some(0));
    branch.close().await;
}

#[tokio::test]
async fn who_does_not_say_connect_is_put_out() {
    let branch = Branch::with(Config { login_timeout_ms: 100, ..Config::default() }).await;

    let mut silent = Client::open(branch.plain, 4).await;
    let mut other = Client::open(branch.plain, 4).await;
    other.send(b"GET / HTTP/1.1\r\n\r\n").await;

    assert!(silent.is_closed().await);
    assert!(other.is_closed().await);
    branch.close().await;
}

#[tokio::test]
async fn the_limit_of_connections_is_answered() {
    let branch = Branch::with(Config { max_connections: 1, ..Config::default() }).await;
    let _bike = branch.v5("bike").await;
    let secret = super::secret("rack");

    let login = super::client::Login::new(5, "rack", &secret);
    let (_, busy) = Client::connect(branch.plain, &login).await;
    let again = branch.v5("bike").await;

    assert_eq!(busy.unwrap().1[1], 0x89);
    drop(again);
    branch.close().await;
}

#[tokio::test]
async fn more_than_the_receive_maximum_ends_the_connection() {
    let branch = Branch::with(Config { max_unacked: 5, ..Config::default() }).await;
    let mut bike = branch.v5("bike").await;
    let many: Vec<u8> = (1..200)
        .flat_map(|id| bike.publish_packet(0x32, id, STATUS, br#"{"state":"idle"}"#))
        .collect();

    bike.send(&many).await;

    let last = loop {
        match bike.receive().await {
            Some((0x40, _)) => {}
            other => break other,
        }
    };
    assert_eq!(last, Some((0xE0, vec![0x93, 0])));
    branch.close().await;
}

#[tokio::test]
async fn acks_in_the_wrong_order_or_for_nothing_do_no_harm() {
    let branch = Branch::open().await;
    let mut bike = branch.v5("bike").await;

    bike.send(&[0x40, 2, 0, 9, 0x40, 2, 0, 3]).await;
    bike.ping().await;

    assert_eq!(bike.ask(1, STATUS, br#"{"state":"idle"}"#).await, Some(0));
    branch.close().await;
}

#[tokio::test]
async fn packets_of_qos_2_and_of_servers_end_only_their_connection() {
    let branch = Branch::open().await;
    let mut witness = branch.v5("gate").await;

    for bad in [
        packet(0x50, &[0, 1]),
        packet(0x62, &[0, 1]),
        packet(0x62, &[0, 1, 0, 0]),
        packet(0x70, &[0, 1]),
        packet(0x20, &[0, 0]),
        packet(0x90, &[0, 1, 0]),
        packet(0x10, &[0; 20]),
        packet(0x00, &[]),
        packet(0xF0, &[]),
        packet(0x32, &[0, 50, b'x']),
        packet(0x36, &[0, 1, b'x', 0, 1]),
        vec![0x30, 0xFF, 0xFF, 0xFF, 0xFF],
    ] {
        let mut bike = branch.v311("bike").await;
        bike.send(&bad).await;
        assert!(bike.is_closed().await, "{bad:x?}");
    }

    witness.ping().await;
    branch.close().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_bytes_disturb_anybody_else(
        streams in proptest::collection::vec(
            (any::<bool>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 1..300)), 1..8),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let branch = Branch::open().await;
            let mut witness = branch.v5("gate").await;
            for (is_in, is_framed, bytes) in streams {
                let mut client = if is_in {
                    branch.v5("bike").await
                } else {
                    Client::open(branch.plain, 5).await
                };
                let bytes = if is_framed { packet(bytes[0], &bytes[1..]) } else { bytes };
                client.send(&bytes).await;
            }
            witness.ping().await;
            let mut bike = branch.v311("bike").await;
            assert_eq!(bike.ask(1, STATUS, br#"{"state":"idle"}"#).await, Some(0));
            branch.close().await;
        });
    }
}
