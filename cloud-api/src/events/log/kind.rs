//! The closed list of what is told live. The code, the checks and the `AsyncAPI` document are made from it.

use super::data::{
    BranchHeard, BranchSilent, CommandAnswered, MachineLinked, MachineMaintenance, MachineStatus,
    MachineUnlinked, PreferencesChanged, ProgressChanged, QueueLeft, QueueOffer, RecordAchieved,
    SessionEnded, SessionStarted, WorkoutChanged,
};
use serde::Serialize;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// A kind of event, for who documents it.
pub struct Kind {
    pub name: &'static str,
    pub description: &'static str,
    /// What its data is called, and what it looks like.
    pub data_name: fn() -> String,
    pub schema: fn() -> RefOr<Schema>,
    /// What its data refers to.
    pub parts: fn(&mut Vec<(String, RefOr<Schema>)>),
}

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident($data:ident) = $name:literal,)+) => {
        /// Something that is told live.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        pub enum Event {
            $($(#[doc = $doc])+ $variant($data),)+
        }

        impl Event {
            /// Its name, `thing:what_happened`.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)+
                }
            }
        }

        /// All kinds.
        pub const KINDS: &[Kind] = &[
            $(Kind {
                name: $name,
                description: concat!($($doc),+),
                data_name: || <$data as ToSchema>::name().into_owned(),
                schema: <$data as PartialSchema>::schema,
                parts: <$data as ToSchema>::schemas,
            },)+
        ];
    };
}

kinds! {
    /// A machine is used, paused, free, out of order or not reached; or it was lent, given back, or somebody waits for it.
    /// Says all of it, so the last one counts.
    MachineStatus(MachineStatus) = "machine:status",
    /// A machine was taken out of use, or given back to it.
    MachineMaintenance(MachineMaintenance) = "machine:maintenance",
    /// A stay at a branch has begun.
    SessionStarted(SessionStarted) = "session:started",
    /// A stay at a branch has ended.
    SessionEnded(SessionEnded) = "session:ended",
    /// A machine is lent to the member.
    MachineLinked(MachineLinked) = "machine:linked",
    /// The member has the machine no more.
    MachineUnlinked(MachineUnlinked) = "machine:unlinked",
    /// A machine is kept for the member, who waited for it.
    QueueOffer(QueueOffer) = "queue:offer",
    /// The member waits for the machine no more.
    QueueLeft(QueueLeft) = "queue:left",
    /// Profile or preferences have changed, maybe on another device: read them again.
    SyncPreferences(PreferencesChanged) = "sync:preferences",
    /// A workout was made, changed or removed: read it again.
    SyncWorkout(WorkoutChanged) = "sync:workout",
    /// Records, goals or measurements have changed: read them again.
    SyncProgress(ProgressChanged) = "sync:progress",
    /// A personal record.
    RecordAchieved(RecordAchieved) = "pr:achieved",
    /// A branch is not heard any more: what was told of its machines may be out of date.
    BranchSilent(BranchSilent) = "branch:silent",
    /// A branch is heard again.
    BranchHeard(BranchHeard) = "branch:heard",
    /// A branch has said what came of a command.
    CommandAnswered(CommandAnswered) = "command:answered",
}

impl Event {
    /// Whether it is about training, so that who follows only that hears it too.
    pub fn is_of_workouts(kind: &str) -> bool {
        WORKOUTS.iter().any(|beginning| kind.starts_with(beginning))
    }
}

/// How the names of events about training begin.
pub const WORKOUTS: &[&str] =
    &["workout:", "set:", "rest:", "pr:", "machine:linked", "machine:unlinked", "sync:workout"];

/// Names that are kept for domains to come.
pub const RESERVED: &[&str] = &[
    "workout:started",
    "workout:paused",
    "workout:resumed",
    "workout:completed",
    "set:completed",
    "rest:timer",
    "workout:stats",
    "activity:new",
    "like:received",
    "comment:received",
    "friend:request",
    "challenge:invite",
    "notification:new",
    "ai:recommendation",
    "ai:form_feedback",
    "ai:motivation",
];

/// What clients may say of training, once there is the domain that takes it in.
pub const RESERVED_OF_CLIENTS: &[&str] = &[
    "workout:start",
    "workout:pause",
    "workout:resume",
    "workout:complete",
    "set:complete",
    "rest:start",
    "rest:skip",
];

impl Kind {
    /// A reference to its data in a document.
    pub fn reference(&self) -> Ref {
        Ref::from_schema_name((self.data_name)())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_kind_has_a_name_of_its_own_that_is_not_kept_for_another() {
        let mut names: HashSet<&str> = RESERVED.iter().copied().collect();

        assert!(KINDS.iter().all(|kind| names.insert(kind.name)));
        assert!(names.iter().all(|name| name.contains(':')));
    }
}
