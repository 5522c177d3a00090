//! A phone with our application, which signs what the agent asks.

use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};

/// The application's name.
const AID: [u8; 6] = [0xF0, 0x47, 0x59, 0x4D, 0x57, 0x01];

/// Whether the phone answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Willingness {
    /// At once.
    Ready,
    /// Only when it is unlocked.
    Locked,
    /// Never: our application is not installed.
    NotInstalled,
}

/// A phone.
#[derive(Clone)]
pub struct Phone {
    member_no: u64,
    key: SigningKey,
    willingness: Willingness,
    /// Each time it enters a field it has another number.
    activations: u32,
    is_selected: bool,
}

/// Keys do not belong in a log.
impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Phone({:?})", self.willingness)
    }
}

impl Phone {
    /// The phone of a member, with the private key `secret`; `None` if that is no key.
    pub fn new(member_no: u64, secret: &[u8; 32]) -> Option<Self> {
        let key = SigningKey::from_slice(secret).ok()?;
        let willingness = Willingness::Ready;
        Some(Self { member_no, key, willingness, activations: 0, is_selected: false })
    }

    /// The phone answers so.
    #[must_use]
    pub fn that_is(self, willingness: Willingness) -> Self {
        Self { willingness, ..self }
    }

    /// What the roster knows it by: the public key, compressed.
    pub fn public_key(&self) -> Vec<u8> {
        self.key.verifying_key().to_encoded_point(true).as_bytes().to_vec()
    }

    pub(super) fn uid(&self) -> [u8; 4] {
        let [_, a, b, c] = self.activations.to_be_bytes();
        [0x08, a, b, c]
    }

    pub(super) fn field_off(&mut self) {
        self.activations = self.activations.wrapping_add(1);
        self.is_selected = false;
    }

    /// The answer, and whether it took a signature.
    pub(super) fn exchange(&mut self, apdu: &[u8]) -> (Vec<u8>, bool) {
        match apdu {
            [0x00, 0xA4, 0x04, 0x00, length, rest @ ..]
                if rest.get(..usize::from(*length)) == Some(&AID) =>
            {
                match self.willingness {
                    Willingness::NotInstalled => (vec![0x6A, 0x82], false),
                    Willingness::Locked => (vec![0x69, 0x85], false),
                    Willingness::Ready => {
                        self.is_selected = true;
                        (vec![0x01, 0x00, 0x90, 0x00], false)
                    }
                }
            }
            [0x00, 0xA4, ..] => (vec![0x6A, 0x82], false),
            [0x80, 0x10, 0x00, 0x00, 0x12, rest @ ..] if self.is_selected && rest.len() >= 18 => {
                (self.sign(&rest[..16], &rest[16..18]), true)
            }
            _ => (vec![0x6D, 0x00], false),
        }
    }

    fn sign(&self, nonce: &[u8], site_no: &[u8]) -> Vec<u8> {
        let member = self.member_no.to_be_bytes();
        let message = [b"gymwire-hce-v1", nonce, site_no, &member].concat();
        let signature: Signature = self.key.sign(&message);
        [&[0x01], &member[..], &signature.to_bytes(), &[0x90, 0x00]].concat()
    }
}
