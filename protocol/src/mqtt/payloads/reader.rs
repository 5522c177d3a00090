//! Reads the members of a JSON object and says precisely what is wrong with one.

use super::MAX_PAYLOAD_BYTES;
use super::strict::Strict;
use serde_json::{Map, Value};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Why a payload cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// `malformed`, `missing`, `wrong_type`, `out_of_range`, `too_many`, `too_long`, `unknown_value` or
    /// `too_large`.
    pub code: &'static str,
    /// The field that is wrong, if it is one, e.g. `[3].speed_mps`.
    pub field: Option<String>,
    /// In words.
    pub message: String,
}

impl Refusal {
    pub(super) fn malformed(error: impl Display) -> Self {
        Self {
            code: "malformed",
            field: None,
            message: format!("the payload is malformed: {error}"),
        }
    }

    pub(super) fn too_large() -> Self {
        let message = format!("the payload is larger than {MAX_PAYLOAD_BYTES} bytes");
        Self { code: "too_large", field: None, message }
    }
}

/// Refuses what is too large before anything looks at it.
pub(super) fn check_size(payload: &[u8]) -> Result<(), Refusal> {
    if payload.len() > MAX_PAYLOAD_BYTES { Err(Refusal::too_large()) } else { Ok(()) }
}

/// The JSON value of a payload of allowed size, with no key twice.
pub(super) fn value(payload: &[u8]) -> Result<Value, Refusal> {
    check_size(payload)?;
    serde_json::from_slice::<Strict>(payload).map(|strict| strict.0).map_err(Refusal::malformed)
}

/// The JSON object of a payload.
pub(super) fn object(payload: &[u8]) -> Result<Object, Refusal> {
    Object::of(value(payload)?, String::new())
}

/// An object and where it is.
pub(super) struct Object {
    map: Map<String, Value>,
    /// What the path of a member starts with, e.g. `[3].`.
    prefix: String,
}

impl Object {
    /// `prefix` is empty or ends in a dot.
    pub(super) fn of(value: Value, prefix: String) -> Result<Self, Refusal> {
        match value {
            Value::Object(map) => Ok(Self { map, prefix }),
            _ => Err(Refusal {
                code: "wrong_type",
                field: prefix.strip_suffix('.').map(str::to_owned),
                message: "an object is expected".to_owned(),
            }),
        }
    }

    pub(super) fn refuse(&self, code: &'static str, name: &str, what: impl Display) -> Refusal {
        let field = format!("{}{name}", self.prefix);
        Refusal { code, message: format!("{field} {what}"), field: Some(field) }
    }

    /// A member that must be there.
    pub(super) fn required<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self, &str) -> Result<Option<T>, Refusal>,
    ) -> Result<T, Refusal> {
        read(self, name)?.ok_or_else(|| self.refuse("missing", name, "is missing"))
    }

    /// A member that is there and not null.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, Refusal> {
        let prefix = format!("{}{name}.", self.prefix);
        self.take(name).map(|value| Self::of(value, prefix)).transpose()
    }

    pub(super) fn number(
        &mut self,
        name: &str,
        range: RangeInclusive<f64>,
    ) -> Result<Option<f64>, Refusal> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number =
            value.as_f64().ok_or_else(|| self.refuse("wrong_type", name, "is no number"))?;
        if range.contains(&number) {
            Ok(Some(number))
        } else {
            let what = format!("is not between {} and {}", range.start(), range.end());
            Err(self.refuse("out_of_range", name, what))
        }
    }

    /// A whole number, which may be written as `3.0`.
    pub(super) fn integer<T>(
        &mut self,
        name: &str,
        range: RangeInclusive<T>,
    ) -> Result<Option<T>, Refusal>
    where
        T: TryFrom<i128> + PartialOrd + Display,
    {
        let Some(value) = self.take(name) else { return Ok(None) };
        let whole =
            whole(&value).ok_or_else(|| self.refuse("wrong_type", name, "is no whole number"))?;
        match T::try_from(whole) {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => {
                let what = format!("is not between {} and {}", range.start(), range.end());
                Err(self.refuse("out_of_range", name, what))
            }
        }
    }

    pub(super) fn boot(&mut self) -> Result<Option<u32>, Refusal> {
        self.integer("boot", 0..=u32::MAX)
    }

    pub(super) fn text(&mut self, name: &str, longest: usize) -> Result<Option<String>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.chars().count() <= longest => Ok(Some(text)),
            Some(Value::String(_)) => {
                let what = format!("is longer than {longest} characters");
                Err(self.refuse("too_long", name, what))
            }
            Some(_) => Err(self.refuse("wrong_type", name, "is no text")),
        }
    }

    /// One of the words that `T` knows.
    pub(super) fn word<T: serde::de::DeserializeOwned>(
        &mut self,
        name: &str,
        known: &str,
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text(name, usize::MAX)? else { return Ok(None) };
        serde_json::from_value(Value::String(text))
            .map(Some)
            .map_err(|_| self.refuse("unknown_value", name, format!("is none of {known}")))
    }

    pub(super) fn uuid<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Refusal> {
        let Some(text) = self.text(name, usize::MAX)? else { return Ok(None) };
        let is_plain = text.len() == 36;
        text.parse()
            .ok()
            .filter(|_| is_plain)
            .map(Some)
            .ok_or_else(|| self.refuse("wrong_type", name, "is no UUID"))
    }

    /// Bytes written in hexadecimal digits of either case.
    pub(super) fn hex(&mut self, name: &str) -> Result<Option<Vec<u8>>, Refusal> {
        let Some(text) = self.text(name, usize::MAX)? else { return Ok(None) };
        let what = "is no even number of hexadecimal digits";
        hex::decode(text).map(Some).map_err(|_| self.refuse("wrong_type", name, what))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small enough")]
fn whole(value: &Value) -> Option<i128> {
    let from_float = || {
        value
            .as_f64()
            .filter(|number| number.fract() == 0.0 && number.abs() < 1e30)
            .map(|number| number as i128)
    };
    value.as_u64().map(i128::from).or_else(|| value.as_i64().map(i128::from)).or_else(from_float)
}
