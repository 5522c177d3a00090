//! SUN messages: known answers of NXP's AN12196 and AN10922, forgeries, and nothing secret in a log.

use proptest::prelude::*;
use protocol::credential::sun::{Diversify, MacInput, NotGenuine, SunKeys, verify, verify_plain};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/sdm.json")).unwrap()
}

fn vector(group: &str, name: &str) -> Value {
    let vectors = vectors();
    let found = vectors[group].as_array().unwrap().iter().find(|vector| vector["name"] == name);
    found.unwrap().clone()
}

fn bytes<const N: usize>(vector: &Value, field: &str) -> [u8; N] {
    hex::decode(vector[field].as_str().unwrap()).unwrap().try_into().unwrap()
}

fn keys_of(vector: &Value, mac_input: MacInput) -> SunKeys {
    let (meta, file) = (bytes(vector, "k_sdm_meta_read"), bytes(vector, "k_sdm_file_read"));
    SunKeys::new(meta, file, Diversify::None, mac_input)
}

fn known_answer(name: &str, mac_input: MacInput) {
    let vector = vector("encrypted", name);
    let enc = vector["enc_file_data"].as_str().map(|digits| hex::decode(digits).unwrap());

    let tap = verify(
        &keys_of(&vector, mac_input),
        &bytes(&vector, "picc_data_enc"),
        enc.as_deref(),
        bytes(&vector, "sdm_mac"),
    )
    .unwrap();

    assert_eq!(tap.uid, bytes(&vector, "uid"));
    assert_eq!(u64::from(tap.counter), vector["read_ctr"].as_u64().unwrap());
    let file = vector["file_plain_hex"].as_str().map(|digits| hex::decode(digits).unwrap());
    assert_eq!(tap.file, file);
}

#[test]
fn number_and_counter_of_a_card_are_proven() {
    known_answer("an12196-p12", MacInput::Standard);
}

#[test]
fn encrypted_file_data_is_covered_and_read() {
    known_answer("an12196-p18-encfile", MacInput::Standard);
}

#[test]
fn what_the_mac_covers_is_a_setting() {
    known_answer("custom-keys", MacInput::Template("{enc}".to_owned()));
}

#[test]
fn number_and_counter_in_clear_are_proven() {
    let vector = vector("plain", "plain-mirror");
    let keys = SunKeys::new(
        [0; 16],
        bytes(&vector, "k_sdm_file_read"),
        Diversify::None,
        MacInput::Standard,
    );
    let digits = vector["read_ctr_ascii_in_url"].as_str().unwrap();
    let counter = u32::from_str_radix(digits, 16).unwrap();

    let tap = verify_plain(&keys, bytes(&vector, "uid"), counter, bytes(&vector, "sdm_mac"));

    assert_eq!(tap.map(|tap| tap.counter), Ok(6));
    let beyond = 0x0100_0000 + counter;
    let mac = bytes(&vector, "sdm_mac");
    assert_eq!(verify_plain(&keys, bytes(&vector, "uid"), beyond, mac), Err(NotGenuine));
}

fn diversified(name: &str) {
    let vector = vector("diversified", name);
    let keys = parsed(&vector["setting"].to_string());
    let (picc_data, mac) = (bytes(&vector, "picc_data_enc"), bytes(&vector, "sdm_mac"));

    let tap = verify(&keys, &picc_data, None, mac).unwrap();

    assert_eq!(tap.uid, bytes(&vector, "uid"));
    assert_eq!(u64::from(tap.counter), vector["read_ctr"].as_u64().unwrap());
}

#[test]
fn each_card_has_a_key_of_its_own_by_an10922() {
    diversified("an10922-with-system");
    diversified("an10922-number-only");
    diversified("an10922-two-full-blocks");
}

#[test]
fn each_card_has_a_key_of_its_own_by_hmac() {
    diversified("hmac-key-1");
    diversified("hmac-key-2");
}

/// The forgeries of the vectors: each changes one field of the message it is based on.
fn forged(name: &str) -> Result<(), NotGenuine> {
    let forgery = vector("negative", name);
    let mut vector = vector("encrypted", forgery["base"].as_str().unwrap());
    for (field, value) in forgery["change"].as_object().unwrap() {
        vector[field] = value.clone();
    }
    let keys = keys_of(&vector, MacInput::Standard);
    verify(&keys, &bytes(&vector, "picc_data_enc"), None, bytes(&vector, "sdm_mac")).map(drop)
}

#[test]
fn forged_messages_are_refused() {
    assert_eq!(forged("flipped-mac"), Err(NotGenuine));
    assert_eq!(forged("mac-of-other-tap"), Err(NotGenuine));
    assert_eq!(forged("wrong-meta-key"), Err(NotGenuine));
}

/// The `replay` vector: checking is the same every time, so it is the counter that tells a repeat.
#[test]
fn the_same_message_has_the_same_counter() {
    assert_eq!(forged("replay"), Ok(()));
    known_answer("an12196-p12", MacInput::Standard);
}

