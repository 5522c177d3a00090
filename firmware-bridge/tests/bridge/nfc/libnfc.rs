//! The same reader through libnfc.

use super::bridge::Branch;
use super::simulation::*;
use firmware_bridge::config::NfcDriver;
use firmware_bridge::emulators::pn532::{Card, Direction, Planned, Trouble};
use protocol::credential::Credential;

#[tokio::test]
async fn libnfc_reads_tags_cards_with_messages_and_phones() {
    let branch = Branch::open(NfcDriver::Libnfc).await;

    branch.reader.present(tag()).await.unwrap();
    branch.has(1).await;
    branch.reader.clear().await.unwrap();
    branch.reader.present(sun_card()).await.unwrap();
    branch.has(2).await;
    branch.reader.clear().await.unwrap();
    branch.reader.present(phone()).await.unwrap();
    branch.give_nonce().await;
    branch.has(3).await;

    let kinds: Vec<_> = branch.credentials().iter().map(Credential::kind).collect();
    assert_eq!(kinds, ["nfc_uid", "sun", "hce"]);
}

#[tokio::test]
async fn libnfc_reports_a_card_that_lies_there_once() {
    let branch = Branch::open(NfcDriver::Libnfc).await;

    branch.reader.present(tag()).await.unwrap();
    branch.has(1).await;
    branch.reader.present(Card::Plain(vec![0x3A, 1, 2, 3])).await.unwrap();
    branch.has(2).await;

    assert_eq!(branch.credentials(), [uid(&TAG), uid(&[0x3A, 1, 2, 3])]);
}

/// After the trouble it works again, has said so once, and reads the next card once.
async fn libnfc_survives(trouble: Trouble) {
    let branch = Branch::open(NfcDriver::Libnfc).await;
    let planned = Planned { direction: Direction::ToHost, after: 0, trouble: trouble.clone() };

    branch.reader.plan(planned).await.unwrap();
    branch.works_again().await;
    branch.reader.present(tag()).await.unwrap();
    branch.has(1).await;

    assert_eq!(branch.credentials(), [uid(&TAG)], "{trouble:?}");
    assert_eq!(branch.times_offline(), 1, "{trouble:?}");
}

#[tokio::test]
async fn libnfc_goes_on_with_a_reader_that_was_pulled_out_and_put_back() {
    libnfc_survives(Trouble::Vanish(ms(1_500))).await;
}

#[tokio::test]
async fn libnfc_goes_on_with_a_chip_that_lost_power() {
    libnfc_survives(Trouble::BrownOut).await;
}

#[tokio::test]
async fn libnfc_goes_on_behind_a_line_that_stood_still() {
    libnfc_survives(Trouble::Stall(ms(2_500))).await;
}

#[tokio::test]
async fn libnfc_reads_a_card_once_behind_garbage_and_lost_bytes() {
    let noise = b"\x00\x00\xFF\x20\xE0\xD5\x4B\x00\xFF\x00".to_vec();
    for trouble in [Trouble::Garbage(noise), Trouble::Drop(7), Trouble::Corrupt] {
        let branch = Branch::open(NfcDriver::Libnfc).await;
        let planned = Planned { direction: Direction::ToHost, after: 3, trouble: trouble.clone() };

        branch.reader.plan(planned).await.unwrap();
        branch.reader.present(tag()).await.unwrap();
        branch.has(1).await;
        branch.is("idle").await;

        assert_eq!(branch.credentials(), [uid(&TAG)], "{trouble:?}");
        assert!(branch.times_offline() <= 1, "{trouble:?}");
    }
}
