//! Roll-ups as Postgres takes them fastest: COPY in its binary format. As JSON an hour cost several times as much.

use super::rollup::{HOUR_MS, Statistics, Step};
use super::rollup_store::Dirty;
use crate::clock::at_ms;
use protocol::machine::FIELDS;
use protocol::machine::sample::FieldSpec;
use std::fmt::Write as _;

/// What every binary COPY begins with: a signature, no flags, no extension.
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();
const NULL: [u8; 4] = (-1_i32).to_be_bytes();
/// Postgres counts microseconds from 2000 on.
const YEAR_2000_US: i128 = 946_684_800_000_000;

/// The statement for a table of roll-ups.
pub fn statement(table: &str) -> String {
    let mut statement = format!("COPY {table} (machine_id, at, branch_id, samples");
    for spec in &FIELDS {
        for statistic in statistics(spec) {
            // Writing to memory does not fail.
            let _ = write!(statement, ", {}_{statistic}", spec.name);
        }
    }
    statement.push_str(") FROM STDIN (FORMAT binary)");
    statement
}

fn statistics(spec: &FieldSpec) -> &'static [&'static str] {
    if spec.is_counter { &["n", "gain", "last"] } else { &["n", "avg", "min", "max", "last"] }
}

/// The rows of an hour.
pub fn rows(dirty: &Dirty, steps: &[Step]) -> Vec<u8> {
    let columns = 4 + FIELDS.iter().map(|spec| statistics(spec).len()).sum::<usize>();
    let columns = i16::try_from(columns).unwrap_or(i16::MAX);
    let mut bytes = Vec::with_capacity(HEAD.len() + steps.len() * 512 + TRAILER.len());
    bytes.extend_from_slice(HEAD);
    let starts_ms = dirty.hour.unix_timestamp() * 1_000;
    // At the end of time an hour is cut short, and what was before it is of another.
    let steps =
        steps.iter().filter(|step| (starts_ms..starts_ms + HOUR_MS).contains(&step.start_ms));
    for step in steps {
        bytes.extend_from_slice(&columns.to_be_bytes());
        put(&mut bytes, dirty.machine_id.0.as_bytes());
        put(&mut bytes, &microseconds(step.start_ms).to_be_bytes());
        put(&mut bytes, dirty.branch_id.0.as_bytes());
        put(&mut bytes, &step.samples.to_be_bytes());
        for (spec, statistics) in FIELDS.iter().zip(&step.fields) {
            put_field(&mut bytes, spec, statistics);
        }
    }
    bytes.extend_from_slice(&TRAILER);
    bytes
}

/// Within the years that all other times are kept in.
fn microseconds(unix_ms: i64) -> i64 {
    let since_1970 = at_ms(unix_ms).unix_timestamp_nanos() / 1_000;
    i64::try_from(since_1970 - YEAR_2000_US).unwrap_or(0)
}

fn put(bytes: &mut Vec<u8>, value: &[u8]) {
    let length = i32::try_from(value.len()).unwrap_or(0);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(value);
}

#[expect(clippy::cast_precision_loss, reason = "sums of an hour are far below 2^52")]
fn put_field(bytes: &mut Vec<u8>, spec: &FieldSpec, of: &Statistics) {
    if of.count == 0 {
        for _ in statistics(spec) {
            bytes.extend_from_slice(&NULL);
        }
        return;
    }
    put(bytes, &of.count.to_be_bytes());
    let mut value = |scaled: f64| put(bytes, &(scaled / spec.scale).to_be_bytes());
    if spec.is_counter {
        value(of.gain as f64);
    } else {
        value(of.sum as f64 / f64::from(of.count));
        value(of.min.into());
        value(of.max.into());
    }
    value(of.last.into());
}
