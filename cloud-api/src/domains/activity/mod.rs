//! What happened in branches, as their edges journaled it: taps, sets, statuses, maintenance, rejects, gaps,
//! notices. Rows are facts: they are only ever re-dated.

mod store;

pub use store::notice;
