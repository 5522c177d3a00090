//! What machines measure: single samples, samples packed by column, and what consoles say, decoded into samples.

pub mod columns;
pub mod csafe;
pub mod ftms;
pub mod sample;

pub use columns::{ColumnsError, TimedSample};
pub use sample::{FIELDS, Field, FieldSpec, Fields, Sample};
