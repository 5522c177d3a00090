//! Nothing passes for signed, and what is signed by us is read whatever it says; so are items of the roster.
#![no_main]

use ed25519_dalek::{Signer, SigningKey};
use libfuzzer_sys::fuzz_target;
use protocol::sync::changes::{Changes, CloudKey};
use protocol::sync::roster::RosterItem;

fuzz_target!(|bytes: &[u8]| {
    let key = SigningKey::from_bytes(&[42; 32]);
    let keys = [CloudKey { key_id: 3, public: key.verifying_key().to_bytes() }];
    assert!(Changes::verify(bytes, &keys).is_err());

    // Behind a good signature, so that the decoder is reached.
    let head = [1, 3, 0];
    let signed = [b"gymwire-changes-v1".as_slice(), &head, bytes].concat();
    let message = [head.as_slice(), &key.sign(&signed).to_bytes(), bytes].concat();
    let _ = Changes::verify(&message, &keys);

    if let Some((&kind, item)) = bytes.split_first() {
        let _ = RosterItem::decode(kind, item);
        let _ = RosterItem::decode(kind, &[&[1], item].concat());
    }
});
