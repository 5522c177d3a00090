//! Writes counters of cards that were used into `branch.db`, some seconds behind the journal: should the journal be
//! lost with all it remembers, messages of cards still cannot be replayed.

use super::Access;
use crate::journal::{Committed, What};
use anyhow::Result;
use protocol::sync::entry::Body;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

/// How far the second memory may be behind.
const EVERY: Duration = Duration::from_secs(3);

impl Access {
    /// Runs until `stop`, and writes what is left then.
    pub async fn remember(
        self,
        mut committed: broadcast::Receiver<Arc<Committed>>,
        stop: CancellationToken,
    ) -> Result<()> {
        let mut used = HashMap::new();
        let mut pause = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = pause.tick() => self.keep(&mut used).await,
                next = committed.recv() => match next {
                    Ok(commit) => used.extend(counters(&commit)),
                    // What is missed is caught up with the card's next tap.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => break,
                },
            }
        }
        while let Ok(commit) = committed.try_recv() {
            used.extend(counters(&commit));
        }
        self.keep(&mut used).await;
        stop.cancelled().await;
        Ok(())
    }

    async fn keep(&self, used: &mut HashMap<[u8; 32], u32>) {
        if used.is_empty() {
            return;
        }
        let counters: Vec<_> = used.drain().collect();
        if let Err(error) = self.registry.keep_card_counters(counters).await {
            tracing::warn!(?error, "the second memory of used cards is not written");
        }
    }
}

fn counters(commit: &Committed) -> impl Iterator<Item = ([u8; 32], u32)> {
    commit.items.iter().filter_map(|item| match &item.what {
        What::Event(Body::Decision(decision)) => Some((decision.card?, decision.sun_counter?)),
        _ => None,
    })
}
