//! What happened in branches, as their edges journaled it: taps, decisions, sets, statuses, maintenance, rejects, gaps,
//! notices. Rows are facts: they are only ever re-dated.

mod redate;
mod rows;
mod store;

pub use redate::redate;
pub use rows::{Origin, Rows};
pub use store::{insert, notice, too_late};
