//! Texts of fields that have a type of their own.

use super::error::{Error, Result};
use std::fmt::Display;
use std::str::FromStr;

/// The value of a field; what it is not is told with the field's name.
pub fn parse<T: FromStr<Err: Display>>(field: &'static str, text: &str) -> Result<T> {
    text.parse().map_err(|error: T::Err| Error::Field {
        field,
        code: "invalid",
        message: error.to_string(),
    })
}

/// The same for a field that may be left out.
pub fn parse_optional<T: FromStr<Err: Display>>(
    field: &'static str,
    text: Option<&str>,
) -> Result<Option<T>> {
    text.map(|text| parse(field, text)).transpose()
}
