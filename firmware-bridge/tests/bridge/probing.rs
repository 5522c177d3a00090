//! `probe` over pseudo terminals: who answers is named, who is silent costs no one else time, who is in use is left alone.

use firmware_bridge::emulators::board::Board;
use firmware_bridge::emulators::csafe::{Kind, Make, serve};
use firmware_bridge::emulators::pn532::{Pn532, Timing};
use firmware_bridge::emulators::pty::Pty;
use firmware_bridge::probe::{Answer, ask};
use protocol::serial::board::device::Identity;
use protocol::serial::probe::Peer;
use std::fs::File;
use std::path::Path;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

fn board(link: &Path) -> Board {
    let identity = Identity { code: "rack-1".into(), firmware: "1.2".into(), boot: 7 };
    Board::plug_in(link, identity).unwrap()
}

#[tokio::test]
async fn every_device_is_named_and_a_port_in_use_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let port = |name: &str| folder.path().join(name);
    let _reader = Pn532::plug_in(&port("chip"), Timing::real()).unwrap();
    let mut consoles = JoinSet::new();
    let (_happen, happenings) = mpsc::channel(1);
    let console = port("console");
    consoles.spawn(async move { serve(&console, Make::of(Kind::Pm), happenings).await });
    let _board = board(&port("board"));
    let _scanner = Pty::plug_in(&port("scanner")).unwrap();
    let _used = Pty::plug_in(&port("used")).unwrap();
    let _user = File::open(port("used")).unwrap();
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
