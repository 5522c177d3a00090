//! How long packing and reading a sample takes; figures without a limit.

use super::table::Row;
use crate::gym::{self, Said};
use crate::seed::Seed;
use anyhow::Result;
use protocol::machine::{Sample, TimedSample, columns};
use protocol::mqtt::payloads::{parse_telemetry, telemetry_json};
use tokio::time::Instant;

const SAMPLES: u32 = 3_000;
const ROUNDS: u32 = 20;

/// Columns and JSON.
pub fn measure() -> Result<Vec<Row>> {
    let samples = samples();
    let timed: Vec<TimedSample> = (0..)
        .zip(&samples)
        .map(|(mono_ms, sample)| TimedSample { source: 1, mono_ms, sample: *sample })
        .collect();
    let block = columns::encode(&timed);
    let messages: Vec<Vec<u8>> = samples.iter().map(|sample| telemetry_json(&[*sample])).collect();
    let encode = each(|| {
        drop(columns::encode(&timed));
        Ok(())
    })?;
    let decode = each(|| columns::decode(&block).map(drop).map_err(Into::into))?;
    let summary = each(|| columns::summary(&block).map(|_| ()).map_err(Into::into))?;
    let json = each(|| {
        messages.iter().try_for_each(|text| parse_telemetry(text).map(drop)).map_err(Into::into)
    })?;
    Ok(vec![Row::told(
        "time per sample: columns written, read, summed; JSON read",
        format!("{encode:.0}, {decode:.0}, {summary:.0}; {json:.0} ns"),
        format!("{SAMPLES} samples of a bike"),
    )])
}

fn samples() -> Vec<Sample> {
    let mut machine = gym::machines(40, &Seed::new(1)).remove(0);
    let mut samples = Vec::new();
    while samples.len() < SAMPLES as usize {
        samples.extend(machine.tick(None).into_iter().filter_map(|said| match said {
            Said::Sample(sample) => Some(sample),
            _ => None,
        }));
    }
    samples.truncate(SAMPLES as usize);
    samples
}

/// Nanoseconds per sample.
fn each(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    for _ in 0..ROUNDS {
        work()?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS * SAMPLES))
}
