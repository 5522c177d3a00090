//! Samples in JSON. This is the hot path: one pass over the bytes into plain fields; only a message that
//! fails is read again, slowly, to find out what is wrong with it.

use super::reader::{self, Object, Refusal};
use crate::machine::{FIELDS, Field, FieldSpec, Fields, Sample};
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use std::fmt;

/// A message has at most this many samples.
pub const MAX_SAMPLES_PER_MESSAGE: usize = 512;

/// The members of a sample; the first are the fields, in the order of [`FIELDS`].
#[derive(Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    ElapsedS,
    DistanceM,
    EnergyKcal,
    Reps,
    SpeedMps,
    InclinePct,
    Resistance,
    CadenceRpm,
    StrokeRateSpm,
    PowerW,
    HeartRateBpm,
    WeightKg,
    Seq,
    Boot,
    AtMs,
    UptimeMs,
    #[serde(other)]
    Unknown,
}

/// A sample that is right in every way, read in one pass.
struct Good(Sample);

impl<'de> Deserialize<'de> for Good {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(VisitSample).map(Good)
    }
}

struct VisitSample;

impl<'de> Visitor<'de> for VisitSample {
    type Value = Sample;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sample")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sample, A::Error> {
        let mut sample = Sample::default();
        let mut seq = None;
        let mut seen = 0_u32;
        while let Some(key) = map.next_key::<Key>()? {
            let bit = 1 << key as u32;
            if seen & bit != 0 && key != Key::Unknown {
                return Err(de::Error::custom("a key occurs twice"));
            }
            seen |= bit;
            match key {
                Key::Seq => seq = map.next_value()?,
                Key::Boot => sample.boot = map.next_value()?,
                Key::AtMs => sample.at_ms = map.next_value()?,
                Key::UptimeMs => sample.uptime_ms = map.next_value()?,
                Key::Unknown => drop(map.next_value::<IgnoredAny>()?),
                field => {
                    if let Some(value) = map.next_value::<Option<f64>>()? {
                        set_field(&mut sample.fields, &FIELDS[field as usize], value)?;
                    }
                }
            }
        }
        sample.seq = seq.ok_or_else(|| de::Error::missing_field("seq"))?;
        Ok(sample)
    }
}

fn set_field<E: de::Error>(fields: &mut Fields, spec: &FieldSpec, value: f64) -> Result<(), E> {
    if spec.field == Field::HeartRateBpm && value == 0.0 {
        return Ok(());
    }
    let is_right = spec.field != Field::Reps || value.fract() == 0.0;
    if !is_right || !(spec.min..=spec.max).contains(&value) {
        return Err(E::custom("a value is wrong"));
    }
    fields.set(spec.field, value);
    Ok(())
}

/// One sample or 1 to 512 of them in an array; if one is wrong, all are refused.
pub fn parse_telemetry(payload: &[u8]) -> Result<Vec<Sample>, Refusal> {
    reader::check_size(payload)?;
    // Here, since serde_json looks away from what it skips.
    let text = str::from_utf8(payload).map_err(Refusal::malformed)?;
    let parsed = if text.trim_ascii_start().starts_with('[') {
        serde_json::from_str::<Many>(text).map(|many| many.0)
    } else {
        serde_json::from_str::<Good>(text).map(|good| vec![good.0])
    };
    parsed.or_else(|_| diagnose(payload))
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
        while let Some(Good(sample)) = items.next_element()? {
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
fn diagnose(payload: &[u8]) -> Result<Vec<Sample>, Refusal> {
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
        value => Ok(vec![sample(Object::of(value, String::new())?)?]),
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
                Some(scaled) if spec.scale > 1.0 => {
                    map.serialize_entry(spec.name, &(f64::from(scaled) / spec.scale))?;
                }
                Some(whole) => map.serialize_entry(spec.name, &whole)?,
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
