//! Identifiers, each with its own type in Rust, in SQL results and in the API document.

use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            Serialize, Deserialize, sqlx::Type, ToSchema,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        #[schema(value_type = Uuid, format = Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh one; sorts after those made before.
            #[expect(clippy::new_without_default, reason = "an id has no default")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

id! {
    /// A gym operator.
    OrganizationId,
    /// One gym location.
    BranchId,
    /// An edge agent that was enrolled for a branch.
    EdgeId,
    /// A machine, a reader, a bridge or an observer.
    DeviceId,
    /// An order to a device, or a request to a branch.
    CommandId,
    /// Somebody who can log in.
    UserId,
    /// A device that somebody is logged in with.
    LoginId,
    /// Somebody who trains.
    MemberId,
    /// A member's right to use branches.
    MembershipId,
    /// A card or a phone of a member.
    CredentialId,
    /// What was measured of a body on a day.
    BodyMetricsId,
    /// A file of a scanner that a user sent.
    ScanId,
    /// A label or sticker that members scan.
    TagId,
    /// Something that was reported about a machine.
    MachineReportId,
    /// Something that a user said.
    FeedbackId,
    /// A file of a user.
    FileId,
    /// An archive that a user asked for.
    ExportId,
    /// A user's wish to join a branch.
    JoinRequestId,
}

macro_rules! same_as_on_the_wire {
    ($($name:ident),+ $(,)?) => {$(
        impl From<protocol::ids::$name> for $name {
            fn from(id: protocol::ids::$name) -> Self {
                Self(id.0)
            }
        }

        impl From<$name> for protocol::ids::$name {
            fn from(id: $name) -> Self {
                Self(id.0)
            }
        }
    )+};
}

same_as_on_the_wire!(
    OrganizationId,
    BranchId,
    EdgeId,
    DeviceId,
    CommandId,
    UserId,
    MemberId,
    CredentialId,
);
