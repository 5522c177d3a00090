//! Values with rules of their own: card numbers, keys of phones, names, references, reasons.

use std::fmt;
use std::str::FromStr;

/// The number of a card: 4, 7 or 10 bytes. It opens doors, so it is shown nowhere.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Uid(Vec<u8>);

/// A P-256 public key, SEC1, compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhoneKey([u8; 33]);

/// A name that fits its column and shows as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

/// What the operator's own books call a member: 1 to 64 printable characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference(String);

/// Why somebody is kept out, as a code that branches are told: `[a-z0-9_]{1,40}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason(String);

/// A text that is not what it should be; says what that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotValid(pub &'static str);

impl Uid {
    pub fn hash(&self, key: &[u8; 32]) -> [u8; 32] {
        protocol::credential::uid_hash(key, &self.0)
    }
}

impl FromStr for Uid {
    type Err = NotValid;

    /// Hexadecimal digits, as readers show them with or without colons, spaces or dashes.
    fn from_str(text: &str) -> Result<Self, NotValid> {
        let digits: String = text.chars().filter(|c| !matches!(c, ':' | ' ' | '-')).collect();
        let bytes = hex::decode(digits).map_err(|_| NotValid("is not hexadecimal"))?;
        if !matches!(bytes.len(), 4 | 7 | 10) {
            return Err(NotValid("must have 4, 7 or 10 bytes"));
        }
        // ISO/IEC 14443-3: a phone makes such a number up at each presentation.
        if bytes.len() == 4 && bytes[0] == 0x08 {
            return Err(NotValid("is random (4 bytes that begin with 08): it identifies nobody"));
        }
        Ok(Self(bytes))
    }
}

impl PhoneKey {
    /// SEC1, compressed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for PhoneKey {
    type Err = NotValid;

    /// Hexadecimal digits of 33 (compressed) or 65 bytes.
    fn from_str(text: &str) -> Result<Self, NotValid> {
        const WRONG: NotValid = NotValid("is not the hex text of a P-256 public key (SEC1)");
        let bytes = hex::decode(text.trim()).map_err(|_| WRONG)?;
        let key = p256::PublicKey::from_sec1_bytes(&bytes).map_err(|_| WRONG)?;
        let point = p256::EncodedPoint::from(p256::AffinePoint::from(key)).compress();
        Ok(Self(point.as_bytes().try_into().map_err(|_| WRONG)?))
    }
}

impl FromStr for DisplayName {
    type Err = NotValid;

    fn from_str(text: &str) -> Result<Self, NotValid> {
        let text = text.trim();
        let is_plain = !text.chars().any(char::is_control);
        if is_plain && (1..=100).contains(&text.chars().count()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotValid("must have 1 to 100 characters, none of them a control character"))
        }
    }
}

impl FromStr for Reference {
    type Err = NotValid;

    fn from_str(text: &str) -> Result<Self, NotValid> {
        let text = text.trim();
        let is_plain = !text.chars().any(char::is_control);
        if is_plain && (1..=64).contains(&text.chars().count()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotValid("must have 1 to 64 characters, none of them a control character"))
        }
    }
}

impl FromStr for Reason {
    type Err = NotValid;

    fn from_str(text: &str) -> Result<Self, NotValid> {
        let is_code = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_');
        if (1..=40).contains(&text.len()) && text.bytes().all(is_code) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotValid("must be a code of 1 to 40 characters out of a-z, 0-9 and _"))
        }
    }
}

macro_rules! text {
    ($($name:ident),+) => {$(
        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    )+};
}

text!(DisplayName, Reference, Reason);

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[card number]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_is_read_in_every_usual_notation() {
        let plain: Uid = "04de5f1eacc040".parse().unwrap();

        for text in ["04:DE:5F:1E:AC:C0:40", "04 DE 5F 1E AC C0 40", "04-de-5f-1e-ac-c0-40"] {
            assert_eq!(text.parse::<Uid>().unwrap(), plain);
        }
    }

    #[test]
    fn what_cannot_be_a_card_number_is_refused() {
        for text in ["", "04", "0408150", "08a1b2c3", "xyz", "04de5f1eacc04001"] {
            assert!(text.parse::<Uid>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_phone_key_is_kept_in_its_short_form() {
        let secret = p256::SecretKey::from_slice(&[7; 32]).unwrap();
        let point = p256::EncodedPoint::from(p256::AffinePoint::from(secret.public_key()));

        let long: PhoneKey = hex::encode(point.as_bytes()).parse().unwrap();

        let short: PhoneKey = hex::encode(point.compress().as_bytes()).parse().unwrap();
        assert!(long == short);
        let beyond_the_field = format!("02{}", "ff".repeat(32));
        assert!(beyond_the_field.parse::<PhoneKey>().is_err());
    }

    #[test]
    fn a_reason_is_a_code_and_no_prose() {
        assert!("payment_due".parse::<Reason>().is_ok());
        assert!("Has not paid!".parse::<Reason>().is_err());
    }
}
