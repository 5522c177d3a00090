//! What a branch is.

use crate::ids::{BranchId, OrganizationId};

/// A gym location.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Branch {
    pub id: BranchId,
    pub organization_id: OrganizationId,
    pub name: String,
    /// From 1 to 65535, unique in this cloud.
    pub site_no: i32,
    pub time_zone: String,
}
