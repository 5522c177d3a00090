//! Records that a machine delivers over HTTPS: JSON to sets and samples, by the parsers and ranges of MQTT.

use protocol::machine::Sample;
use protocol::mqtt::payloads::{self, Refusal, SetPayload};
use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// A record that can be stored.
#[derive(Debug, Clone)]
pub struct Record {
    /// The machine's own, new for each record.
    pub id: Uuid,
    pub content: Content,
}

/// What was measured, with Unix milliseconds.
#[derive(Debug, Clone)]
pub enum Content {
    Set(SetPayload, i64),
    Samples(Vec<(Sample, i64)>),
}

/// A record that cannot, and what is wrong with it.
#[derive(Debug, Clone)]
pub struct Refused {
    pub id: Option<Uuid>,
    pub code: &'static str,
    pub field: Option<String>,
    pub message: String,
}

/// Which times are believed.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub now: OffsetDateTime,
    pub oldest: OffsetDateTime,
}

/// A machine's clock may be ahead by so much.
const AHEAD: Duration = Duration::minutes(2);

impl Record {
    /// Reads one.
    pub fn read(value: &Value, window: Window) -> Result<Self, Refused> {
        let Value::Object(members) = value else {
            return Err(refused(None, "wrong_type", None, "an object is expected"));
        };
        let mut members = members.clone();
        let id = members.remove("id");
        let id = id.as_ref().and_then(Value::as_str).and_then(|text| text.parse::<Uuid>().ok());
        let Some(id) = id.filter(|id| !id.is_nil()) else {
            return Err(refused(None, "wrong_type", Some("id"), "id is no UUID"));
        };
        let content = match members.remove("kind").as_ref().and_then(Value::as_str) {
            Some("set") => read_set(members, window),
            Some("samples") => read_samples(&members, id, window),
            _ => Err(told("unknown_value", "kind", "kind is neither set nor samples")),
        };
        let content = content.map_err(|refusal| Refused {
            id: Some(id),
            code: refusal.code,
            field: refusal.field,
            message: refusal.message,
        })?;
        Ok(Self { id, content })
    }
}

fn refused(id: Option<Uuid>, code: &'static str, field: Option<&str>, message: &str) -> Refused {
    Refused { id, code, field: field.map(str::to_owned), message: message.to_owned() }
}

fn told(code: &'static str, field: &str, message: &str) -> Refusal {
    Refusal { code, field: Some(field.to_owned()), message: message.to_owned() }
}

fn read_set(mut members: Map<String, Value>, window: Window) -> Result<Content, Refusal> {
    let at_ms = taken_at(&mut members, "at", window)?;
    members.insert("seq".to_owned(), json!(0));
    let set = payloads::parse_set(Value::Object(members).to_string().as_bytes())?;
    Ok(Content::Set(set, at_ms))
}

/// A sample is known again by its record and place.
fn read_samples(
    members: &Map<String, Value>,
    id: Uuid,
    window: Window,
) -> Result<Content, Refusal> {
    let Some(Value::Array(samples)) = members.get("samples") else {
        return Err(told("missing", "samples", "samples is no list"));
    };
    let boot = id.as_fields().0
        ^ u32::from_be_bytes([
            id.as_bytes()[12],
            id.as_bytes()[13],
            id.as_bytes()[14],
            id.as_bytes()[15],
        ]);
    let mut times_ms = Vec::with_capacity(samples.len());
    let mut plain = Vec::with_capacity(samples.len());
    for (place, sample) in samples.iter().enumerate() {
        let name = format!("[{place}].at");
        let Value::Object(sample) = sample else {
            return Err(told("wrong_type", &format!("[{place}]"), "an object is expected"));
        };
        let mut sample = sample.clone();
        times_ms.push(taken_at(&mut sample, &name, window)?);
        sample.insert("seq".to_owned(), json!(place));
        sample.insert("boot".to_owned(), json!(boot));
        sample.remove("at_ms");
        sample.remove("uptime_ms");
        plain.push(Value::Object(sample));
    }
    let samples = payloads::parse_telemetry(Value::Array(plain).to_string().as_bytes())?;
    Ok(Content::Samples(samples.into_iter().zip(times_ms).collect()))
}

/// Unix milliseconds of `at`; of a machine without a clock, now.
fn taken_at(members: &mut Map<String, Value>, name: &str, window: Window) -> Result<i64, Refusal> {
    let at = match members.remove("at") {
        None | Some(Value::Null) => window.now,
        Some(value) => {
            let parsed = value.as_str().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
            parsed.ok_or_else(|| told("wrong_type", name, "at is no time of RFC 3339"))?
        }
    };
    if at > window.now + AHEAD {
        return Err(told("out_of_range", name, "at is in the future"));
    }
    if at < window.oldest {
        return Err(told("too_late", name, "at is older than what is kept"));
    }
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000)
        .map_err(|_| told("out_of_range", name, "at is no time that anybody lived in"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const WINDOW: Window =
        Window { now: datetime!(2026-11-22 12:00 UTC), oldest: datetime!(2026-01-01 00:00 UTC) };

    fn read(mut record: Value) -> Result<Record, (&'static str, Option<String>)> {
        record["id"] = json!("0193a2b0-0000-7000-8000-000000000001");
        Record::read(&record, WINDOW).map_err(|refused| (refused.code, refused.field))
    }

    #[test]
    fn a_set_is_read_by_the_rules_of_mqtt() {
        let set =
            json!({"kind": "set", "at": "2026-11-22T11:00:00Z", "reps": 10, "weight_kg": 62.5});

        let record = read(set).unwrap();

        let Content::Set(set, at_ms) = record.content else { panic!("{record:?}") };
        assert_eq!((set.reps, set.weight_cg, at_ms), (10, Some(6_250), 1_795_345_200_000));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let field = |name: &str| Some(name.to_owned());
        for (record, wrong) in [
            (json!({"kind": "set"}), ("missing", field("reps"))),
            (
                json!({"kind": "set", "reps": 1, "weight_kg": 1001}),
                ("out_of_range", field("weight_kg")),
            ),
            (json!({"kind": "jump"}), ("unknown_value", field("kind"))),
            (json!({"kind": "set", "reps": 1, "at": "noon"}), ("wrong_type", field("at"))),
            (
                json!({"kind": "set", "reps": 1, "at": "2026-11-22T12:03:00Z"}),
                ("out_of_range", field("at")),
            ),
            (
                json!({"kind": "set", "reps": 1, "at": "2025-11-22T12:00:00Z"}),
                ("too_late", field("at")),
            ),
            (json!({"kind": "samples"}), ("missing", field("samples"))),
            (
                json!({"kind": "samples", "samples": [{"power_w": 1}, {"power_w": 9000}]}),
                ("out_of_range", field("[1].power_w")),
            ),
        ] {
            assert_eq!(read(record.clone()).unwrap_err(), wrong, "{record}");
        }
        assert_eq!(Record::read(&json!([]), WINDOW).unwrap_err().code, "wrong_type");
        assert_eq!(Record::read(&json!({"id": 1}), WINDOW).unwrap_err().field, field("id"));
    }
}
