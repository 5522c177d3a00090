//! `probe` over pseudo terminals: who answers is named, who is silent costs no one else time, who is in use is left alone.

use firmware_bridge::emulators::pty::Pty;
use firmware_bridge::probe::{Answer, ask};
use protocol::serial::board::{FirmwareMessage, encode};
use protocol::serial::probe::Peer;
use std::path::Path;
use tempfile::TempDir;
use tokio::task::JoinSet;

/// A device that answers when it is sent these bytes, and else says nothing.
async fn answer(pty: Pty, question: &'static [u8], answer: Vec<u8>) {
    let mut heard = Vec::new();
    loop {
        pty.opened().await;
        let mut buffer = [0; 256];
        let length = pty.read(&mut buffer).await.unwrap();
        heard.extend_from_slice(&buffer[..length]);
        if heard.windows(question.len()).any(|part| part == question) {
            heard.clear();
            pty.write(&answer).await.unwrap();
        }
    }
}

/// A board that says Hello as soon as it is listened to.
async fn greet(pty: Pty) {
    let (code, firmware) = ("rack-1".into(), "1.2".into());
    let hello = encode(&FirmwareMessage::Hello { code, firmware, boot: 7 }).unwrap();
    loop {
        pty.opened().await;
        pty.write(&hello).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn every_device_is_named_and_a_port_in_use_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let port = |name: &str| folder.path().join(name);
    let plug_in = |name: &str| Pty::plug_in(&port(name)).unwrap();
    let chip = [0x00, 0x00, 0xFF, 0x06, 0xFA, 0xD5, 0x03, 0x32, 0x01, 0x06, 0x07, 0xE8, 0x00];
    let console = [0xF1, 0x01, 0x91, 0x05, 22, 2, 5, 1, 2, 0x87, 0xF2];
    let mut devices = JoinSet::new();
    devices.spawn(answer(plug_in("chip"), &[0xD4, 0x02, 0x2A], chip.to_vec()));
    devices.spawn(answer(plug_in("console"), &[0xF1, 0x91, 0x91, 0xF2], console.to_vec()));
    devices.spawn(greet(plug_in("board")));
    let _scanner = plug_in("scanner");
    let _used = plug_in("used");
    let _user = std::fs::File::open(port("used")).unwrap();
    std::fs::write(port("file"), "not a port").unwrap();

    let ports = ["chip", "console", "board", "scanner", "used", "file", "missing"].map(port);
    let answers = ask(&ports).await;

    assert_eq!(answers[0], Answer::Peer(Peer::CardReader { chip: 0x32, version: (1, 6) }));
    assert_eq!(answers[1], Answer::Peer(Peer::Console { maker: 22, class: 2, model: 5 }));
    let hello = Some(("rack-1".to_owned(), "1.2".to_owned()));
    assert_eq!(answers[2], Answer::Peer(Peer::Board { hello }));
    assert_eq!(answers[3], Answer::Silence);
    assert!(matches!(&answers[4], Answer::InUse(by) if by.contains("(process ")), "{answers:?}");
    assert!(matches!(&answers[5], Answer::Failed(_)), "{answers:?}");
    assert!(
        matches!(&answers[6], Answer::Failed(why) if why.contains("plugged in")),
        "{answers:?}"
    );
    assert!(Path::new(&ports[3]).exists());
}
