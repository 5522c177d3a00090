//! A tag.

use crate::ids::{BranchId, DeviceId, TagId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// How a tag is read: a printed label by the camera, a sticker that has the token as its text record by NFC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum TagKind {
    Qr,
    Nfc,
}

/// A label or sticker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Tag {
    pub id: TagId,
    pub branch_id: BranchId,
    /// The machine that it is on; null at the entrance.
    pub machine_id: Option<DeviceId>,
    #[schema(inline)]
    pub kind: TagKind,
    /// What it says.
    #[schema(example = "gt_5hQx0v3mT0eY7bqkX1dPag")]
    pub token: String,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}
