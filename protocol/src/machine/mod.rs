//! What machines measure: single samples, samples packed by column, and what consoles say, decoded into samples; sets
//! out of positions, and workout segments out of samples.

pub mod columns;
pub mod csafe;
pub mod ftms;
pub mod reps;
pub mod sample;
pub mod segments;

pub use columns::{ColumnsError, TimedSample};
pub use sample::{FIELDS, Field, FieldSpec, Fields, Sample};
