//! What a credential proved when it arrived, before anybody looked whose it is.

use protocol::access::Reason;
use protocol::credential::qr::QrPayload;
use protocol::ids::CredentialId;
use std::fmt;

/// What was proven.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// Nothing beyond the number of a card, whose hash is in the tap.
    Number,
    /// An NTAG 424 DNA proved its number (as hash) and a counter.
    Card {
        /// Keyed hash of its number.
        uid_hash: [u8; 32],
        /// How often it was read.
        counter: u32,
    },
    /// The cloud signed this.
    Code(QrPayload),
    /// A phone of the roster signed a nonce that its reader was given.
    Phone {
        /// Which phone.
        credential: CredentialId,
        /// Whose, by number.
        member_no: u64,
        /// The nonce, to be used up.
        nonce: [u8; 16],
    },
    /// It proved nothing, for this reason.
    Nothing(Reason),
}

/// Only what it is: the contents find people.
impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number => f.write_str("Number"),
            Self::Card { .. } => f.write_str("Card"),
            Self::Code(_) => f.write_str("Code"),
            Self::Phone { .. } => f.write_str("Phone"),
            Self::Nothing(reason) => write!(f, "Nothing({})", reason.as_str()),
        }
    }
}