#[test]
fn a_message_with_another_tag_is_refused_although_its_mac_is_right() {
    // Number and counter of the first known answer under tag C6, encrypted with the zero key.
    let picc_data = hex::decode("E3C2515E2D9C96FABCB7744DD8459F7C").unwrap().try_into().unwrap();
    let mac = bytes(&vector("encrypted", "an12196-p12"), "sdm_mac");
    let keys = SunKeys::new([0; 16], [0; 16], Diversify::None, MacInput::Standard);

    assert_eq!(verify(&keys, &picc_data, None, mac), Err(NotGenuine));
}

#[test]
fn file_data_that_is_no_whole_block_is_refused() {
    let enc = [0x11; 15];
    let keys = SunKeys::new([0; 16], [0; 16], Diversify::None, MacInput::Template(String::new()));
    let vector = vector("encrypted", "an12196-p12");
    let (picc_data, mac) = (bytes(&vector, "picc_data_enc"), bytes(&vector, "sdm_mac"));

    assert_eq!(verify(&keys, &picc_data, Some(&enc), mac), Err(NotGenuine));
    assert!(verify(&keys, &picc_data, Some(&[0x11; 16]), mac).is_ok());
}

const ONES: &str = "11111111111111111111111111111111";

fn parsed(json: &str) -> SunKeys {
    SunKeys::parse(json).unwrap().unwrap()
}

#[test]
fn the_setting_is_read() {
    let zeros = "00".repeat(16);
    let json = format!(r#"{{"meta":"{zeros}","file_master":"{ONES}","diversify":"none"}}"#);
    assert_eq!(
        parsed(&json),
        SunKeys::new([0; 16], [0x11; 16], Diversify::None, MacInput::Standard)
    );
    let json = format!(
        r#"{{"meta":"{zeros}","file_master":"{ONES}","diversify":"an10922","system":"A1B2","mac_input":"{{enc}}"}}"#
    );
    let diversify = Diversify::An10922 { system: vec![0xA1, 0xB2] };
    let mac_input = MacInput::Template("{enc}".to_owned());
    assert_eq!(parsed(&json), SunKeys::new([0; 16], [0x11; 16], diversify, mac_input));
    assert_eq!(SunKeys::parse("null"), Ok(None));
}

#[test]
fn a_wrong_setting_names_the_field_and_shows_no_value() {
    let refused = |json: &str| SunKeys::parse(json).unwrap_err();

    assert_eq!(refused("[]"), "is no JSON object");
    assert_eq!(refused("{}"), "needs file_master");
    let json = format!(r#"{{"file_master":"{ONES}"}}"#);
    assert_eq!(refused(&json), "needs diversify: an10922, hmac or none");
    let json = format!(r#"{{"file_master":"{ONES}","diversify":"none"}}"#);
    assert_eq!(refused(&json), "needs meta");
    let json = r#"{"file_master":"C0FFEE","diversify":"none"}"#;
    assert_eq!(refused(json), "file_master is not 32 hexadecimal digits");
    let json = format!(r#"{{"meta":7,"file_master":"{ONES}","diversify":"none"}}"#);
    assert_eq!(refused(&json), "meta is no text");
    let json = format!(r#"{{"file_master":"{ONES}","diversify":"hmac","key_no":5}}"#);
    assert_eq!(refused(&json), "key_no is not 0 to 4");
    let json = format!(r#"{{"file_master":"{ONES}","diversify":"hmac","secret":"{ONES}"}}"#);
    assert!(!refused(&json).contains(ONES));
}

#[test]
fn nothing_secret_is_shown_for_debugging() {
    let keys = SunKeys::new([0xAB; 16], [0xCD; 16], Diversify::None, MacInput::Standard);
    let vector = vector("encrypted", "an12196-p12");
    let (picc_data, mac) = (bytes(&vector, "picc_data_enc"), bytes(&vector, "sdm_mac"));
    let tap = verify(&keys_of(&vector, MacInput::Standard), &picc_data, None, mac).unwrap();

    assert_eq!(format!("{keys:?}"), "SunKeys { diversify: None, mac_input: Standard, .. }");
    assert_eq!(format!("{tap:?}"), "SunTap(counter 61)");
}

proptest! {
    #![proptest_config(crate::strategies::cases())]

    #[test]
    fn no_message_makes_it_panic_and_none_is_believed(
        picc_data: [u8; 16],
        enc in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..70)),
        mac: [u8; 8],
    ) {
        let keys = SunKeys::new([1; 16], [2; 16], Diversify::Hmac { key_no: 2 }, MacInput::Standard);

        prop_assert_eq!(verify(&keys, &picc_data, enc.as_deref(), mac), Err(NotGenuine));
    }

    #[test]
    fn one_flipped_bit_is_noticed(bit in 0..192_usize) {
        let vector = vector("encrypted", "an12196-p12");
        let mut message = [0; 24];
        message[..16].copy_from_slice(&bytes::<16>(&vector, "picc_data_enc"));
        message[16..].copy_from_slice(&bytes::<8>(&vector, "sdm_mac"));
        message[bit / 8] ^= 1 << (bit % 8);
        let (picc_data, mac) = message.split_at(16);
        let keys = keys_of(&vector, MacInput::Standard);

        let result = verify(&keys, picc_data.try_into().unwrap(), None, mac.try_into().unwrap());

        // The five random bytes at the end of the plain text prove nothing; CBC spreads every flip over all of it.
        prop_assert_eq!(result, Err(NotGenuine));
    }
}
