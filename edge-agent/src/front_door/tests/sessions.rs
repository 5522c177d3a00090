//! Logins, wills, keep-alive.

use super::client::{Client, Login};
use super::{Branch, secret, soon};
use crate::journal::What;
use protocol::sync::entry::{Body, DeviceState};

const WILL: (&str, &str) = ("gymwire/v1/machines/bike/status", r#"{"state":"offline"}"#);

async fn state(branch: &mut Branch) -> DeviceState {
    branch
        .committed(|item| match &item.what {
            What::Event(Body::Status(status)) => Some(status.state),
            _ => None,
        })
        .await
}

async fn with_will(branch: &Branch, keep_alive_s: u16) -> Client {
    let secret = secret("bike");
    let login = Login { will: Some(WILL), keep_alive_s, ..Login::new(5, "bike", &secret) };
    Client::connect(branch.plain, &login).await.0
}

#[tokio::test]
async fn a_second_login_takes_over_after_the_will_of_the_first() {
    let mut branch = Branch::open().await;
    let mut first = with_will(&branch, 60).await;

    let mut second = branch.v5("bike").await;
    second.ask(1, WILL.0, br#"{"state":"idle"}"#).await;

    assert_eq!(first.receive().await, Some((0xE0, vec![0x8E, 0])));
    assert!(first.is_closed().await);
    assert_eq!(state(&mut branch).await, DeviceState::Offline);
    branch.close().await;
}

#[tokio::test]
async fn a_lost_connection_leaves_its_will() {
    let mut branch = Branch::open().await;

    drop(with_will(&branch, 60).await);

    assert_eq!(state(&mut branch).await, DeviceState::Offline);
    branch.close().await;
}

#[tokio::test]
async fn silence_beyond_the_keep_alive_ends_the_connection() {
    let mut branch = Branch::open().await;

    let mut bike = with_will(&branch, 1).await;

    assert_eq!(bike.receive().await, Some((0xE0, vec![0x8D, 0])));
    assert_eq!(state(&mut branch).await, DeviceState::Offline);
    branch.close().await;
}

#[tokio::test]
async fn a_goodbye_leaves_no_will_unless_it_says_so() {
    let mut branch = Branch::open().await;
    let mut polite = with_will(&branch, 60).await;
    polite.send(&[0xE0, 0]).await;
    assert!(polite.is_closed().await);
    let mut bike = branch.v5("bike").await;
    bike.ask(1, WILL.0, br#"{"state":"paused"}"#).await;
    bike.send(&[0xE0, 0]).await;
    let first = state(&mut branch).await;

    let mut wilful = with_will(&branch, 60).await;
    wilful.send(&[0xE0, 1, 4]).await;

    assert_eq!(first, DeviceState::Paused);
    assert_eq!(state(&mut branch).await, DeviceState::Offline);
    branch.close().await;
}

#[tokio::test]
async fn a_will_is_only_for_the_own_status() {
    let branch = Branch::open().await;
    let secret = secret("bike");

    for topic in ["gymwire/v1/machines/rack/status", "gymwire/v1/machines/bike/telemetry", "#"] {
        let login = Login { will: Some((topic, "{}")), ..Login::new(5, "bike", &secret) };
        let (_, answer) = Client::connect(branch.plain, &login).await;
        assert_eq!(answer.unwrap().1[1], 0x87);
    }
    branch.close().await;
}

#[tokio::test]
async fn an_unclean_end_without_a_will_makes_the_device_offline() {
    let branch = Branch::open().await;
    let bike = branch.v5("bike").await;
    let id = super::device_id("bike");
    assert!(branch.publisher.online(id));

    drop(bike);

    soon(async {
        while branch.publisher.online(id) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    branch.close().await;
}

#[tokio::test]
async fn stopping_tells_clients_so() {
    let branch = Branch::open().await;
    let mut bike = branch.v5("bike").await;

    branch.close().await;

    assert_eq!(bike.receive().await, Some((0xE0, vec![0x8B, 0])));
}
