//! What an operator is.

use crate::ids::OrganizationId;

/// A gym operator.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Organization {
    pub id: OrganizationId,
    pub name: String,
}
