//! May this credential enter? The answer is computed from what the caller looked up: no I/O and no clock.

pub mod calendar;
pub mod hours;
pub mod settings;

pub use calendar::LocalTime;
pub use hours::OpeningHours;
pub use settings::{BranchSettings, SettingError};
