//! Raw frames of consoles (topics `ftms` and `csafe`): each becomes one sample with what that frame has.
//!
//! A record that comes in several notifications is several samples: nothing that is acked may wait in memory for
//! what perhaps never comes. Even an empty frame is a sample, so that its number is known if it comes again.

use protocol::machine::Fields;
use protocol::machine::csafe::{self, CsafeError, Dialect, Trouble};
use protocol::machine::ftms::{self, Characteristic, FtmsError};
use protocol::machine::{FIELDS, Field};
use protocol::mqtt::payloads::{RawFrame, Refusal};

/// The setting that lists machines (by code) which send the layout of a bike as cross trainer data. Most are found
/// out by the length of their notifications; it is for those whose length fits both.
pub const BIKE_LAYOUT: &str = "ftms_bike_layout";

/// What an FTMS notification measures.
pub fn ftms(frame: &RawFrame<'_>, sends_bike_layout: bool) -> Result<Fields, Refusal> {
    let (uuid, value) = frame.ftms()?;
    let characteristic = match Characteristic::of_uuid(uuid) {
        Some(Characteristic::CrossTrainer) if sends_bike_layout => Characteristic::IndoorBike,
        Some(known) => known,
        None => {
            let message = format!("the characteristic {uuid:04X} is no measurement of a machine");
            return Err(Refusal { code: "unsupported", field: None, message });
        }
    };
    let decoded = ftms::decode(characteristic, value).map_err(|error| {
        let (code, field) = match &error {
            FtmsError::TooShort | FtmsError::Length { .. } => ("malformed", None),
            FtmsError::UnknownFlags { .. } => ("unsupported", None),
            FtmsError::OutOfRange(field) => ("out_of_range", Some(*field)),
        };
        refusal(code, field, error.to_string())
    })?;
    Ok(decoded.fields)
}

/// What an answer of a CSAFE console measures.
pub fn csafe(frame: &RawFrame<'_>) -> Result<Fields, Refusal> {
    let reading = csafe::decode(frame.body, Dialect::default()).map_err(|error| {
        let (code, field) = match &error {
            CsafeError::Trouble(Trouble::OutOfRange { field, .. }) => {
                ("out_of_range", Some(*field))
            }
            CsafeError::Trouble(Trouble::UnknownUnit { .. } | Trouble::UnfitUnit { .. }) => {
                ("unknown_value", None)
            }
            _ => ("malformed", None),
        };
        refusal(code, field, error.to_string())
    })?;
    Ok(reading.fields)
}

fn refusal(code: &'static str, field: Option<Field>, message: String) -> Refusal {
    Refusal { code, field: field.map(|field| FIELDS[field as usize].name.to_owned()), message }
}

/// Whether a machine is in the list of [`BIKE_LAYOUT`].
pub fn is_listed(setting: Option<&str>, code: &str) -> bool {
    let codes = setting.and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
    codes.is_some_and(|codes| codes.iter().any(|listed| listed == code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(body: &[u8]) -> RawFrame<'_> {
        RawFrame { boot: 1, seq: 2, uptime_ms: 3, body }
    }

    fn refused(fields: Result<Fields, Refusal>) -> (&'static str, Option<String>) {
        let refusal = fields.unwrap_err();
        (refusal.code, refusal.field)
    }

    #[test]
    fn every_wrong_notification_is_refused_with_its_reason() {
        let ftms = |body: &[u8]| refused(ftms(&frame(body), false));

        assert_eq!(ftms(&[0xDA, 0x2A, 1]), ("unsupported", None));
        assert_eq!(ftms(&[0xD2, 0x2A]), ("malformed", None));
        assert_eq!(ftms(&[0xD2, 0x2A, 0x44, 0, 1]), ("malformed", None));
        assert_eq!(ftms(&[0xD2, 0x2A, 0x20, 0x20, 1, 0, 1, 0, 9]), ("unsupported", None));
        let speed = Some("speed_mps".to_owned());
        assert_eq!(ftms(&[0xCD, 0x2A, 0, 0, 0x40, 0x9C]), ("out_of_range", speed));
    }

    #[test]
    fn every_wrong_answer_is_refused_with_its_reason() {
        let csafe = |body: &[u8]| refused(csafe(&frame(body)));

        assert_eq!(csafe(&[0xF1, 0x85, 0x84, 0xF2]), ("malformed", None));
        assert_eq!(csafe(&[0xF1, 0x00, 0xF2]), ("malformed", None));
        let unknown_unit =
            [0xF1, 0x85, 0xA5, 3, 1, 0, 0x99, 0x85 ^ 0xA5 ^ 0x03 ^ 0x01 ^ 0x99, 0xF2];
        assert_eq!(csafe(&unknown_unit), ("unknown_value", None));
        let heart_rate = [0xF1, 0x85, 0xB0, 1, 12, 0x85 ^ 0xB0 ^ 0x01 ^ 0x0C, 0xF2];
        let field = Some("heart_rate_bpm".to_owned());
        assert_eq!(csafe(&heart_rate), ("out_of_range", field));
    }

    #[test]
    fn a_listed_machine_is_read_as_a_bike_where_the_length_fits_both() {
        // As a bike 10 rpm and 6 W, standing still; as a cross trainer an empty tail.
        let body = [0xCE, 0x2A, 0x44, 0x00, 0x00, 0x00, 0x14, 0x00, 0x06, 0x00];
        let listed = is_listed(Some(r#"["elliptical-1","elliptical-3"]"#), "elliptical-3");

        let fields = ftms(&frame(&body), listed).unwrap();

        assert_eq!(fields.value(Field::PowerW), Some(6.0));
        assert!(!is_listed(Some(r#"["elliptical-1"]"#), "elliptical-3"));
        assert!(!is_listed(Some("nonsense"), "elliptical-3") && !is_listed(None, "x"));
    }
}
