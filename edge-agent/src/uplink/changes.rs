//! Asks the cloud what changed for the branch, and applies what is signed.

use super::Uplink;
use super::backoff::Backoff;
use super::http::{Failure, body};
use super::link::Lane;
use super::token::Cloud;
use anyhow::{Result, bail};
use protocol::sync::changes::{Changes, MAX_CHANGES_BYTES};
use reqwest::StatusCode;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Whatever the cloud answers, it is asked no more often than this.
const PACE: Duration = Duration::from_millis(50);
/// What the changes lane waits for after an answer that it could not use.
const UNUSABLE_PAUSE: Duration = Duration::from_secs(30);

/// Follows the cloud's changes for as long as the edge is enrolled this way.
pub(super) async fn run(uplink: &Uplink, cloud: &Cloud) -> Infallible {
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_mins(1));
    let mut waiter = uplink.link.waiter();
    let mut was_unusable = false;
    loop {
        uplink.link.hold().await;
        // A registry that cannot be read asks for everything anew.
        let from = uplink.registry.ask_from().await.unwrap_or(0);
        let asked = Instant::now();
        match ask(cloud, from).await {
            Ok(None) => {
                uplink.link.reached(Lane::Changes);
                backoff.reset();
                confirm(uplink).await;
            }
            Ok(Some(message)) => {
                uplink.link.reached(Lane::Changes);
                backoff.reset();
                match apply(uplink, &message).await {
                    Ok(()) => was_unusable = false,
                    Err(error) => {
                        tracing::error!(?error, "the cloud's changes cannot be used");
                        if !was_unusable {
                            uplink.notice("changes_unusable", format!("{error:#}")).await;
                        }
                        was_unusable = true;
                        tokio::time::sleep(UNUSABLE_PAUSE).await;
                    }
                }
            }
            Err(failure) => {
                uplink.failed(Lane::Changes, &failure).await;
                waiter.pause(backoff.next_wait(), &failure).await;
            }
        }
        sleep_until(asked + PACE).await;
    }
}

async fn ask(cloud: &Cloud, from: u64) -> Result<Option<Vec<u8>>, Failure> {
    let url = cloud.url(&format!("/changes?from={from}&wait_s=25"));
    let answer = cloud.call(|clients| clients.poll.get(&url)).await?;
    if answer.status() == StatusCode::NO_CONTENT {
        return Ok(None);
    }
    // Signature and compression add little, and what does not compress grows by a hair.
    body(answer, MAX_CHANGES_BYTES + MAX_CHANGES_BYTES / 16).await.map(Some)
}

async fn apply(uplink: &Uplink, message: &[u8]) -> Result<()> {
    let Some(enrolled) = uplink.registry.enrolled() else { return Ok(()) };
    let changes = Changes::verify(message, &enrolled.enrolment.cloud_keys())?;
    if changes.branch != enrolled.enrolment.answer.branch_id {
        bail!("they are for another branch");
    }
    if changes.changes.is_empty() && changes.to == changes.from && !changes.reset {
        confirm(uplink).await;
        return Ok(());
    }
    tracing::info!(
        from = changes.from,
        to = changes.to,
        count = changes.changes.len(),
        reset = changes.reset,
        "changes from the cloud"
    );
    let is_all = !changes.more;
    uplink.registry.apply(changes).await?;
    if is_all {
        confirm(uplink).await;
    }
    Ok(())
}

/// The cloud has nothing more: the roster is as old as this moment.
async fn confirm(uplink: &Uplink) {
    let Some(now_ms) = uplink.clock.trusted_ms() else { return };
    // What is not kept only makes the roster look older after a restart.
    if let Err(error) = uplink.registry.confirm_roster(now_ms).await {
        tracing::warn!(?error, "the age of the roster was not kept");
    }
}
