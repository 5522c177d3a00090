//! May this credential enter? The answer is computed from what the caller looked up: no I/O and no clock.

pub mod calendar;
pub mod decision;
pub mod hours;
pub mod reason;
pub mod settings;
mod standing;

pub use calendar::LocalTime;
pub use decision::{Decision, Presence, Question, ReaderKind, Use, Warning, decide};
pub use hours::OpeningHours;
pub use reason::Reason;
pub use settings::{BranchSettings, SettingError};
pub use standing::standing;
