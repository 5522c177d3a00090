//! The tools of libnfc accept the emulated chip through their own driver for it.

use super::simulation::*;
use firmware_bridge::emulators::pn532::{Card, Pn532, Timing};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::process::Command;
use tokio::time::timeout;

/// A reader with these cards on it.
async fn reader(folder: &TempDir, cards: &[Card]) -> Pn532 {
    let reader = Pn532::plug_in(&folder.path().join("reader"), Timing::real()).unwrap();
    for card in cards {
        reader.present(card.clone()).await.unwrap();
    }
    reader
}

fn tool(name: &str, arguments: &[&str], port: &Path) -> Command {
    let mut command = Command::new(name);
    command
        .args(arguments)
        .env("LIBNFC_DEVICE", format!("pn532_uart:{}", port.display()))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// What a tool prints; it is killed after 20 s.
async fn output(name: &str, arguments: &[&str], port: &Path) -> String {
    let output = timeout(Duration::from_secs(20), tool(name, arguments, port).output()).await;
    let output = output.expect("the tool hangs").expect("run packaging/setup.sh first");
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[track_caller]
fn says(text: &str, words: &str) {
    assert!(text.contains(words), "no {words:?} in:\n{text}");
}

#[tokio::test]
async fn nfc_list_shows_a_tag() {
    let folder = TempDir::new().unwrap();
    let reader = reader(&folder, &[tag()]).await;

    let shown = output("nfc-list", &["-v", "-t", "1"], reader.link()).await;

    says(&shown, "1 ISO14443A passive target(s) found");
    says(&shown, "ATQA (SENS_RES): 00  44");
    says(&shown, "UID (NFCID1): 04  a1  b2  c3  d4  e5  f6");
    says(&shown, "SAK (SEL_RES): 00");
    says(&shown, "MIFARE Ultralight");
}

#[tokio::test]
async fn nfc_list_shows_two_cards_at_once() {
    let folder = TempDir::new().unwrap();
    let reader = reader(&folder, &[tag(), classic()]).await;

    let shown = output("nfc-list", &["-t", "1"], reader.link()).await;

    says(&shown, "2 ISO14443A passive target(s) found");
    says(&shown, "UID (NFCID1): 04  a1  b2  c3  d4  e5  f6");
    says(&shown, "UID (NFCID1): 3a  11  22  33");
}

#[tokio::test]
async fn nfc_list_shows_a_phone_and_a_card_with_apdus() {
    let folder = TempDir::new().unwrap();
    let reader = reader(&folder, &[phone()]).await;

    let phone = output("nfc-list", &["-v", "-t", "1"], reader.link()).await;
    reader.clear().await.unwrap();
    reader.present(sun_card()).await.unwrap();
    let card = output("nfc-list", &["-v", "-t", "1"], reader.link()).await;

    says(&phone, "SAK (SEL_RES): 20");
    says(&phone, "UID (NFCID3): 08");
    says(&phone, "ATS: 78  80  70  02");
    says(&card, "UID (NFCID1): 04  95  8c  aa  5c  5e  80");
    says(&card, "ATS: 77  77  71  02  80");
}

#[tokio::test]
async fn nfc_scan_device_knows_the_chip() {
    let folder = TempDir::new().unwrap();
    let reader = reader(&folder, &[]).await;

    let shown = output("nfc-scan-device", &["-v"], reader.link()).await;

    says(&shown, "chip: PN532 v1.6");
}

#[tokio::test]
async fn nfc_poll_sees_a_card_come_and_go() {
    let folder = TempDir::new().unwrap();
    let reader = reader(&folder, &[]).await;
    let mut polling = tool("nfc-poll", &["-v"], reader.link());

    let poll = polling.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut poll = poll.expect("run packaging/setup.sh first");
    let mut stdout = poll.stdout.take().unwrap();
    let mut shown = String::new();
    let script = async {
        crate::until_true("the port is open", || reader.is_open()).await;
        reader.present(tag()).await.unwrap();
        let mut buffer = [0; 256];
        while !shown.contains("Waiting for card removing") {
            let length = stdout.read(&mut buffer).await.unwrap();
            assert!(length > 0, "it ended early:\n{shown}");
            shown += &String::from_utf8_lossy(&buffer[..length]);
        }
        reader.clear().await.unwrap();
        stdout.read_to_string(&mut shown).await.unwrap();
        poll.wait().await.unwrap();
    };
    timeout(Duration::from_secs(30), script).await.expect("nfc-poll hangs");

    says(&shown, "UID (NFCID1): 04  a1  b2  c3  d4  e5  f6");
    says(&shown, "Waiting for card removing...done.");
}

#[tokio::test]
async fn nfc_mfultralight_reads_every_page() {
    let folder = TempDir::new().unwrap();
    let reader = reader(&folder, &[tag()]).await;
    let dump = folder.path().join("dump.mfd");

    let shown = output("nfc-mfultralight", &["r", dump.to_str().unwrap()], reader.link()).await;

    says(&shown, "16 of 16 pages read");
    let pages = std::fs::read(dump).unwrap();
    assert_eq!(pages[..3], TAG[..3]);
}
