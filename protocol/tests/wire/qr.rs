//! Dynamic QR codes: signature first, then everything else.

use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use protocol::credential::qr::{QrError, QrKey, QrPayload, parse, sign, verify};

fn key() -> (SigningKey, QrKey) {
    let key = SigningKey::from_bytes(&[9; 32]);
    let public = key.verifying_key();
    (key, QrKey { kid: 1, public })
}

fn payload() -> QrPayload {
    QrPayload {
        kid: 1,
        site_no: 12,
        member_no: 4_711,
        iat_s: 1_790_000_000,
        ttl: 6,
        scope: 1,
        nonce: [1, 2, 3, 4],
    }
}

#[test]
fn a_signed_code_is_verified() {
    let (private, public) = key();
    let code = sign(&payload(), &private);

    assert_eq!(code.len(), 118);
    assert_eq!(verify(&code, &[public]), Ok(payload()));
    assert_eq!(payload().expires_s(), 1_790_000_030);
}

#[test]
fn a_key_that_does_not_count_is_refused() {
    let code = sign(&payload(), &key().0);

    assert_eq!(verify(&code, &[]), Err(QrError::UnknownKey(1)));
}

#[test]
fn another_key_under_the_same_number_is_refused() {
    let code = sign(&payload(), &SigningKey::from_bytes(&[8; 32]));

    assert_eq!(verify(&code, &[key().1]), Err(QrError::Signature));
}

#[test]
fn a_number_reserved_for_phones_is_refused() {
    let (private, public) = key();
    let code = sign(&QrPayload { kid: 0x8000, ..payload() }, &private);

    assert_eq!(verify(&code, &[QrKey { kid: 0x8000, ..public }]), Err(QrError::UnknownKey(0x8000)));
}

#[test]
fn other_codes_are_not_ours() {
    let code = sign(&payload(), &key().0);

    assert_eq!(parse("4006381333931"), Err(QrError::Format));
    assert_eq!(parse(&code[..117]), Err(QrError::Format));
    assert_eq!(parse(&format!("{code}=")), Err(QrError::Format));
    assert_eq!(parse(&code.replacen("G1", "G2", 1)), Err(QrError::Format));
}

proptest! {
    #![proptest_config(crate::strategies::cases())]

    #[test]
    fn one_changed_character_is_refused(at in 0..118_usize, other in "[A-Za-z0-9_-]") {
        let (private, public) = key();
        let good = sign(&payload(), &private);
        let changed = format!("{}{other}{}", &good[..at], &good[at + 1..]);

        prop_assert_eq!(verify(&changed, &[public]).is_ok(), changed == good);
    }
}
