//! SUN messages of NTAG 424 DNA cards (NXP AN12196, AES mode): who it is, and how often it was read.
//!
//! The card proves its number and a counter with a MAC under a key that only this card has. A message is good once:
//! the caller keeps the last counter of each card, takes only greater ones, and commits them before a door opens.

mod derive;
mod keys;

pub use keys::{Diversify, MacInput, SunKeys};

use derive::Session;
use std::fmt;
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

/// Bytes of a card's number.
pub const UID_BYTES: usize = 7;
/// What the first decrypted byte must be: a number of 7 bytes and a counter, both mirrored.
const TAG_UID_AND_COUNTER: u8 = 0xC7;

/// What a message proved.
#[derive(Clone, PartialEq, Eq)]
pub struct SunTap {
    /// The card's number.
    pub uid: [u8; UID_BYTES],
    /// How often the card was read; 24 bits.
    pub counter: u32,
    /// What the card carries, decrypted, if it sends that along.
    pub file: Option<Vec<u8>>,
}

/// A message that proves nothing. A wrong key, form and MAC are one: the difference would help a forger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the card's message is not genuine")]
pub struct NotGenuine;

/// Checks a message with encrypted number and counter; `enc` is the encrypted file data, as bytes.
pub fn verify(
    keys: &SunKeys,
    picc_data: &[u8; 16],
    enc: Option<&[u8]>,
    cmac: [u8; 8],
) -> Result<SunTap, NotGenuine> {
    let mut plain = Zeroizing::new(*picc_data);
    derive::decrypt_blocks(keys.meta(), [0; 16], plain.as_mut_slice()).map_err(|_| NotGenuine)?;
    let &[tag, u0, u1, u2, u3, u4, u5, u6, c0, c1, c2, ..] = &*plain;
    let claim = Claim { uid: [u0, u1, u2, u3, u4, u5, u6], counter_le: [c0, c1, c2] };
    let input = keys.mac_input.of(picc_data, enc);
    // The MAC is computed whatever the tag says, so that the time taken tells nothing about it.
    claim.check(keys, &input, enc, cmac, tag.ct_eq(&TAG_UID_AND_COUNTER))
}

/// Checks a message that carries number and counter in clear. In the card's text the counter is 6 hexadecimal
/// digits, most significant first.
pub fn verify_plain(
    keys: &SunKeys,
    uid: [u8; UID_BYTES],
    counter: u32,
    cmac: [u8; 8],
) -> Result<SunTap, NotGenuine> {
    let [c0, c1, c2, beyond] = counter.to_le_bytes();
    let input = keys.mac_input.of(&[], None);
    Claim { uid, counter_le: [c0, c1, c2] }.check(keys, &input, None, cmac, beyond.ct_eq(&0))
}

/// What a message says before it is proven.
struct Claim {
    uid: [u8; UID_BYTES],
    counter_le: [u8; 3],
}

impl Claim {
    fn check(
        self,
        keys: &SunKeys,
        mac_input: &[u8],
        enc: Option<&[u8]>,
        cmac: [u8; 8],
        is_well_formed: Choice,
    ) -> Result<SunTap, NotGenuine> {
        let session = Session::of(&keys.file_key(self.uid), self.uid, self.counter_le);
        let expected = session.truncated_mac(mac_input);
        if !bool::from(expected.ct_eq(&cmac) & is_well_formed) {
            return Err(NotGenuine);
        }
        let file = enc.map(|enc| session.decrypt_file(enc)).transpose().map_err(|_| NotGenuine)?;
        let [c0, c1, c2] = self.counter_le;
        Ok(SunTap { uid: self.uid, counter: u32::from_le_bytes([c0, c1, c2, 0]), file })
    }
}

/// Only the counter: number and content find people and open doors.
impl fmt::Debug for SunTap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SunTap(counter {})", self.counter)
    }
}
