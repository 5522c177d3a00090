//! Users and their rules.

use crate::ids::{OrganizationId, UserId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// What somebody is to the organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[derive(clap::ValueEnum)]
pub enum Role {
    /// Runs the organization and all its branches.
    Admin,
    /// Works at some branches.
    Staff,
    /// Looks after what members post.
    Moderator,
    /// Trains.
    Member,
}

impl Role {
    /// Whether branches know who it is.
    pub fn works(self) -> bool {
        matches!(self, Self::Admin | Self::Staff)
    }
}

/// What somebody has paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Plan {
    Free,
    Premium,
}

/// Whether somebody may use the account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Status {
    /// The address was not confirmed yet.
    Pending,
    Active,
    /// It was used unusually; a new password unlocks it.
    Locked,
    Suspended,
    Disabled,
}

/// An e-mail address in the form it is compared in: trimmed, lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

/// Somebody who can log in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct User {
    pub id: UserId,
    pub organization_id: OrganizationId,
    /// Lower case.
    #[schema(example = "ada@example.com")]
    pub email: String,
    pub name: String,
    pub role: Role,
}

/// What makes a user.
#[derive(Debug)]
pub struct NewUser {
    pub organization: OrganizationId,
    pub email: Email,
    pub name: String,
    pub role: Role,
    pub password_hash: Option<String>,
}

/// A text that is no e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no e-mail address")]
pub struct InvalidEmail;

impl Email {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Email {
    type Err = InvalidEmail;

    /// Whether mail arrives is known only by sending one; this refuses what cannot be meant.
    fn from_str(text: &str) -> Result<Self, InvalidEmail> {
        let text = text.trim().to_lowercase();
        let is_plain = text.chars().all(|c| !c.is_whitespace() && !c.is_control());
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidEmail)?;
        let is_whole = !local.is_empty() && !domain.is_empty() && !local.contains('@');
        if is_plain && is_whole && text.chars().count() <= MAX_EMAIL_CHARS {
            Ok(Self(text))
        } else {
            Err(InvalidEmail)
        }
    }
}

const MAX_EMAIL_CHARS: usize = 254;

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Admin => "admin",
            Self::Staff => "staff",
            Self::Moderator => "moderator",
            Self::Member => "member",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_compared_in_lower_case() {
        assert_eq!(" Ada@Example.COM ".parse::<Email>().unwrap().as_str(), "ada@example.com");
    }

    #[test]
    fn what_cannot_be_an_address_is_refused() {
        for text in ["", "ada", "@", "ada@", "@example.com", "a b@example.com", "a@b@c"] {
            assert_eq!(text.parse::<Email>(), Err(InvalidEmail), "{text}");
        }
    }
}
