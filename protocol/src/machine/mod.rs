//! What machines measure: single samples, and samples packed by column.

pub mod columns;
pub mod sample;

pub use columns::{ColumnsError, TimedSample};
pub use sample::{FIELDS, Field, FieldSpec, Fields, Sample};
