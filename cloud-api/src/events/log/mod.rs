//! The log of what is told live: an event is written in the transaction in which it happened, then numbered in the
//! order in which events became visible, so that one number says where a client of several streams goes on.
//!
//! What is only worth telling now (values of a machine, who is online) never comes here: `domains/realtime`.

mod data;
mod kind;
mod order;
mod store;

pub use data::*;
pub use kind::{Event, KINDS, Kind, RESERVED, RESERVED_OF_CLIENTS, WORKOUTS};
pub use order::{TOPIC, run};
pub use store::{Bounds, Logged, Stream, after, bounds, forget_user, of_streams};

use crate::app::App;
use crate::ids::{BranchId, MemberId, UserId};
use crate::jobs::Job;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

/// Who hears an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// The devices of one user.
    User(UserId),
    /// Those of the user who a member is; nobody if they have no account.
    Member(MemberId),
    /// Everybody who may use or works at a branch.
    Branch(BranchId),
    /// Who works at a branch.
    Staff(BranchId),
}

/// Tells an event once the caller's transaction is committed.
pub async fn append(
    db: &mut PgConnection,
    audience: Audience,
    event: &Event,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    append_all(db, &[(audience, event.clone())], now).await
}

/// The same for several, in this order.
pub async fn append_all(
    db: &mut PgConnection,
    events: &[(Audience, Event)],
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    for some in events.chunks(AT_ONCE) {
        store::insert(db, some, now).await?;
    }
    Ok(())
}

const AT_ONCE: usize = 1_000;

/// Forgets what nobody goes on from any more.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetLogged;

impl Job for ForgetLogged {
    const KIND: &'static str = "events.forget_logged";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        let before = app.clock.now() - KEPT;
        Ok(store::forget(&mut *app.db.acquire().await?, before).await?)
    }
}

const KEPT: Duration = Duration::DAY;
