//! What the link to a board knows between two events.

use alloc::collections::BTreeSet;
use alloc::string::String;
use core::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// There is no port.
    Closed {
        at: Duration,
        is_told: bool,
    },
    /// Nobody has said Hello since the port was opened.
    Asking {
        at: Duration,
        times: u32,
    },
    /// The Hello of another board was heard.
    Foreign {
        at: Duration,
        code: String,
    },
    /// The Hello was answered; the board has not said yet which number comes next.
    Greeted {
        at: Duration,
    },
    Talking,
}

/// What is known of one boot of the board. It outlives a port that comes and goes.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) boot: u32,
    /// The number to come; unknown until the board has said it.
    pub(super) next: Option<u64>,
    /// Accepted, but not settled. What is neither here nor to come is on disk.
    pub(super) unsettled: BTreeSet<u64>,
    pub(super) lost: u64,
}
