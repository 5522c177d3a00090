//! What is unusual.

use crate::ids::UserId;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

/// What was noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Rule {
    /// More logins in ten minutes than somebody makes by hand.
    LoginRate,
    /// Logins from more addresses in ten minutes than somebody can be at.
    ManyAddresses,
    /// A refresh token that was used came again.
    TokenReuse,
    /// All data was asked for again and again.
    ExportBurst,
}

impl Rule {
    pub fn name(self) -> &'static str {
        match self {
            Self::LoginRate => "login_rate",
            Self::ManyAddresses => "many_addresses",
            Self::TokenReuse => "token_reuse",
            Self::ExportBurst => "export_burst",
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

pub const LOGIN_WINDOW: Duration = Duration::minutes(10);
const MAX_LOGINS: i64 = 30;
/// A phone that changes between networks has two or three.
const MAX_ADDRESSES: i64 = 8;
/// In a day.
pub const MAX_REUSES: i64 = 3;
pub const MAX_EXPORTS: i64 = 4;

/// What is unusual about the logins of the last ten minutes.
pub fn judge_logins(logins: i64, addresses: i64) -> Option<Rule> {
    if addresses > MAX_ADDRESSES {
        Some(Rule::ManyAddresses)
    } else if logins > MAX_LOGINS {
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
        assert_eq!(judge_logins(30, 8), None);
        assert_eq!(judge_logins(31, 1), Some(Rule::LoginRate));
        assert_eq!(judge_logins(9, 9), Some(Rule::ManyAddresses));
    }
}
