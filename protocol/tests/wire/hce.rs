//! Answers of phones: bound to nonce, branch and member, and to the key in the roster.

use crate::golden::golden;
use p256::ecdsa::{Signature, SigningKey};
use proptest::prelude::*;
use protocol::credential::hce::{HceChallenge, HceError, claimed_member, verify};

const CHALLENGE: HceChallenge = HceChallenge { nonce: [0x5A; 16], site_no: 12 };
const MEMBER_NO: u64 = 4_711;

fn phone(seed: u8) -> (SigningKey, Vec<u8>) {
    let key = SigningKey::from_slice(&[seed; 32]).unwrap();
    let public = key.verifying_key().to_encoded_point(true).as_bytes().to_vec();
    (key, public)
}

#[test]
fn an_answer_of_a_phone() {
    let (key, public) = phone(7);
    let (token, signature) = CHALLENGE.answer(MEMBER_NO, &key);
    let answer = golden("hce", &[token.as_slice(), &signature, &public].concat());
    let (token, rest) = answer.split_at(9);
    let (signature, public) = rest.split_at(64);

    assert_eq!(verify(&CHALLENGE, token, signature, public), Ok(MEMBER_NO));
    assert_eq!(token, [1, 0, 0, 0, 0, 0, 0, 0x12, 0x67]);
}

#[test]
fn an_answer_counts_for_its_nonce_branch_member_and_key_only() {
    let (key, public) = phone(7);
    let (token, signature) = CHALLENGE.answer(MEMBER_NO, &key);
    let (other_token, _) = CHALLENGE.answer(MEMBER_NO + 1, &key);
    let wrong = Err(HceError::Signature);

    let other_nonce = HceChallenge { nonce: [0x5B; 16], ..CHALLENGE };
    assert_eq!(verify(&other_nonce, &token, &signature, &public), wrong);
    let other_site = HceChallenge { site_no: 13, ..CHALLENGE };
    assert_eq!(verify(&other_site, &token, &signature, &public), wrong);
    assert_eq!(verify(&CHALLENGE, &other_token, &signature, &public), wrong);
    assert_eq!(verify(&CHALLENGE, &token, &signature, &phone(8).1), wrong);
}

/// Keystores of phones do not choose the smaller of the two values of `s`.
#[test]
fn both_forms_of_a_signature_count() {
    let (key, public) = phone(7);
    let (token, signature) = CHALLENGE.answer(MEMBER_NO, &key);
    let signature = Signature::from_slice(&signature).unwrap();
    let (r, s) = signature.split_scalars();
    let mirrored = Signature::from_scalars(r, -s).unwrap();

    assert_ne!(signature, mirrored);
    assert_eq!(verify(&CHALLENGE, &token, &mirrored.to_bytes(), &public), Ok(MEMBER_NO));
}

#[test]
fn wrong_forms_are_told_apart() {
    let (key, public) = phone(7);
    let (token, signature) = CHALLENGE.answer(MEMBER_NO, &key);
    let uncompressed = key.verifying_key().to_encoded_point(false);

    assert_eq!(claimed_member(&token), Ok(MEMBER_NO));
    assert_eq!(claimed_member(&token[..8]), Err(HceError::Token));
    assert_eq!(claimed_member(&[2; 9]), Err(HceError::Token));
    assert_eq!(claimed_member(&[]), Err(HceError::Token));
    let refused = verify(&CHALLENGE, &token, &signature, uncompressed.as_bytes());
    assert_eq!(refused, Err(HceError::Key));
    assert_eq!(verify(&CHALLENGE, &token, &signature, &[5; 33]), Err(HceError::Key));
    let refused = verify(&CHALLENGE, &token, &signature[..63], &public);
    assert_eq!(refused, Err(HceError::Signature));
}

proptest! {
    #![proptest_config(crate::strategies::cases())]

    #[test]
    fn no_answer_makes_it_panic_and_none_is_believed(
        token in proptest::collection::vec(any::<u8>(), 0..20),
        signature in proptest::collection::vec(any::<u8>(), 60..70),
        public in proptest::collection::vec(any::<u8>(), 0..70),
    ) {
        prop_assert!(verify(&CHALLENGE, &token, &signature, &public).is_err());
        prop_assert!(verify(&CHALLENGE, &[1; 9], &signature, &phone(7).1).is_err());
    }
}
