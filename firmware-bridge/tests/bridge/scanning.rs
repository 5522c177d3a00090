//! From the emulated scanner on its pseudo terminal to the broker, through everything that `run` starts.

use crate::broker::{Broker, OK};
use crate::{bare, until};
use firmware_bridge::config::{Config, EndingKey, ScannerConfig};
use firmware_bridge::emulators::scanner::{Scanner, Style, Suffix};
use firmware_bridge::supervisor;
use protocol::credential::Credential;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const DOOR_STATUS: &str = "gymwire/v1/readers/door/status";

/// A whole bridge with its broker.
struct Branch {
    folder: TempDir,
    broker: Broker,
    _tasks: JoinSet<anyhow::Result<()>>,
}

impl Branch {
    async fn open(readers: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let broker = Broker::start(|_| OK).await;
        let config = Config {
            scanner: readers.iter().map(|code| scanner(code, &port(folder.path(), code))).collect(),
            ..bare(folder.path(), broker.port)
        };
        let tasks = supervisor::start(config, &CancellationToken::new()).unwrap();
        Self { folder, broker, _tasks: tasks }
    }

    fn plug_in(&self, code: &str, style: Style) -> Scanner {
        Scanner::plug_in(&port(self.folder.path(), code), style).unwrap()
    }

    fn codes(&self) -> Vec<String> {
        let code = |credential| match credential {
            Credential::Qr { code } => code,
            other => panic!("{other:?}"),
        };
        self.broker.taps().into_iter().map(|(_, tap)| code(tap.credential)).collect()
    }

    async fn door_is(&self, state: &str) {
        let is =
            || self.broker.retained(DOOR_STATUS).is_some_and(|status| status["state"] == state);
        until(state, is).await;
    }

    async fn has(&self, count: usize) {
        until("the taps", || self.codes().len() >= count).await;
    }
}

fn port(folder: &Path, code: &str) -> PathBuf {
    folder.join(format!("usb-{code}"))
}

fn scanner(code: &str, port: &Path) -> ScannerConfig {
    ScannerConfig {
        code: code.parse().unwrap(),
        port: port.to_owned(),
        baud: 9600,
        ending: EndingKey::Any,
        repeat_ms: 3_000,
    }
}

#[tokio::test]
async fn codes_of_every_style_become_taps() {
    let branch = Branch::open(&["door"]).await;
    let mut scanner = branch.plug_in("door", Style::default());
    scanner.opened().await.unwrap();
    let styles = [
        Style { suffix: Suffix::Crlf, ..Style::default() },
        Style { suffix: Suffix::Cr, aim_prefix: true, ..Style::default() },
        Style { suffix: Suffix::Lf, piece: 3, ..Style::default() },
        Style {
            suffix: Suffix::None,
            piece: 5,
            pause: Duration::from_millis(2),
            ..Style::default()
        },
    ];

    for (number, style) in styles.into_iter().enumerate() {
        scanner.set_up(style);
        scanner.scan(&format!("G1code-{number}")).await.unwrap();
        branch.has(number + 1).await;
    }

    assert_eq!(branch.codes(), ["G1code-0", "G1code-1", "G1code-2", "G1code-3"]);
    assert_eq!(branch.broker.taps()[0].0.topic, "gymwire/v1/readers/door/tap");
    assert!(branch.broker.taps().iter().all(|(_, tap)| tap.age_ms < 5_000));
}

#[tokio::test]
async fn a_scanner_that_is_pulled_out_and_put_back_goes_on() {
    let branch = Branch::open(&["door"]).await;
    branch.door_is("offline").await;
    let mut scanner = branch.plug_in("door", Style::default());
    branch.door_is("idle").await;
    scanner.send(b"G1half-a-co").await.unwrap();

    scanner.unplug();
    branch.door_is("offline").await;
    scanner.plug_back().unwrap();
    branch.door_is("idle").await;
    scanner.scan("G1after").await.unwrap();
    branch.has(1).await;

    assert_eq!(branch.codes().last().map(String::as_str), Some("G1after"));
}

#[tokio::test]
async fn noise_and_repeats_are_no_taps() {
    let branch = Branch::open(&["door"]).await;
    let scanner = branch.plug_in("door", Style::default());
    scanner.opened().await.unwrap();

    scanner.send(b"\0\0\r\n\r\n \x07\n").await.unwrap();
    scanner.send(format!("{}\r\n", "x".repeat(3_000)).as_bytes()).await.unwrap();
    scanner.scan("G1one").await.unwrap();
    scanner.scan("G1one").await.unwrap();
    scanner.scan("G1two").await.unwrap();
    branch.has(2).await;

    assert_eq!(branch.codes(), ["G1one", "G1two"]);
}

#[tokio::test]
async fn a_port_that_is_missing_or_sick_does_not_delay_the_others() {
    let branch = Branch::open(&["missing", "sick", "door"]).await;
    std::fs::write(port(branch.folder.path(), "sick"), "not a serial port").unwrap();
    let scanner = branch.plug_in("door", Style::default());
    scanner.opened().await.unwrap();

    scanner.scan("G1fine").await.unwrap();
    branch.has(1).await;

    assert_eq!(branch.codes(), ["G1fine"]);
    let sick = branch.broker.retained("gymwire/v1/readers/sick/status");
    assert_eq!(sick.unwrap()["state"], "offline");
}

#[tokio::test]
async fn an_open_port_belongs_to_the_bridge_alone() {
    let branch = Branch::open(&["door"]).await;
    let scanner = branch.plug_in("door", Style::default());
    branch.door_is("idle").await;

    let second = tokio_serial::SerialStream::open(
        &tokio_serial::new(scanner.link().to_str().unwrap(), 9600).exclusive(true),
    );

    assert!(second.is_err());
}
