//! Who calls, and what they may.

use super::error::{Error, Result};
use crate::app::App;
use crate::domains::accounts::{self, Role};
use crate::ids::{BranchId, OrganizationId, UserId};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

/// The user behind a request; handlers that take it answer 401 to everybody else.
#[derive(Debug, Clone)]
pub struct Caller {
    pub user: UserId,
    pub organization: OrganizationId,
    pub role: Role,
    /// Branches that a member of staff works at.
    pub branches: Vec<BranchId>,
}

/// Something that not everybody may do. Routes name theirs in the API document, as scope of `bearer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// `machines.view`: machines of the caller's branches, and what they measured.
    ViewMachines,
}

/// Which branches a caller sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// All of the organization.
    Organization(OrganizationId),
    /// These.
    Branches(&'a [BranchId]),
}

impl Caller {
    /// Refuses who may not.
    pub fn may(&self, permission: Permission) -> Result<()> {
        let is_allowed = match permission {
            Permission::ViewMachines => matches!(self.role, Role::Admin | Role::Staff),
        };
        if is_allowed { Ok(()) } else { Err(Error::Forbidden) }
    }

    /// The branches whose things this caller may see.
    pub fn scope(&self) -> Scope<'_> {
        match self.role {
            Role::Admin => Scope::Organization(self.organization),
            Role::Staff | Role::Member => Scope::Branches(&self.branches),
        }
    }

    /// Whether a branch of an organization is in sight.
    pub fn sees(&self, organization: OrganizationId, branch: BranchId) -> bool {
        match self.scope() {
            Scope::Organization(own) => own == organization,
            Scope::Branches(branches) => branches.contains(&branch),
        }
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let token = bearer(&parts.headers)?;
        accounts::identify(app, token).await
    }
}

/// The token of `Authorization: Bearer`.
pub fn bearer(headers: &HeaderMap) -> Result<&str> {
    let header = headers.get(header::AUTHORIZATION).ok_or(Error::Unauthorized("unauthorized"))?;
    let text = header.to_str().map_err(|_| Error::Unauthorized("invalid_token"))?;
    let (scheme, token) = text.split_once(' ').ok_or(Error::Unauthorized("invalid_token"))?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(token.trim())
    } else {
        Err(Error::Unauthorized("invalid_token"))
    }
}
