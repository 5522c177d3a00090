//! Branches as apps see them, and who wants to join them.

use crate::ids::{BranchId, JoinRequestId, UserId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// How a branch is joined by the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[derive(clap::ValueEnum)]
pub enum Joining {
    /// By asking.
    Open,
    /// When staff agree.
    Approval,
}

/// A branch of the organization.
#[derive(Debug, Serialize, ToSchema)]
pub struct BranchCard {
    pub id: BranchId,
    #[schema(example = "Centre")]
    pub name: String,
    #[schema(example = "Europe/Berlin")]
    pub time_zone: String,
    #[schema(inline)]
    pub joining: Joining,
}

/// A branch that somebody belongs to, or wants to.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnBranch {
    pub id: BranchId,
    #[schema(example = "Centre")]
    pub name: String,
    pub state: Belonging,
}

/// How somebody belongs to a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Belonging {
    /// There is a membership that counts there.
    Member,
    /// Staff have not decided yet.
    Requested,
}

/// Somebody who wants to join.
#[derive(Debug, Serialize, ToSchema)]
pub struct JoinRequest {
    pub id: JoinRequestId,
    pub user_id: UserId,
    #[schema(example = "Ada Lovelace")]
    pub name: String,
    pub branch_id: BranchId,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}
