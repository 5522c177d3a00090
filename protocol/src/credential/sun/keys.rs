//! The keys of an organization's NTAG 424 DNA cards, as the setting `sun_keys` carries them.

use super::UID_BYTES;
use super::derive::{self, MAX_SYSTEM_BYTES};
use serde_json::{Map, Value};
use std::fmt;
use zeroize::Zeroizing;

/// An AES-128 key; wiped when it is dropped.
pub(super) type Key = Zeroizing<[u8; 16]>;

/// The file key of a card among sdm-backend's numbers.
const DEFAULT_KEY_NO: u8 = 2;
/// The longest text that a MAC may cover.
const MAX_TEMPLATE_CHARS: usize = 200;

/// How a card's own key is made from the master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Diversify {
    /// All cards have the master key itself: for trials.
    None,
    /// NXP AN10922, AES-128.
    An10922 {
        /// What follows the card's number: application and system identifier, 0 to 24 bytes.
        system: Vec<u8>,
    },
    /// HMAC-SHA256 and CMAC, as the project sdm-backend has it.
    Hmac {
        /// The number of the key on the card.
        key_no: u8,
    },
}

/// What the MAC covers: the text of the card's address between two offsets that were set when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MacInput {
    /// Nothing; with encrypted file data, those digits and `&cmac=`.
    Standard,
    /// A text in which `{picc}` and `{enc}` stand for the digits of the message.
    Template(String),
}

/// The keys of an organization's cards. Nothing of them is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SunKeys {
    meta: Key,
    file_master: Key,
    diversify: Diversify,
    pub(super) mac_input: MacInput,
}

impl SunKeys {
    /// `meta` decrypts number and counter and is the same for all cards; each card's key is made from
    /// `file_master`.
    pub fn new(
        meta: [u8; 16],
        file_master: [u8; 16],
        diversify: Diversify,
        mac_input: MacInput,
    ) -> Self {
        Self { meta: Key::new(meta), file_master: Key::new(file_master), diversify, mac_input }
    }

    /// Reads the setting: `{"meta":HEX,"file_master":HEX,"diversify":"an10922"|"hmac"|"none","system"?:HEX,
    /// "key_no"?:2,"mac_input"?:TEXT}`, or `null` for no keys. With `hmac`, `meta` may be left out and is
    /// made from the master. An error names the field and never shows a value.
    pub fn parse(json: &str) -> Result<Option<Self>, String> {
        let fields: Option<Map<String, Value>> =
            serde_json::from_str(json).map_err(|_| "is no JSON object".to_owned())?;
        fields.map(Self::of_fields).transpose()
    }

    fn of_fields(mut fields: Map<String, Value>) -> Result<Self, String> {
        let file_master = key(&mut fields, "file_master")?.ok_or("needs file_master")?;
        let diversify = diversify(&mut fields)?;
        let meta = match (key(&mut fields, "meta")?, &diversify) {
            (Some(meta), _) => meta,
            (None, Diversify::Hmac { .. }) => derive::hmac_of_all(&file_master),
            (None, _) => return Err("needs meta".to_owned()),
        };
        let mac_input = match text(&mut fields, "mac_input")? {
            None => MacInput::Standard,
            Some(text) => MacInput::template(&text)?,
        };
        match fields.keys().next() {
            None => Ok(Self { meta, file_master, diversify, mac_input }),
            Some(_) => Err(
                "has a field besides meta, file_master, diversify, system, key_no, mac_input; or one of them \
                 does not go with diversify"
                    .to_owned(),
            ),
        }
    }

    /// The key for number and counter that is written to every card. Wiped when it is dropped; not for logs.
    pub fn meta(&self) -> &Zeroizing<[u8; 16]> {
        &self.meta
    }

    /// The key with which only the card with this number makes MACs, as it is written to the card. Wiped when it is
    /// dropped; not for logs.
    pub fn file_key(&self, uid: [u8; UID_BYTES]) -> Zeroizing<[u8; 16]> {
        match &self.diversify {
            Diversify::None => self.file_master.clone(),
            Diversify::An10922 { system } => derive::an10922(&self.file_master, uid, system),
            Diversify::Hmac { key_no } => derive::hmac_of_card(&self.file_master, uid, *key_no),
        }
    }
}

impl MacInput {
    fn template(text: &str) -> Result<Self, String> {
        if text.chars().count() <= MAX_TEMPLATE_CHARS {
            Ok(Self::Template(text.to_owned()))
        } else {
            Err(format!("mac_input is longer than {MAX_TEMPLATE_CHARS} characters"))
        }
    }

    /// Upper-case digits: so the card writes them.
    pub(super) fn of(&self, picc_data: &[u8], enc: Option<&[u8]>) -> Vec<u8> {
        let enc = enc.map(hex::encode_upper);
        match (self, enc) {
            (Self::Standard, None) => Vec::new(),
            (Self::Standard, Some(enc)) => format!("{enc}&cmac=").into_bytes(),
            (Self::Template(text), enc) => text
                .replace("{picc}", &hex::encode_upper(picc_data))
                .replace("{enc}", &enc.unwrap_or_default())
                .into_bytes(),
        }
    }
}

fn diversify(fields: &mut Map<String, Value>) -> Result<Diversify, String> {
    match text(fields, "diversify")?.as_deref().map(String::as_str) {
        Some("none") => Ok(Diversify::None),
        Some("an10922") => Ok(Diversify::An10922 { system: system(fields)? }),
        Some("hmac") => Ok(Diversify::Hmac { key_no: key_no(fields)? }),
        _ => Err("needs diversify: an10922, hmac or none".to_owned()),
    }
}

fn system(fields: &mut Map<String, Value>) -> Result<Vec<u8>, String> {
    let digits = text(fields, "system")?.unwrap_or_default();
    hex::decode(digits.as_str()).ok().filter(|system| system.len() <= MAX_SYSTEM_BYTES).ok_or_else(
        || format!("system is not at most {MAX_SYSTEM_BYTES} bytes in hexadecimal digits"),
    )
}

fn key_no(fields: &mut Map<String, Value>) -> Result<u8, String> {
    let Some(number) = fields.remove("key_no") else { return Ok(DEFAULT_KEY_NO) };
    let number = number.as_u64().and_then(|number| u8::try_from(number).ok());
    number.filter(|number| *number <= 4).ok_or_else(|| "key_no is not 0 to 4".to_owned())
}

fn key(fields: &mut Map<String, Value>, name: &str) -> Result<Option<Key>, String> {
    let Some(digits) = text(fields, name)? else { return Ok(None) };
    let mut key = Key::default();
    hex::decode_to_slice(digits.as_bytes(), key.as_mut_slice())
        .map(|()| Some(key))
        .map_err(|_| format!("{name} is not 32 hexadecimal digits"))
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<Option<Zeroizing<String>>, String> {
    match fields.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(Zeroizing::new(text))),
        Some(_) => Err(format!("{name} is no text")),
    }
}

/// Nothing of the keys.
impl fmt::Debug for SunKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SunKeys")
            .field("diversify", &self.diversify)
            .field("mac_input", &self.mac_input)
            .finish_non_exhaustive()
    }
}
