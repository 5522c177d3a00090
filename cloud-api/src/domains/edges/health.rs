//! How edges are: what the cloud knows of each branch's, and what it last said of itself.

use super::health_store as store;
use crate::app::App;
use crate::http::auth::Scope;
use crate::ids::{BranchId, EdgeId};
use protocol::sync::state::Floor;
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

pub use store::{Gap, Reject, Troubles, troubles};

/// An edge that was not heard for so long is silent: it tells of its floor every few seconds.
pub const HEARD_FOR: Duration = Duration::seconds(30);

/// The edge of a branch that has one.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    pub branch: BranchId,
    pub edge: EdgeId,
    pub hostname: String,
    /// Of the agent, as it said last.
    pub agent_version: String,
    pub enrolled_at: OffsetDateTime,
    /// By any call of its.
    pub last_contact_at: Option<OffsetDateTime>,
    /// When it told of its floor last, and what it said of itself.
    pub told: Option<(OffsetDateTime, Floor)>,
    /// By how much its wall clock was ahead then, in milliseconds; and whether it called it synchronised.
    pub clock: Option<(i64, bool)>,
}

impl Health {
    /// Whether it is heard now.
    pub fn is_heard(&self, now: OffsetDateTime) -> bool {
        self.told.as_ref().is_some_and(|(at, _)| now - *at <= HEARD_FOR)
    }

    /// When anything was heard of it last.
    pub fn last_heard_at(&self) -> Option<OffsetDateTime> {
        self.last_contact_at.max(self.told.as_ref().map(|(at, _)| *at))
    }
}

/// The edges of branches in a scope, of one of them or of all.
pub async fn health(
    app: &App,
    db: &mut PgConnection,
    scope: Scope<'_>,
    branch: Option<BranchId>,
) -> sqlx::Result<Vec<Health>> {
    let mut all = store::active(db, scope, branch).await?;
    for health in &mut all {
        health.told = app.live.branch(health.branch);
        health.clock = app.live.clock(health.branch);
        if let Some((_, floor)) =
            health.told.as_ref().filter(|(_, it)| !it.agent_version.is_empty())
        {
            health.agent_version.clone_from(&floor.agent_version);
        }
    }
    Ok(all)
}
