//! Stays, lent machines and queues. Edges journal facts; here they are folded over all branches by `protocol::rules`,
//! and the outcome is told to a branch that cannot know it. What is folded is never changed by hand.
//!
//! - `facts` is the truth; `gym_sessions`, `links`, `queue_entries` and whose a set is can be made from it at any time.
//! - A member has one open stay and one machine, over all branches: unique indexes say so.
//! - Facts that come in order go on from the kept state of their branches; one that comes late makes the stretch since
//!   the last quiet moment be folded anew, for the branches that share members with its own.

mod facts;
mod fold;
mod jobs;
mod notices;
mod outcome;
mod requests;
mod rows;
mod store;
mod take_over;

pub use facts::{machine_of, note, note_here, redate};
pub use fold::settle;
pub use jobs::{Pass, Provisional};
pub use requests::{Wanted, ask_branch, tell_new_edge};
pub use rows::{OpenLink, OpenSession, open_links, open_sessions};
