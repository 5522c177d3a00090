//! What is unusual.

use crate::config::Watch;
use crate::ids::UserId;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// What was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Rule {
    /// More logins in a few minutes than somebody makes by hand.
    LoginRate,
    /// Logins from more addresses in a few minutes than somebody can be at.
    ManyAddresses,
    /// A refresh token that was used came again.
    TokenReuse,
    /// All data was asked for again and again.
    ExportBurst,
    /// So many wrong passwords that logging in was slowed down. Does not lock: anybody could do that to anybody.
    PasswordGuessing,
}

impl Rule {
    pub fn name(self) -> &'static str {
        match self {
            Self::LoginRate => "login_rate",
            Self::ManyAddresses => "many_addresses",
            Self::TokenReuse => "token_reuse",
            Self::ExportBurst => "export_burst",
            Self::PasswordGuessing => "password_guessing",
        }
    }
}

/// Something that was noticed.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecurityEvent {
    pub id: i64,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub user_id: UserId,
    pub rule: Rule,
    /// Whether the account was locked for it.
    pub is_locked: bool,
}

/// What is unusual about the logins of the last minutes.
pub fn judge_logins(limits: &Watch, logins: i64, addresses: i64) -> Option<Rule> {
    if addresses > limits.max_addresses.into() {
        Some(Rule::ManyAddresses)
    } else if logins > limits.max_logins.into() {
        Some(Rule::LoginRate)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_do_is_usual_and_what_programs_do_is_not() {
        let judge = |logins, addresses| judge_logins(&Watch::default(), logins, addresses);

        assert_eq!(judge(30, 8), None);
        assert_eq!(judge(31, 1), Some(Rule::LoginRate));
        assert_eq!(judge(9, 9), Some(Rule::ManyAddresses));
    }
}
