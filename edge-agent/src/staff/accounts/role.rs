//! What each role may do.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What somebody works as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks after members on the floor.
    Trainer,
    /// At the desk.
    Reception,
    /// Looks after machines and devices.
    Technician,
    /// Everything.
    Manager,
}

/// Something that not everybody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Look at floor, machines, taps, devices and state.
    See,
    /// Look for members by name.
    SeeMembers,
    /// Check members in and out, link machines, keep the queue.
    CheckIn,
    /// Give a member a card; present a code for somebody.
    Enrol,
    /// Lock a member out, or in again.
    Block,
    /// Open a door.
    OpenDoor,
    /// Lock machines, take them out of service.
    Machines,
    /// Devices, their secrets and certificates.
    Devices,
    /// Accounts of the staff page.
    Accounts,
    /// Make the branch known to a cloud.
    Cloud,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::See,
        Self::SeeMembers,
        Self::CheckIn,
        Self::Enrol,
        Self::Block,
        Self::OpenDoor,
        Self::Machines,
        Self::Devices,
        Self::Accounts,
        Self::Cloud,
    ];
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Trainer, Self::Reception, Self::Technician, Self::Manager];

    /// Whether this role may do it.
    pub fn may(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::Trainer => matches!(permission, P::See | P::SeeMembers | P::CheckIn),
            Self::Reception => {
                matches!(permission, P::See | P::SeeMembers | P::CheckIn | P::Enrol | P::OpenDoor)
            }
            Self::Technician => {
                matches!(permission, P::See | P::OpenDoor | P::Machines | P::Devices)
            }
            Self::Manager => true,
        }
    }

    /// The word for it, in storage and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trainer => "trainer",
            Self::Reception => "reception",
            Self::Technician => "technician",
            Self::Manager => "manager",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is trainer, reception, technician or manager")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_found_by_its_word() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert_eq!("owner".parse::<Role>(), Err(UnknownRole));
    }

    #[test]
    fn only_a_manager_may_everything() {
        let all = |role: &Role| Permission::ALL.iter().all(|permission| role.may(*permission));

        assert_eq!(Role::ALL.into_iter().filter(all).collect::<Vec<_>>(), [Role::Manager]);
        assert!(Role::ALL.iter().all(|role| role.may(Permission::See)));
    }
}
