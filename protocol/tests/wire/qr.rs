//! Dynamic QR codes: signature first, then everything else.

use ed25519_dalek::SigningKey;
use proptest::prelude::*;
use protocol::credential::qr::{QrError, QrKey, QrPayload, accept, parse, sign, verify};
use protocol::sync::changes::CloudKey;
use protocol::time::TrustedTime;

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

/// What becomes of [`payload`], good from 1 790 000 000 to 1 790 000 030, at second `from_iat_s` after it was made.
fn at(time: fn(i64) -> TrustedTime, from_iat_s: i64) -> Result<(), QrError> {
    let (private, public) = key();
    let now = time((1_790_000_000 + from_iat_s) * 1_000 + 999);
    accept(&sign(&payload(), &private), &[public], 12, now).map(drop)
}

#[test]
fn a_code_is_good_for_its_lifetime_and_ten_seconds_around_it() {
    assert_eq!(at(TrustedTime::Synced, -11), Err(QrError::NotYet));
    assert_eq!(at(TrustedTime::Synced, -10), Ok(()));
    assert_eq!(at(TrustedTime::Synced, 40), Ok(()));
    assert_eq!(at(TrustedTime::Synced, 41), Err(QrError::Expired));
}

#[test]
fn two_minutes_around_it_while_the_clock_is_not_synchronised() {
    assert_eq!(at(TrustedTime::Carried, -121), Err(QrError::NotYet));
    assert_eq!(at(TrustedTime::Carried, -120), Ok(()));
    assert_eq!(at(TrustedTime::Carried, 150), Ok(()));
    assert_eq!(at(TrustedTime::Carried, 151), Err(QrError::Expired));
}

#[test]
fn without_the_time_a_code_counts_if_it_was_made_after_the_floor() {
    assert_eq!(at(TrustedTime::NotBefore, -1_000_000), Ok(()));
    assert_eq!(at(TrustedTime::NotBefore, 0), Ok(()));
    assert_eq!(at(TrustedTime::NotBefore, 1), Err(QrError::Expired));
}

#[test]
fn a_code_is_good_in_its_branch_only_unless_it_is_for_any() {
    let (private, public) = key();
    let now = TrustedTime::Synced(1_790_000_000_000);
    let for_any = QrPayload { site_no: 0, ..payload() };

    let code = sign(&payload(), &private);
    assert_eq!(accept(&code, &[public], 13, now), Err(QrError::OtherSite(12)));
    assert_eq!(accept(&code, &[public], 0, now), Err(QrError::OtherSite(12)));
    assert_eq!(accept(&sign(&for_any, &private), &[public], 13, now), Ok(for_any));
}

#[test]
fn a_forged_code_is_told_so_whatever_else_is_wrong_with_it() {
    let forged = sign(&payload(), &SigningKey::from_bytes(&[8; 32]));

    let refused = accept(&forged, &[key().1], 13, TrustedTime::Synced(0));

    assert_eq!(refused, Err(QrError::Signature));
}

#[test]
fn no_two_codes_have_one_use() {
    let use_id = payload().use_id();

    assert_ne!(QrPayload { nonce: [1, 2, 3, 5], ..payload() }.use_id(), use_id);
    assert_ne!(QrPayload { iat_s: 1_790_000_001, ..payload() }.use_id(), use_id);
    assert_ne!(QrPayload { member_no: 4_712, ..payload() }.use_id(), use_id);
    assert_eq!(payload().used_until_s(), 1_790_000_150);
}

#[test]
fn keys_of_the_cloud_check_codes_unless_their_number_is_a_phones() {
    let public = key().1.public.to_bytes();

    assert_eq!(QrKey::of(&CloudKey { key_id: 1, public }), Some(key().1));
    assert_eq!(QrKey::of(&CloudKey { key_id: 0x8000, public }), None);
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
