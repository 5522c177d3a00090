//! Branches that are not heard any more: told live, and by letter to who works there; once, and once when they are back.

use super::silence_store::{self as store, Turn};
use crate::app::App;
use crate::domains::accounts::{self, Status};
use crate::events::log::{Audience, BranchHeard, BranchSilent, Event, append};
use crate::jobs::Job;
use crate::outside::mail::{Letter, queue};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

/// Looks for branches that fell silent, or are back.
#[derive(Debug, Serialize, Deserialize)]
pub struct WatchSilence;

impl Job for WatchSilence {
    const KIND: &'static str = "edges.watch_silence";

    async fn run(self, app: &App) -> anyhow::Result<()> {
        let minutes = i64::from(app.config.edges.silent_after_min);
        if minutes == 0 {
            return Ok(());
        }
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        for turn in store::fell_silent(&mut tx, now - Duration::minutes(minutes)).await? {
            let event =
                Event::BranchSilent(BranchSilent { branch_id: turn.branch, since: turn.since });
            let (branch, since) = (turn.branch_name.clone(), readable(turn.since));
            tell(app, &mut tx, &turn, &event, &Letter::BranchSilent { branch, since }).await?;
        }
        for turn in store::came_back(&mut tx, now - Duration::minutes(minutes)).await? {
            let event = Event::BranchHeard(BranchHeard {
                branch_id: turn.branch,
                silent_since: turn.since,
            });
            let (branch, since) = (turn.branch_name.clone(), readable(turn.since));
            tell(app, &mut tx, &turn, &event, &Letter::BranchHeard { branch, since }).await?;
        }
        Ok(tx.commit().await?)
    }
}

async fn tell(
    app: &App,
    db: &mut PgConnection,
    turn: &Turn,
    event: &Event,
    letter: &Letter,
) -> anyhow::Result<()> {
    append(db, Audience::Staff(turn.branch), event, app.clock.now()).await?;
    for worker in accounts::workers(db, turn.organization, turn.branch).await? {
        if worker.status == Status::Active {
            queue(app, db, &worker.email, letter.clone()).await?;
        }
    }
    Ok(())
}

fn readable(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute())
}
