//! Readers behind the trait: the emulated one without a port, in paused time.

use super::simulation::*;
use firmware_bridge::drivers::nfc::{Event, Nonce, TapReader};
use firmware_bridge::emulators::pn532::{Pn532, Timing};
use protocol::credential::Credential;

/// The next thing that is no mere notice; a nonce is given when it is wanted.
async fn next(reader: &mut impl TapReader) -> Event {
    loop {
        match reader.next().await.unwrap() {
            Event::Notice(_) => {}
            Event::NonceWanted { request } => {
                reader.give(Nonce { request, nonce: NONCE, site_no: SITE });
            }
            event => return event,
        }
    }
}

async fn credential(reader: &mut impl TapReader) -> Credential {
    match next(reader).await {
        Event::Presented { credential, .. } => credential,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_in_memory_reads_cards_and_phones() {
    let (emulator, mut reader) = Pn532::in_memory(Timing::real());

    let first = next(&mut reader).await;
    let shown = emulator.present(tag()).await.unwrap();
    let tap = next(&mut reader).await;
    emulator.clear().await.unwrap();
    emulator.present(phone()).await.unwrap();
    let phone = credential(&mut reader).await;

    assert_eq!(first, Event::Working { firmware: "PN532 1.6".into() });
    let Event::Presented { credential, at } = tap else { panic!("{tap:?}") };
    assert_eq!(credential, uid(&TAG));
    assert!(at >= shown.at && at < shown.at + ms(50));
    assert_eq!(phone.kind(), "hce");
}

#[tokio::test(start_paused = true)]
async fn a_reader_whose_end_is_gone_is_an_error() {
    let (emulator, mut reader) = Pn532::in_memory(Timing::instant());

    next(&mut reader).await;
    emulator.unplug().await.unwrap();
    let ended = loop {
        match reader.next().await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };

    let kinds = [std::io::ErrorKind::UnexpectedEof, std::io::ErrorKind::BrokenPipe];
    assert!(kinds.contains(&ended.kind()), "{ended:?}");
}
