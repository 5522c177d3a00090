//! What an operator is.

use crate::ids::OrganizationId;

/// A gym operator.
#[derive(Debug, Clone, serde::Serialize, utoipa::ToSchema)]
pub struct Organization {
    pub id: OrganizationId,
    #[schema(example = "Iron & Co")]
    pub name: String,
}
