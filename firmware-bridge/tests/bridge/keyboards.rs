//! Scanners that type like keyboards, on a pipe of the kernel's event records, through everything that `run` starts.

use crate::broker::{Broker, OK};
use crate::{bare, until};
use firmware_bridge::config::{Config, KeyboardConfig, LayoutKey};
use firmware_bridge::emulators::keyboard::Keyboard;
use firmware_bridge::supervisor;
use protocol::credential::Credential;
use protocol::serial::keyboard::Layout;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const STATUS: &str = "gymwire/v1/readers/desk/status";

fn codes(broker: &Broker) -> Vec<String> {
    let code = |credential| match credential {
        Credential::Qr { code } => code,
        other => panic!("{other:?}"),
    };
    broker.taps().into_iter().map(|(_, tap)| code(tap.credential)).collect()
}

async fn desk_is(broker: &Broker, state: &str) {
    until(state, || broker.retained(STATUS).is_some_and(|status| status["state"] == state)).await;
}

#[tokio::test]
async fn what_is_typed_becomes_taps_and_a_scanner_may_come_and_go() {
    let folder = TempDir::new().unwrap();
    let device = folder.path().join("event-kbd");
    let broker = Broker::start(|_| OK).await;
    let desk = KeyboardConfig {
        code: "desk".parse().unwrap(),
        device: device.clone(),
        layout: LayoutKey::De,
        repeat_ms: 3_000,
    };
    let config = Config { keyboard: vec![desk], ..bare(folder.path(), broker.port) };
    let _tasks = supervisor::start(config, &CancellationToken::new()).unwrap();
    desk_is(&broker, "offline").await;

    let mut scanner = Keyboard::plug_in(&device, Layout::De).unwrap();
    desk_is(&broker, "idle").await;
    scanner.scan("]Q1G1aZ-y_9").await.unwrap();
    scanner.scan("G1aZ-y_9").await.unwrap();
    scanner.scan("G1second").await.unwrap();
    until("two taps", || codes(&broker).len() == 2).await;
    scanner.unplug();
    desk_is(&broker, "offline").await;
    scanner.plug_back().unwrap();
    desk_is(&broker, "idle").await;
    scanner.scan("G1third").await.unwrap();
    until("the third tap", || codes(&broker).len() == 3).await;

    assert_eq!(codes(&broker), ["G1aZ-y_9", "G1second", "G1third"]);
}
