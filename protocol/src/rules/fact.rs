//! What has happened, as it is journaled and carried.

use crate::ids::{BranchId, DeviceId, LinkId, MemberId, SessionId, SetId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Who numbered a fact: an edge's journal, or the cloud for what it records provisionally.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// The edge, or nil for the cloud: where all else is equal, the cloud comes first.
    pub id: Uuid,
    /// The epoch of its journal.
    pub epoch: u64,
}

impl Origin {
    /// Whether it is the cloud, which only recorded what its branch has not said yet.
    pub fn is_cloud(&self) -> bool {
        self.id.is_nil()
    }
}

/// Where a fact stands among all facts; the same for no two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FactKey {
    /// Corrected time, Unix milliseconds.
    pub at_ms: i64,
    /// Who numbered it.
    pub origin: Origin,
    /// Its number there.
    pub seq: u64,
}

impl FactKey {
    /// At the branch itself its facts come in order, and nobody else's do: only folding needs their numbers.
    pub fn at_branch(at_ms: i64) -> Self {
        Self { at_ms, origin: Origin { id: Uuid::max(), epoch: 0 }, seq: 0 }
    }
}

/// Something that has happened in a branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Where it stands.
    pub key: FactKey,
    /// Where it happened.
    pub branch: BranchId,
    /// What.
    pub deed: Deed,
}

/// How somebody made it happen. New ways are added at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// A credential at a reader.
    Tap,
    /// The member's app.
    App,
    /// Staff, by hand.
    Staff,
    /// The cloud, which folds the facts of several branches.
    Cloud,
    /// The edge refused what the cloud had recorded for it.
    Rejected,
}

/// What has happened. New kinds are added at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// A stay began.
    CheckIn {
        /// Its id, drawn by whoever journals it.
        session: SessionId,
        /// Whose.
        member: MemberId,
        /// How.
        by: Means,
    },
    /// A stay ended. The branch knows whom it has let out: from it, the open stay there, whatever it is called elsewhere.
    /// From the cloud, and for what never was, the stay of this id; if it is over already, nothing.
    CheckOut {
        /// Which, as far as the branch knows.
        session: SessionId,
        /// Whose.
        member: MemberId,
        /// How.
        by: Means,
    },
    /// A machine was lent; if there was no stay in the branch, one began that has the link's number. Who has it by the
    /// cloud's record alone never had it, if the branch lends it to somebody else.
    Link {
        /// Its id, drawn by whoever journals it.
        link: LinkId,
        /// To whom.
        member: MemberId,
        /// Which machine.
        machine: DeviceId,
        /// How.
        by: Means,
    },
    /// A machine was given back: from the branch whoever's it is, else the link of this id, as with stays.
    Unlink {
        /// Which, as far as the branch knows.
        link: LinkId,
        /// Which machine.
        machine: DeviceId,
        /// How.
        by: Means,
    },
    /// Somebody waits for a machine.
    Enqueue {
        /// Who.
        member: MemberId,
        /// For what.
        machine: DeviceId,
    },
    /// Somebody waits no more, or does not want the machine that is kept for them.
    Dequeue {
        /// Who.
        member: MemberId,
        /// For what.
        machine: DeviceId,
    },
    /// A machine began or ceased to be used, as its status says.
    Use {
        /// Which.
        machine: DeviceId,
        /// Now.
        is_in_use: bool,
    },
    /// A set was finished.
    Work {
        /// On what.
        machine: DeviceId,
        /// Which.
        set: SetId,
    },
    /// A machine was put out of use, by staff or after it had reported a fault, or back into use by staff.
    OutOfOrder {
        /// Which.
        machine: DeviceId,
        /// Now.
        is_out: bool,
    },
    /// A machine says of itself that it cannot be used, or that it can.
    Faulty {
        /// Which.
        machine: DeviceId,
        /// Now.
        is_faulty: bool,
    },
}
