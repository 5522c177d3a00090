//! Version byte, postcard and bounded zstd, shared by all binary messages.

use serde::Serialize;
use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, SeqAccess, Visitor};
use std::fmt;
use std::io::Read;
use std::marker::PhantomData;

/// Why bytes are not the message they claim to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// No bytes at all.
    #[error("the message is empty")]
    Empty,
    /// A version this build does not read.
    #[error("version {0} is not supported")]
    Version(u8),
    /// The bytes do not decode.
    #[error("the message is malformed: {0}")]
    Malformed(String),
    /// It would grow beyond its limit.
    #[error("the message is larger than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// It holds more samples than are taken at once.
    #[error("the message has more than {limit} samples")]
    TooMany {
        /// The limit in samples.
        limit: usize,
    },
    /// It is not signed by a key that counts.
    #[error("the signature does not match")]
    Signature,
}

impl From<postcard::Error> for WireError {
    fn from(error: postcard::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// `version || postcard(value)`.
pub(super) fn encode<T: Serialize>(version: u8, value: &T) -> Vec<u8> {
    postcard::to_extend(value, vec![version]).expect("writing to memory does not fail")
}

/// The inverse of [`encode`]; trailing bytes are an error.
pub(super) fn decode<T: DeserializeOwned>(version: u8, bytes: &[u8]) -> Result<T, WireError> {
    match bytes.split_first() {
        None => Err(WireError::Empty),
        Some((&found, _)) if found != version => Err(WireError::Version(found)),
        Some((_, rest)) => match postcard::take_from_bytes(rest)? {
            (value, []) => Ok(value),
            (_, trailing) => {
                Err(WireError::Malformed(format!("{} bytes too many", trailing.len())))
            }
        },
    }
}

/// Compresses with zstd.
pub fn deflate(bytes: &[u8], level: i32) -> Vec<u8> {
    zstd::bulk::compress(bytes, level).expect("compressing memory does not fail")
}

/// Inflates at most `limit` bytes and stops there, whatever the header of the frame claims.
pub fn inflate(bytes: &[u8], limit: usize) -> Result<Vec<u8>, WireError> {
    let malformed = |error: std::io::Error| WireError::Malformed(error.to_string());
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(malformed)?;
    decoder.window_log_max(24).map_err(malformed)?;
    let mut inflated = Vec::new();
    decoder.take(limit as u64 + 1).read_to_end(&mut inflated).map_err(malformed)?;
    if inflated.len() > limit { Err(WireError::TooLarge { limit }) } else { Ok(inflated) }
}

/// A sequence that is refused as soon as it has more than `MAX` items.
pub(super) fn at_most<'de, const MAX: usize, T, D>(from: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    from.deserialize_seq(AtMost::<MAX, T>(PhantomData))
}

struct AtMost<const MAX: usize, T>(PhantomData<T>);

impl<'de, const MAX: usize, T: Deserialize<'de>> Visitor<'de> for AtMost<MAX, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MAX} items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element()? {
            if values.len() == MAX {
                return Err(de::Error::invalid_length(MAX + 1, &self));
            }
            values.push(value);
        }
        Ok(values)
    }
}
