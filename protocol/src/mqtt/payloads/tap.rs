//! What readers send: taps, and questions for a nonce.

use super::reader::{self, Object, Refusal};
use super::{MAX_NAME_CHARS, MAX_QR_CHARS};
use crate::credential::{Credential, hex_array};
use crate::ids::TapId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A credential was presented.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TapPayload {
    /// Identifies the presentation.
    pub tap_id: TapId,
    /// What was presented.
    pub credential: Credential,
    /// Milliseconds since the presentation, by the sender's monotonic clock.
    pub age_ms: u32,
}

impl TapPayload {
    /// The tap as it is sent.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("a tap has nothing that JSON lacks")
    }
}

/// The payload of a tap.
pub fn tap_json(tap_id: TapId, credential: &Credential, age_ms: u32) -> Vec<u8> {
    let tap = TapPayload { tap_id, credential: credential.clone(), age_ms };
    serde_json::to_vec(&tap).expect("a tap has nothing that JSON lacks")
}

/// A tap.
pub fn parse_tap(payload: &[u8]) -> Result<TapPayload, Refusal> {
    let mut object = reader::object(payload)?;
    Ok(TapPayload {
        tap_id: object.required("tap_id", Object::uuid)?,
        credential: credential(object.required("credential", Object::object)?)?,
        age_ms: object.required("age_ms", |object, name| object.integer(name, 0..=u32::MAX))?,
    })
}

fn credential(mut object: Object) -> Result<Credential, Refusal> {
    let kind = object.required("kind", |object, name| object.text(name, usize::MAX))?;
    match kind.as_str() {
        "nfc_uid" => nfc_uid(object),
        "sun" => sun(object),
        "qr" => qr(object),
        "hce" => hce(object),
        _ => Err(object.refuse("unknown_value", "kind", "is none of nfc_uid, sun, qr, hce")),
    }
}

fn nfc_uid(mut object: Object) -> Result<Credential, Refusal> {
    let uid = object.required("uid", Object::hex)?;
    if matches!(uid.len(), 4 | 7 | 10) {
        Ok(Credential::NfcUid { uid })
    } else {
        Err(object.refuse("out_of_range", "uid", "is not 4, 7 or 10 bytes"))
    }
}

fn sun(mut object: Object) -> Result<Credential, Refusal> {
    let picc_data = object.required("picc_data", Object::hex_array)?;
    let enc = object.hex("enc")?;
    if enc.as_ref().is_some_and(|enc| !matches!(enc.len(), 16 | 32 | 48 | 64)) {
        return Err(object.refuse("out_of_range", "enc", "is not 16, 32, 48 or 64 bytes"));
    }
    let cmac = object.required("cmac", Object::hex_array)?;
    Ok(Credential::Sun { picc_data, enc, cmac })
}

fn qr(mut object: Object) -> Result<Credential, Refusal> {
    let code = object.required("code", |object, name| object.text(name, MAX_QR_CHARS))?;
    if code.is_empty() {
        return Err(object.refuse("out_of_range", "code", "is empty"));
    }
    if code.chars().any(char::is_control) {
        return Err(object.refuse("out_of_range", "code", "has characters that cannot be printed"));
    }
    Ok(Credential::Qr { code })
}

fn hce(mut object: Object) -> Result<Credential, Refusal> {
    Ok(Credential::Hce {
        nonce: object.required("nonce", |object, name| object.hex_of(name, 16, 32))?,
        token: object.required("token", |object, name| object.hex_of(name, 1, 64))?,
        signature: object.required("signature", |object, name| object.hex_of(name, 1, 80))?,
    })
}

impl Object {
    fn hex_array<const N: usize>(&mut self, name: &str) -> Result<Option<[u8; N]>, Refusal> {
        let Some(bytes) = self.hex(name)? else { return Ok(None) };
        <[u8; N]>::try_from(bytes)
            .map(Some)
            .map_err(|_| self.refuse("out_of_range", name, format!("is not {N} bytes")))
    }

    fn hex_of(&mut self, name: &str, min: usize, max: usize) -> Result<Option<Vec<u8>>, Refusal> {
        let Some(bytes) = self.hex(name)? else { return Ok(None) };
        if (min..=max).contains(&bytes.len()) {
            Ok(Some(bytes))
        } else {
            Err(self.refuse("out_of_range", name, format!("is not {min} to {max} bytes")))
        }
    }
}

/// A nonce for a phone: the reader asks with a request id alone, the agent answers with all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Challenge {
    /// The reader's own name for its question, at most 64 characters.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_NAME_CHARS)))]
    pub request_id: String,
    /// 16 random bytes; only in the answer.
    #[serde(default, with = "hex_array::option", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<String>", regex(pattern = r"^[0-9a-fA-F]{32}$"))
    )]
    pub nonce: Option<[u8; 16]>,
    /// Milliseconds for which the nonce is good; only in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_ms: Option<u32>,
    /// The short number of the branch, which the phone signs together with the nonce; only in the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site_no: Option<u16>,
}

/// A question for a nonce, or an answer to one.
pub fn parse_challenge(payload: &[u8]) -> Result<Challenge, Refusal> {
    let mut object = reader::object(payload)?;
    Ok(Challenge {
        request_id: object
            .required("request_id", |object, name| object.text(name, MAX_NAME_CHARS))?,
        nonce: object.hex_array("nonce")?,
        valid_ms: object.integer("valid_ms", 0..=u32::MAX)?,
        site_no: object.integer("site_no", 0..=u16::MAX)?,
    })
}
