//! The rule book: gym sessions, machines that are lent, queues, and whose work a set is. Edge and cloud fold the same
//! facts and reach the same state.
//!
//! ```text
//! member   Outside ──check in, link──► Inside one branch ──check out──► Outside
//!                                        │  time limit, closing time: derived from the start and the branch's settings
//!                                        │  check-in or link in another branch: the stay moves there
//!                                        └─ rejected: the edge did not take over what the cloud had recorded for it
//!
//! machine  Free ──link──► Linked ──unlink, idle, member moved on, stay ended, out of order──► Free
//!           │ ▲             ▲
//!   queue   ▼ │ lapsed,     │ link by the member it is kept for
//!          Kept ────────────┘
//!            nobody waits
//! ```
//!
//! - A [`Fact`] is what an edge has journaled (or the cloud, provisionally). It says what was meant, `CheckIn` and not
//!   `Tap`: whoever journals it has asked [`State::resolve`] what a tap means, and has told the member.
//! - Facts count in the order of (corrected time, origin, number), each once, however they arrive: [`fold()`].
//! - Ends by time are no facts. They fall out of the start and the settings, at the same moment for everybody.
//! - A link implies that the member is in that branch. A member has one machine at a time, a machine one member.

mod fact;
mod fold;
mod keep;
mod of_event;
mod resolve;
mod state;
mod step;
mod turn;

pub use fact::{Deed, Fact, FactKey, Means, Origin};
pub use fold::{Folded, fold};
pub use keep::{Row, RowError};
pub use of_event::deeds_of;
pub use resolve::{DOOR_REPEAT_MS, MACHINE_REPEAT_MS, Refusal, Request, Resolved};
pub use state::{Link, MAX_QUEUE, Machine, Offer, Rules, Session, State};
pub use step::{Effect, LinkEnd, SessionEnd};
