//! The schema of a sample, from the table of its fields.

use crate::machine::{FIELDS, Field, FieldSpec};
use crate::mqtt::payloads::MAX_SAMPLES_PER_MESSAGE;
use serde_json::{Map, Value, json};

/// One sample, or an array of them.
pub(super) fn telemetry() -> Value {
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "description": "One sample, or an array of samples; if one of them is wrong, all are refused.",
    });
    schema["oneOf"] = json!([
        sample(),
        {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_SAMPLES_PER_MESSAGE,
            "items": sample(),
        },
    ]);
    schema
}

fn sample() -> Value {
    let mut properties = Map::new();
    properties.insert(
        "seq".to_owned(),
        whole(
            "Counts up by one per device over telemetry and sets together.",
            &json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX }),
        ),
    );
    properties.insert(
        "boot".to_owned(),
        whole(
            "Random, new at every boot of the device. Exactly-once needs it.",
            &json!({ "type": ["integer", "null"], "minimum": 0, "maximum": u32::MAX }),
        ),
    );
    properties.insert(
        "at_ms".to_owned(),
        whole(
            "Unix milliseconds by the device's own clock; leave it out without one.",
            &json!({ "type": ["integer", "null"] }),
        ),
    );
    properties.insert(
        "uptime_ms".to_owned(),
        whole(
            "Milliseconds since the device's boot, by a clock that never steps.",
            &json!({ "type": ["integer", "null"], "minimum": 0, "maximum": u64::MAX }),
        ),
    );
    for spec in &FIELDS {
        properties.insert(spec.name.to_owned(), field(spec));
    }
    json!({
        "title": "Sample",
        "type": "object",
        "required": ["seq"],
        "properties": properties,
    })
}

fn whole(description: &str, schema: &Value) -> Value {
    let mut schema = schema.clone();
    schema["description"] = json!(description);
    schema
}

fn field(spec: &FieldSpec) -> Value {
    let (unit, meaning) = meaning(spec.field);
    let description = format!("{meaning} Unit: {unit}. Resolution: {}.", 1.0 / spec.scale);
    let (min, max) = (spec.min, spec.max);
    match spec.field {
        Field::Reps => json!({
            "description": description,
            "type": ["integer", "null"],
            "minimum": min,
            "maximum": max,
        }),
        Field::HeartRateBpm => json!({
            "description": description,
            "oneOf": [
                { "type": "number", "minimum": min, "maximum": max },
                { "const": 0 },
                { "type": "null" },
            ],
        }),
        _ => json!({
            "description": description,
            "type": ["number", "null"],
            "minimum": min,
            "maximum": max,
        }),
    }
}

fn meaning(field: Field) -> (&'static str, &'static str) {
    match field {
        Field::ElapsedS => ("s", "Time since the exercise began; a counter."),
        Field::DistanceM => ("m", "Distance since the exercise began; a counter."),
        Field::EnergyKcal => ("kcal", "Energy since the exercise began; a counter."),
        Field::Reps => ("1", "Repetitions within the running set; a counter."),
        Field::SpeedMps => ("m/s", "Present speed."),
        Field::InclinePct => ("%", "Present incline."),
        Field::Resistance => ("1", "Present resistance, on the console's own scale."),
        Field::CadenceRpm => ("1/min", "Present cadence: turns or steps a minute."),
        Field::StrokeRateSpm => ("1/min", "Present stroke rate."),
        Field::PowerW => ("W", "Present power."),
        Field::HeartRateBpm => ("1/min", "Present heart rate; 0 means no contact, and is dropped."),
        Field::WeightKg => ("kg", "Load selected."),
    }
}
