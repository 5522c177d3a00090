//! Kinds of entries: each has its own quota and its own place in the order of sacrifice.

use protocol::sync::entry::{Body, Stream};

/// What kind of entry a row of `entries` is. The numbers are stored and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// A group of samples.
    Telemetry = 0,
    /// Taps, decisions, sets, devices and secrets made at the branch: never dropped.
    Fact = 1,
    /// Statuses, maintenance, command results, notices.
    Status = 2,
    /// What could not be used.
    Reject = 3,
    /// Stands for entries that are gone.
    Gap = 4,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Telemetry, Self::Fact, Self::Status, Self::Reject, Self::Gap];

    /// The class with this number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|&class| class as i64 == number)
    }

    /// Where an event belongs.
    pub fn of(body: &Body) -> Self {
        match body {
            Body::Tap(_)
            | Body::Set(_)
            | Body::DeviceProposed(_)
            | Body::DeviceSecret(_)
            | Body::Decision(_)
            | Body::Deed(_)
            | Body::StaffAct(_) => Self::Fact,
            Body::Gap(_) => Self::Gap,
            Body::Reject(_) => Self::Reject,
            Body::Status(_) | Body::Maintenance(_) | Body::CommandResult(_) | Body::Notice(_) => {
                Self::Status
            }
        }
    }

    /// Whether an entry of this class commits the pending group at once.
    pub fn is_at_once(self) -> bool {
        self == Self::Fact
    }

    /// The kind of data a gap record names.
    pub fn stream(self) -> Stream {
        match self {
            Self::Telemetry => Stream::Telemetry,
            Self::Fact | Self::Gap => Stream::Fact,
            Self::Status => Stream::Status,
            Self::Reject => Stream::Reject,
        }
    }
}
