//! From the emulated reader on its pseudo terminal to the broker, through everything that `run` starts.

use super::simulation::*;
use crate::broker::{Broker, OK};
use crate::{bare, until};
use firmware_bridge::config::{Config, NfcConfig, NfcDriver, SunNameKeys};
use firmware_bridge::emulators::pn532::{Direction, Planned, Pn532, Timing, Trouble};
use firmware_bridge::supervisor;
use protocol::credential::Credential;
use protocol::mqtt::payloads::parse_challenge;
use serde_json::json;
use std::path::PathBuf;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const STATUS: &str = "gymwire/v1/readers/door/status";
const CHALLENGE: &str = "gymwire/v1/readers/door/challenge";

/// A whole bridge with a reader at the door.
pub struct Branch {
    folder: TempDir,
    pub broker: Broker,
    pub reader: Pn532,
    _tasks: JoinSet<anyhow::Result<()>>,
}

impl Branch {
    pub async fn open(driver: NfcDriver) -> Self {
        let folder = TempDir::new().unwrap();
        let broker = Broker::start(|_| OK).await;
        let port: PathBuf = folder.path().join("usb-reader");
        let reader = Pn532::plug_in(&port, Timing::real()).unwrap();
        let code = "door".parse().unwrap();
        let config = Config {
            nfc: vec![NfcConfig { code, port, driver, baud: 115_200, sun: SunNameKeys::default() }],
            ..bare(folder.path(), broker.port)
        };
        let tasks = supervisor::start(config, &CancellationToken::new()).unwrap();
        let this = Self { folder, broker, reader, _tasks: tasks };
        this.is("idle").await;
        this
    }

    pub async fn is(&self, state: &str) {
        let is = || self.broker.retained(STATUS).is_some_and(|status| status["state"] == state);
        until(state, is).await;
    }

    /// How often it was said that the reader does not work.
    pub fn times_offline(&self) -> usize {
        self.states().iter().filter(|state| *state == "offline").count()
    }

    /// Waits until the reader has failed and works again.
    pub async fn works_again(&self) {
        let works =
            || self.times_offline() > 0 && self.states().last().is_some_and(|last| last == "idle");
        until("a working reader", works).await;
    }

    /// What was said of the reader, in order.
    fn states(&self) -> Vec<String> {
        let log = self.broker.log.lock().unwrap();
        let told = log.publishes.iter().filter(|publish| publish.topic == STATUS);
        let state = |payload: &[u8]| {
            let status: serde_json::Value = serde_json::from_slice(payload).unwrap_or_default();
            status["state"].as_str().unwrap_or_default().to_owned()
        };
        told.map(|publish| state(&publish.payload)).collect()
    }

    pub fn credentials(&self) -> Vec<Credential> {
        self.broker.taps().into_iter().map(|(_, tap)| tap.credential).collect()
    }

    pub async fn has(&self, count: usize) {
        until("the taps", || self.broker.taps().len() >= count).await;
    }

    /// Answers the question of a reader for a nonce.
    pub async fn give_nonce(&self) {
        let asked = || {
            let log = self.broker.log.lock().unwrap();
            let asked = log.publishes.iter().find(|publish| publish.topic == CHALLENGE);
            asked.map(|asked| parse_challenge(&asked.payload).unwrap().request_id)
        };
        until("a question", || asked().is_some()).await;
        let nonce = "5c".repeat(NONCE.len());
        let answer = json!({
            "request_id": asked().unwrap(), "nonce": nonce, "valid_ms": 3_000, "site_no": SITE,
        });
        self.broker.say(CHALLENGE, answer).await;
    }
}

#[tokio::test]
async fn what_is_presented_becomes_one_tap_each() {
    let branch = Branch::open(NfcDriver::Pn532Uart).await;

    for (number, card) in [tag(), sun_card(), classic()].into_iter().enumerate() {
        branch.reader.present(card).await.unwrap();
        branch.has(number + 1).await;
        branch.reader.clear().await.unwrap();
    }

    let kinds: Vec<_> = branch.credentials().iter().map(Credential::kind).collect();
    assert_eq!(kinds, ["nfc_uid", "sun", "nfc_uid"]);
    let firmware = branch.broker.retained(STATUS).unwrap()["firmware"].clone();
    assert_eq!(firmware, "PN532 1.6");
}

#[tokio::test]
async fn a_phone_gets_a_nonce_of_the_agent_and_signs_it() {
    let branch = Branch::open(NfcDriver::Pn532Uart).await;
    branch.broker.hears(CHALLENGE).await;

    branch.reader.present(phone()).await.unwrap();
    branch.give_nonce().await;
    branch.has(1).await;

    let [Credential::Hce { nonce, token, .. }] = &branch.credentials()[..] else {
        panic!("{:?}", branch.credentials())
    };
    assert_eq!((nonce.as_slice(), token[8]), (&NONCE[..], 77));
}

#[tokio::test]
async fn a_reader_that_is_pulled_out_and_put_back_goes_on() {
    let branch = Branch::open(NfcDriver::Pn532Uart).await;

    branch.reader.unplug().await.unwrap();
    branch.is("offline").await;
    branch.reader.plug_back().await.unwrap();
    branch.is("idle").await;
    branch.reader.present(tag()).await.unwrap();
    branch.has(1).await;

    assert_eq!(branch.credentials(), [uid(&TAG)]);
    assert!(branch.folder.path().exists());
}

#[tokio::test]
async fn a_chip_that_falls_silent_is_told_and_woken() {
    let branch = Branch::open(NfcDriver::Pn532Uart).await;
    let stall = Trouble::Stall(ms(1_500));

    branch
        .reader
        .plan(Planned { direction: Direction::ToChip, after: 0, trouble: stall })
        .await
        .unwrap();
    branch.is("offline").await;
    branch.is("idle").await;
    branch.reader.present(tag()).await.unwrap();
    branch.has(1).await;

    assert_eq!(branch.credentials(), [uid(&TAG)]);
}
