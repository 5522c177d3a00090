//! What a file is.

use crate::ids::{FileId, UserId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum FileKind {
    /// A picture of its owner, seen by whoever sees the profile.
    Avatar,
    /// All that is stored about its owner, who alone may have it.
    Export,
    /// A picture of its owner's body, seen by others only if they share it.
    BodyPhoto,
}

/// What makes a file.
#[derive(Debug)]
pub struct NewFile {
    pub kind: FileKind,
    pub content_type: &'static str,
    pub expires_at: Option<OffsetDateTime>,
}

/// A file.
#[derive(Debug)]
pub struct File {
    pub id: FileId,
    pub owner: UserId,
    pub kind: FileKind,
    pub content_type: String,
}

impl FileKind {
    /// Sizes or forms in which there is one; the first where none is named.
    pub fn variants(self) -> &'static [&'static str] {
        match self {
            Self::Avatar | Self::BodyPhoto => &["large", "small"],
            Self::Export => &["archive"],
        }
    }
}
