//! Who calls, and what they may.

use super::error::{Error, Result};
use super::permission::Permission;
use crate::domains::accounts::{Plan, Role};
use crate::ids::{BranchId, LoginId, OrganizationId, UserId};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use uuid::Uuid;

/// The user behind a request; handlers that take it answer 401 to everybody else.
#[derive(Debug, Clone)]
pub struct Caller {
    pub user: UserId,
    /// The login that the token belongs to.
    pub login: LoginId,
    pub organization: OrganizationId,
    pub role: Role,
    pub plan: Plan,
    /// Branches that a member of staff works at.
    pub branches: Vec<BranchId>,
}

/// Which branches a caller sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// All of the organization.
    Organization(OrganizationId),
    /// These.
    Branches(&'a [BranchId]),
}

impl Scope<'_> {
    /// For SQL: the organization of which all is seen, and the branches that are.
    pub fn parameters(self) -> (Option<Uuid>, Vec<Uuid>) {
        match self {
            Self::Organization(organization) => (Some(organization.0), Vec::new()),
            Self::Branches(branches) => (None, branches.iter().map(|branch| branch.0).collect()),
        }
    }
}

impl Caller {
    /// Whether they may. What a route always needs is asked at the gate; this is for what depends on the request.
    pub fn has(&self, permission: Permission) -> bool {
        permission.is_given_to(self.role, self.plan)
    }

    /// Whether the whole organization is theirs to run.
    pub fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }

    /// The branches whose things this caller may see.
    pub fn scope(&self) -> Scope<'_> {
        match self.role {
            Role::Admin => Scope::Organization(self.organization),
            Role::Staff | Role::Moderator | Role::Member => Scope::Branches(&self.branches),
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

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Error;

    /// The gate has put them there, if the route's declaration asks for a user.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        parts.extensions.get::<Self>().cloned().ok_or(Error::Unauthorized("unauthorized"))
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
