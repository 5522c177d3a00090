//! Identifiers that cross a process boundary: UUIDs with a type, and the short codes of devices.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[cfg_attr(feature = "schema", schemars(extend("format" = "uuid")))]
        pub struct $name(
            #[cfg_attr(feature = "schema", schemars(with = "String"))]
            pub Uuid,
        );

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::from_str(text).map($name)
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
    /// A machine, a reader, a bridge or an observer of a branch.
    DeviceId,
    /// One presentation of a credential at a reader.
    TapId,
    /// One finished strength set.
    SetId,
    /// An order to a device, or a request to a branch.
    CommandId,
    /// A person who trains in the branches of an organization.
    MemberId,
    /// A card, or the key of a phone.
    CredentialId,
    /// Somebody who can sign in: here, one of the staff.
    UserId,
    /// A member's stay in a branch.
    SessionId,
    /// A machine lent to a member.
    LinkId,
}

/// A device's short name, unique in its branch: `[a-z0-9-]{1,64}`. MQTT topics carry it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Code(
    #[cfg_attr(feature = "schema", schemars(regex(pattern = r"^[a-z0-9-]{1,64}$")))] String,
);

impl Code {
    /// The code as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a text is a valid code.
    pub fn is_valid(text: &str) -> bool {
        (1..=64).contains(&text.len())
            && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    }
}

/// A text that is no device code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code has 1 to 64 characters out of a-z, 0-9 and -")]
pub struct InvalidCode;

impl TryFrom<String> for Code {
    type Error = InvalidCode;

    fn try_from(text: String) -> Result<Self, InvalidCode> {
        if Self::is_valid(&text) { Ok(Self(text)) } else { Err(InvalidCode) }
    }
}

impl FromStr for Code {
    type Err = InvalidCode;

    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        Self::try_from(text.to_owned())
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
