//! The same reader through libnfc.

use super::bridge::Branch;
use super::simulation::*;
use firmware_bridge::config::NfcDriver;
use firmware_bridge::emulators::pn532::Card;
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
