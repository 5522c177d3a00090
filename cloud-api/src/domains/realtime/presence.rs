//! Who listens, over all instances. Staff of a branch see those who have a right there, as members; nobody else does.

use super::frame::Frame;
use super::store;
use super::topic::Topic;
use crate::app::App;
use crate::ids::{BranchId, MemberId, UserId};
use serde::Serialize;
use sqlx::PgConnection;
use std::collections::HashSet;
use std::sync::Arc;
use time::{Duration, OffsetDateTime};
use tokio::time::{MissedTickBehavior, interval};
use utoipa::ToSchema;
use uuid::Uuid;

/// Who of a branch's members is online.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct Presence {
    pub branch_id: BranchId,
    pub online: usize,
    pub members: Vec<MemberId>,
}

/// The topic under which instances are told that somebody of a branch came or went.
const TOPIC: &str = "presence";
pub const KIND: &str = "presence:changed";

/// An instance that was not seen for so long has gone.
const GONE_AFTER: Duration = Duration::MINUTE;
const SEEN_EVERY: Duration = Duration::seconds(15);
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(500);

/// How it is at a branch.
pub async fn at(
    db: &mut PgConnection,
    branch: BranchId,
    now: OffsetDateTime,
) -> sqlx::Result<Presence> {
    let members = store::online_at(db, branch, now - GONE_AFTER).await?;
    Ok(Presence { branch_id: branch, online: members.len(), members })
}

/// Keeps it up to date until `stop`, and tells who follows it.
pub async fn run(app: App) -> anyhow::Result<()> {
    let (sender, mut told) = tokio::sync::mpsc::channel(QUEUE);
    app.relay.on_message(move |topic, text| {
        if topic == TOPIC
            && let Ok(branch) = text.parse::<BranchId>()
        {
            // Full: what comes later says the same, or it is told a moment later by a snapshot.
            let _ = sender.try_send(branch);
        }
    });
    let mut own = Own { instance: Uuid::now_v7(), known: HashSet::new(), seen_at: None };
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let done = tokio::select! {
            () = app.stop.cancelled() => break,
            _ = ticks.tick() => own.note(&app).await,
            Some(branch) = told.recv() => tell(&app, branch).await,
        };
        if let Err(error) = done {
            tracing::warn!(error = format!("{error:#}"), "who is online is not told");
        }
    }
    store::forget_instance(&mut *app.db.acquire().await?, own.instance).await?;
    Ok(())
}

const QUEUE: usize = 256;

/// What this instance has said.
struct Own {
    instance: Uuid,
    known: HashSet<UserId>,
    seen_at: Option<OffsetDateTime>,
}

impl Own {
    async fn note(&mut self, app: &App) -> anyhow::Result<()> {
        let (now, present) = (app.clock.now(), app.realtime.present());
        let is_seen = self.seen_at.is_some_and(|at| now - at < SEEN_EVERY);
        if is_seen && present == self.known {
            return Ok(());
        }
        let come: Vec<_> = present.difference(&self.known).copied().collect();
        let gone: Vec<_> = self.known.difference(&present).copied().collect();
        let mut tx = app.db.begin().await?;
        store::note_instance(&mut tx, self.instance, now, now - GONE_AFTER).await?;
        store::note_online(&mut tx, self.instance, &come, &gone).await?;
        let changed = [come, gone].concat();
        let branches = store::branches_of(&mut tx, &changed).await?;
        tx.commit().await?;
        (self.known, self.seen_at) = (present, Some(now));
        for branch in branches {
            app.relay.tell(TOPIC, &branch.to_string()).await?;
        }
        Ok(())
    }
}

async fn tell(app: &App, branch: BranchId) -> anyhow::Result<()> {
    let topic = Topic::Staff(branch);
    if app.realtime.has(topic) {
        let now = app.clock.now();
        let presence = at(&mut *app.db.acquire().await?, branch, now).await?;
        let frame = Arc::new(Frame::now(KIND, now, &presence)?);
        app.realtime.publish(&[topic], &frame).await;
    }
    Ok(())
}
