//! Who did what: written in the transaction that does it, never changed afterwards (a trigger sees to that), but that
//! addresses requests came from are forgotten in time.
//! Rows hold ids, never names, addresses of mail or contents; what was changed is told by digests.

mod store;

pub use store::forget_addresses;

use crate::http::{Caller, Origin};
use crate::ids::{OrganizationId, UserId};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// One line of the log.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    action: &'static str,
    actor: Option<UserId>,
    organization: Option<OrganizationId>,
    target: Option<Uuid>,
    origin: Option<&'a Origin>,
    before: Option<[u8; 32]>,
    after: Option<[u8; 32]>,
    detail: Option<Value>,
}

impl<'a> Entry<'a> {
    /// `thing.what_happened`, e.g. `login.failed`.
    pub fn new(action: &'static str) -> Self {
        Self {
            action,
            actor: None,
            organization: None,
            target: None,
            origin: None,
            before: None,
            after: None,
            detail: None,
        }
    }

    /// What a request of somebody does.
    pub fn asked(action: &'static str, caller: &Caller, origin: &'a Origin) -> Self {
        Self::new(action).by(caller.user).of(caller.organization).from(origin)
    }

    /// Who did it; left out, nobody who signed in.
    #[must_use]
    pub fn by(self, actor: UserId) -> Self {
        Self { actor: Some(actor), ..self }
    }

    #[must_use]
    pub fn of(self, organization: OrganizationId) -> Self {
        Self { organization: Some(organization), ..self }
    }

    #[must_use]
    pub fn on(self, target: impl Into<Uuid>) -> Self {
        Self { target: Some(target.into()), ..self }
    }

    /// Where the request came from.
    #[must_use]
    pub fn from(self, origin: &'a Origin) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// What it was and what it is; only digests are kept.
    #[must_use]
    pub fn changed(self, before: &impl Serialize, after: &impl Serialize) -> Self {
        Self { before: digest(before), after: digest(after), ..self }
    }

    /// Further facts; no personal ones.
    #[must_use]
    pub fn detail(self, detail: Value) -> Self {
        Self { detail: Some(detail), ..self }
    }
}

fn digest(thing: &impl Serialize) -> Option<[u8; 32]> {
    Some(Sha256::digest(serde_json::to_vec(thing).ok()?).into())
}

/// Adds a line.
pub async fn record(
    db: &mut PgConnection,
    entry: &Entry<'_>,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    store::insert(db, entry, now).await
}
