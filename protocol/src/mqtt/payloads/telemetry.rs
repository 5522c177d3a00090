//! Samples in JSON. This is the hot path: one pass over the bytes into plain fields; only a message that
//! fails is read again, slowly, to find out what is wrong with it.

use super::reader::{self, Object, Refusal};
use crate::machine::{FIELDS, Field, Fields, Sample};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use std::fmt;

/// A message has at most this many samples.
pub const MAX_SAMPLES_PER_MESSAGE: usize = 512;

/// A sample as it is written.
#[derive(serde::Deserialize)]
struct Plain {
    seq: Option<u64>,
    boot: Option<u32>,
    at_ms: Option<i64>,
    uptime_ms: Option<u64>,
    elapsed_s: Option<f64>,
    distance_m: Option<f64>,
    energy_kcal: Option<f64>,
    reps: Option<f64>,
    speed_mps: Option<f64>,
    incline_pct: Option<f64>,
    resistance: Option<f64>,
    cadence_rpm: Option<f64>,
    stroke_rate_spm: Option<f64>,
    power_w: Option<f64>,
    heart_rate_bpm: Option<f64>,
    weight_kg: Option<f64>,
}

impl Plain {
    /// The sample, if everything about it is right.
    fn check(&self) -> Option<Sample> {
        let values = [
            self.elapsed_s,
            self.distance_m,
            self.energy_kcal,
            self.reps,
            self.speed_mps,
            self.incline_pct,
            self.resistance,
            self.cadence_rpm,
            self.stroke_rate_spm,
            self.power_w,
            self.heart_rate_bpm.filter(|&bpm| bpm != 0.0),
            self.weight_kg,
        ];
        let mut fields = Fields::default();
        for (spec, value) in FIELDS.iter().zip(values) {
            let Some(value) = value else { continue };
            if !(spec.min..=spec.max).contains(&value) {
                return None;
            }
            fields.set(spec.field, value);
        }
        let is_whole = self.reps.is_none_or(|reps| reps.fract() == 0.0);
        let seq = self.seq.filter(|_| is_whole)?;
        Some(Sample { seq, boot: self.boot, at_ms: self.at_ms, uptime_ms: self.uptime_ms, fields })
    }
}

/// One sample or 1 to 512 of them in an array; if one is wrong, all are refused.
pub fn parse_telemetry(payload: &[u8]) -> Result<Vec<Sample>, Refusal> {
    reader::check_size(payload)?;
    let is_array = payload.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let parsed = if is_array {
        serde_json::from_slice::<Many>(payload).map(|many| Some(many.0))
    } else {
        serde_json::from_slice::<Plain>(payload).map(|plain| plain.check().map(|one| vec![one]))
    };
    match parsed {
        Ok(Some(samples)) => Ok(samples),
        Ok(None) => diagnose(payload, "something is wrong with it"),
        Err(error) => diagnose(payload, &error),
    }
}

/// An array of good samples, not longer than allowed.
struct Many(Vec<Sample>);

impl<'de> Deserialize<'de> for Many {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(VisitMany).map(Many)
    }
}

struct VisitMany;

impl<'de> Visitor<'de> for VisitMany {
    type Value = Vec<Sample>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of samples")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut samples = Vec::new();
        while let Some(plain) = items.next_element::<Plain>()? {
            let sample = plain.check().ok_or_else(|| de::Error::custom("a sample is wrong"))?;
            if samples.len() == MAX_SAMPLES_PER_MESSAGE {
                return Err(de::Error::custom("too many samples"));
            }
            samples.push(sample);
        }
        if samples.is_empty() { Err(de::Error::custom("no samples")) } else { Ok(samples) }
    }
}

/// Reads member by member. What the fast way refuses for a reason that this one does not see (serde's
/// fixed-width types are stricter about `3.0`) is taken after all.
fn diagnose(payload: &[u8], error: impl fmt::Display) -> Result<Vec<Sample>, Refusal> {
    match reader::value(payload)? {
        Value::Array(items) if items.is_empty() => Err(Refusal {
            code: "missing",
            field: None,
            message: "the array has no samples".to_owned(),
        }),
        Value::Array(items) if items.len() > MAX_SAMPLES_PER_MESSAGE => Err(Refusal {
            code: "too_many",
            field: None,
            message: format!("the array has more than {MAX_SAMPLES_PER_MESSAGE} samples"),
        }),
        Value::Array(items) => items
            .into_iter()
            .enumerate()
            .map(|(at, item)| sample(Object::of(item, format!("[{at}]."))?))
            .collect(),
        value @ Value::Object(_) => Ok(vec![sample(Object::of(value, String::new())?)?]),
        _ => Err(Refusal::malformed(error)),
    }
}

fn sample(mut object: Object) -> Result<Sample, Refusal> {
    let seq = object.required("seq", |object, name| object.integer(name, 0..=u64::MAX))?;
    let boot = object.boot()?;
    let at_ms = object.integer("at_ms", i64::MIN..=i64::MAX)?;
    let uptime_ms = object.integer("uptime_ms", 0..=u64::MAX)?;
    let mut fields = Fields::default();
    for spec in &FIELDS {
        let value = match spec.field {
            Field::Reps => object.integer(spec.name, 0..=u16::MAX)?.map(f64::from),
            Field::HeartRateBpm => object.heart_rate(spec.name, spec.min, spec.max)?,
            _ => object.number(spec.name, spec.min..=spec.max)?,
        };
        if let Some(value) = value {
            fields.set(spec.field, value);
        }
    }
    Ok(Sample { seq, boot, at_ms, uptime_ms, fields })
}

impl Object {
    /// 0 means that the hands are off the sensor.
    fn heart_rate(&mut self, name: &str, min: f64, max: f64) -> Result<Option<f64>, Refusal> {
        match self.number(name, 0.0..=max)? {
            Some(0.0) => Ok(None),
            Some(bpm) if bpm < min => Err(self.refuse(
                "out_of_range",
                name,
                format!("is not between {min} and {max}, nor 0"),
            )),
            bpm => Ok(bpm),
        }
    }
}

/// Exactly the JSON that [`parse_telemetry`] reads.
impl Serialize for Sample {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        map.serialize_entry("seq", &self.seq)?;
        if let Some(boot) = self.boot {
            map.serialize_entry("boot", &boot)?;
        }
        if let Some(at_ms) = self.at_ms {
            map.serialize_entry("at_ms", &at_ms)?;
        }
        if let Some(uptime_ms) = self.uptime_ms {
            map.serialize_entry("uptime_ms", &uptime_ms)?;
        }
        for spec in &FIELDS {
            match self.fields.scaled(spec.field) {
                None => {}
                Some(scaled) if spec.scale == 1.0 => map.serialize_entry(spec.name, &scaled)?,
                Some(scaled) => {
                    map.serialize_entry(spec.name, &(f64::from(scaled) / spec.scale))?
                }
            }
        }
        map.end()
    }
}

impl Sample {
    /// The sample as it is sent.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).expect("a sample has nothing that JSON lacks")
    }
}

/// A payload of several samples (at most [`MAX_SAMPLES_PER_MESSAGE`]), or of one.
pub fn telemetry_json(samples: &[Sample]) -> Vec<u8> {
    match samples {
        [one] => serde_json::to_vec(one),
        many => serde_json::to_vec(many),
    }
    .expect("a sample has nothing that JSON lacks")
}
