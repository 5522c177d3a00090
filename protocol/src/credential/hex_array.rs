//! Bytes as hexadecimal digits in JSON.

use serde::Serializer;

pub(crate) fn bytes<S: Serializer>(bytes: impl AsRef<[u8]>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&hex::encode(bytes))
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
pub(crate) fn option_bytes<S: Serializer>(
    bytes: &Option<Vec<u8>>,
    to: S,
) -> Result<S::Ok, S::Error> {
    match bytes {
        Some(bytes) => to.serialize_str(&hex::encode(bytes)),
        None => to.serialize_none(),
    }
}

/// For a nonce that may be absent.
pub(crate) mod option {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(crate) fn serialize<S: Serializer>(
        nonce: &Option<[u8; 16]>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match nonce {
            Some(nonce) => to.serialize_str(&hex::encode(nonce)),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<[u8; 16]>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
        let mut nonce = [0; 16];
        hex::decode_to_slice(text, &mut nonce).map_err(D::Error::custom)?;
        Ok(Some(nonce))
    }
}
