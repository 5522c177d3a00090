//! What roles may do. Routes name what they need in the API document, tokens carry what their user may.

use crate::domains::accounts::{Plan, Role};
use serde::{Deserialize, Serialize};

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        /// Something that not everybody may do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Permission {
            $($(#[$doc])* #[serde(rename = $text)] $name),+
        }

        impl Permission {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name in the API document and in tokens.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text),+
                }
            }
        }
    };
}

permissions! {
    /// The own profile.
    ReadProfile = "read:profile",
    WriteProfile = "write:profile",
    ReadExercises = "read:exercises",
    /// Own exercises.
    WriteExercises = "write:exercises",
    /// The own training.
    ReadWorkouts = "read:workouts",
    WriteWorkouts = "write:workouts",
    /// Public templates and the own ones.
    ReadTemplates = "read:templates",
    WriteTemplates = "write:templates",
    /// The own goals, records and measurements.
    ReadProgress = "read:progress",
    WriteProgress = "write:progress",
    /// What the coach recommends.
    ReadCoach = "read:coach",
    /// Questions to the coach.
    WriteCoach = "write:coach",
    /// Analytics beyond the plain ones.
    ReadAnalytics = "read:analytics",
    /// Analytics as files. What is stored about oneself may be taken along without it.
    ExportAnalytics = "export:analytics",
    ReadPremiumTemplates = "read:premium_templates",
    /// No monthly bound on what the coach is asked.
    UnlimitedCoach = "unlimited:coach",
    /// Machines of the own branches, and what they measured.
    ReadMachines = "read:machines",
    /// Their labels.
    WriteMachines = "write:machines",
    /// Members of the own branches, at the desk.
    ReadMembers = "read:members",
    WriteMembers = "write:members",
    /// People of the organization.
    ReadUsers = "read:users",
    WriteUsers = "write:users",
    /// Hide what others posted.
    ModerateContent = "moderate:content",
    FeatureTemplates = "feature:templates",
    /// Figures of the whole organization.
    ReadPlatform = "read:platform",
    WriteSettings = "write:settings",
}

impl Permission {
    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.name() == name)
    }

    /// Whether somebody with this role and plan may.
    pub fn is_given_to(self, role: Role, plan: Plan) -> bool {
        match self {
            Self::ReadProfile
            | Self::WriteProfile
            | Self::ReadExercises
            | Self::WriteExercises
            | Self::ReadWorkouts
            | Self::WriteWorkouts
            | Self::ReadTemplates
            | Self::WriteTemplates
            | Self::ReadProgress
            | Self::WriteProgress => true,
            Self::ReadCoach
            | Self::WriteCoach
            | Self::ReadAnalytics
            | Self::ExportAnalytics
            | Self::ReadPremiumTemplates
            | Self::UnlimitedCoach => plan == Plan::Premium || role == Role::Admin,
            Self::ReadMachines | Self::WriteMachines | Self::ReadMembers | Self::WriteMembers => {
                matches!(role, Role::Staff | Role::Admin)
            }
            Self::ModerateContent => matches!(role, Role::Moderator | Role::Admin),
            Self::ReadUsers
            | Self::WriteUsers
            | Self::FeatureTemplates
            | Self::ReadPlatform
            | Self::WriteSettings => role == Role::Admin,
        }
    }

    /// All that somebody with this role and plan may.
    pub fn all_of(role: Role, plan: Plan) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |permission| permission.is_given_to(role, plan))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(role: Role, plan: Plan) -> usize {
        Permission::all_of(role, plan).count()
    }

    #[test]
    fn everybody_has_their_own_things_and_a_plan_adds_six() {
        assert_eq!(count(Role::Member, Plan::Free), 10);
        assert_eq!(count(Role::Member, Plan::Premium), 16);
    }

    #[test]
    fn an_admin_may_everything_and_others_only_their_part() {
        assert_eq!(count(Role::Admin, Plan::Free), Permission::ALL.len());
        assert!(Permission::ModerateContent.is_given_to(Role::Moderator, Plan::Free));
        assert!(!Permission::WriteUsers.is_given_to(Role::Moderator, Plan::Premium));
        assert!(!Permission::ReadMachines.is_given_to(Role::Member, Plan::Premium));
    }

    #[test]
    fn names_are_found_again() {
        for permission in Permission::ALL {
            assert_eq!(Permission::named(permission.name()), Some(*permission));
        }
        assert_eq!(Permission::named("machines.view"), None);
    }
}
