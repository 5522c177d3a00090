//! What happened in branches, as their edges journaled it: taps, sets, statuses, maintenance, rejects, gaps,
//! notices. Rows are facts: they are only ever re-dated.

mod rows;
mod store;

pub use rows::{Origin, Rows};
pub use store::{insert, notice, redate, too_late};
