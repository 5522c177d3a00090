//! `/changes`: what a branch's edge is told, signed, in pages, by long poll.

#![expect(unused_qualifications, reason = "utoipa's macro repeats the names of query types")]

use super::caller::EdgeCaller;
use super::change_store::{self, Item, Progress};
use super::commands::MAX_WAIT_S;
use super::signing::{self, BranchKey};
use crate::app::App;
use crate::events::{Signal, wait_for};
use crate::http::{Problem, Query, Result};
use anyhow::Context;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use garde::Validate;
use protocol::sync::changes::{CHANGES_MEDIA_TYPE, Change, Changes, MAX_CHANGES_BYTES};
use serde::Deserialize;
use sqlx::PgConnection;
use std::time::Duration;
use tokio::time::Instant;
use utoipa::IntoParams;

/// Which changes.
#[derive(Debug, Deserialize, IntoParams, Validate)]
#[into_params(parameter_in = Query)]
pub struct ChangesQuery {
    /// The `to` of the last answer; 0 for everything.
    #[garde(skip)]
    #[serde(default)]
    #[param(minimum = 0, default = 0)]
    pub from: u64,
    /// Seconds to wait when there is nothing new.
    #[garde(range(max = MAX_WAIT_S))]
    #[serde(default)]
    #[param(minimum = 0, maximum = 30, default = 0)]
    pub wait_s: u64,
}

/// Ask what has changed.
///
/// Answers at once if anything has, else as soon as it does, else with no changes when the wait is over.
#[utoipa::path(get, path = "/changes", tag = "edges", security(("edge" = [])), params(ChangesQuery), responses(
    (status = 200, content_type = "application/vnd.gymwire.changes", body = Vec<u8>,
     description = "Version byte, key id (u16, little-endian), Ed25519 signature, and zstd of postcard of \
                    `Changes`, at most 1 MiB unpacked"),
    (status = 429, body = Problem, content_type = "application/problem+json",
     description = "`too_many_polls`: this edge waits too many times already")))]
pub async fn list_changes(
    State(app): State<App>,
    caller: EdgeCaller,
    Query(query): Query<ChangesQuery>,
) -> Result<impl IntoResponse> {
    let _waiting = app.polls.begin(caller.edge)?;
    let until = Instant::now() + Duration::from_secs(query.wait_s);
    // Heard from before the first look, so that nothing changes unnoticed in between.
    let mut signals = app.bus.subscribe();
    loop {
        let page = read_page(&app, &caller, query.from).await?;
        let is_news = page.changes.reset || !page.changes.changes.is_empty();
        if is_news || Instant::now() >= until || app.stop.is_cancelled() {
            let signed = page.changes.sign(page.key.key_id, &page.key.signing);
            return Ok(([(header::CONTENT_TYPE, CHANGES_MEDIA_TYPE)], signed));
        }
        drop(page);
        tokio::select! {
            () = app.stop.cancelled() => {}
            _ = wait_for(&mut signals, Signal::Changes(caller.branch), until) => {}
        }
    }
}

/// An answer and the key to sign it with.
struct Page {
    changes: Changes,
    key: BranchKey,
}

async fn read_page(app: &App, caller: &EdgeCaller, from: u64) -> Result<Page> {
    let mut db = app.db.acquire().await?;
    let progress = change_store::progress(&mut db, caller.branch).await?;
    let is_snapshot = from & SNAPSHOT != 0;
    let asked = from & !SNAPSHOT;
    // Ahead of us: the cloud was restored from a backup. Behind: tombstones it never saw are gone.
    let is_behind = asked < progress.forgotten && !is_snapshot;
    let is_reset = asked == 0 || asked > progress.version || is_behind;
    let start = if is_reset { 0 } else { asked };
    let keys = signing::believed(&mut db).await?;
    let mut changes = Changes {
        branch: caller.branch.into(),
        from,
        to: progress.version,
        reset: is_reset,
        more: false,
        changes: Vec::new(),
    };
    if is_reset {
        changes.changes.extend(keys.iter().map(|key| Change::CloudKey(key.public())));
    }
    fill(&mut db, app, caller, start, progress, &mut changes).await?;
    if changes.more && (is_reset || is_snapshot) {
        changes.to |= SNAPSHOT;
    }
    let known = change_store::keys_told_after(&mut db, caller.branch, start).await?;
    let key = signer(keys, &known).context("there is no signing key")?;
    Ok(Page { changes, key })
}

/// Marks a place inside a paged snapshot, which may lie before the tombstones that are gone. Positive as an i64,
/// since edges keep it in `SQLite`.
const SNAPSHOT: u64 = 1 << 62;

/// Adds items in the order of their versions until the page is full.
async fn fill(
    db: &mut PgConnection,
    app: &App,
    caller: &EdgeCaller,
    start: u64,
    progress: Progress,
    changes: &mut Changes,
) -> Result<()> {
    let mut room = MAX_CHANGES_BYTES - RESERVE;
    let mut after = start;
    loop {
        let items = change_store::after(db, caller.branch, after, progress.version).await?;
        let is_last = items.len() < change_store::AT_ONCE;
        for Item { version, content, is_removal, is_sealed } in items {
            // Who starts anew has nothing that could be removed.
            let is_told = !(is_removal && changes.reset);
            if is_told && content.len() > room {
                (changes.to, changes.more) = (after, true);
                return Ok(());
            }
            if is_told {
                room -= content.len();
                let change = postcard::from_bytes(&content).map_err(anyhow::Error::from)?;
                changes.changes.push(if is_sealed { unseal(app, change)? } else { change });
            }
            after = version;
        }
        if is_last {
            return Ok(());
        }
    }
}

/// A setting with the value that was sealed, which is shorter than its sealed form.
fn unseal(app: &App, change: Change) -> anyhow::Result<Change> {
    let Change::Setting { key, value } = change else { return Ok(change) };
    let sealed = hex::decode(value).context("a sealed setting is damaged")?;
    let plain = app.secrets.open(&key, &sealed)?;
    let value = std::str::from_utf8(&plain).context("a sealed setting is damaged")?.to_owned();
    Ok(Change::Setting { key, value })
}

/// For everything in an answer that is not an item.
const RESERVE: usize = 16 * 1024;

/// The newest key that the edge certainly knows: not one of those it has yet to be told of.
fn signer(mut keys: Vec<BranchKey>, untold: &[u16]) -> Option<BranchKey> {
    let known = keys.iter().rposition(|key| !untold.contains(&key.key_id));
    let index = known.or_else(|| keys.len().checked_sub(1))?;
    Some(keys.swap_remove(index))
}
