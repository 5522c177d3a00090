//! Many devices at once, for faults in the middle of their load.

use super::{Role, Sender};
use crate::ledger::Ledger;
use crate::mqtt::Login;
use crate::seed::Seed;
use crate::site::Site;
use anyhow::{Context as _, Result};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long so many acks may take.
const ACK_LIMIT: Duration = Duration::from_mins(1);
/// More than a device sends before its agent is killed.
const UNTIL_KILLED: u64 = 1_000_000;

/// Devices under load, which live on over the kills.
#[derive(Debug)]
pub struct Crowd(Vec<Sender>);

impl Crowd {
    /// 12 machines and 2 readers of the branch.
    pub async fn gather(site: &Site, seed: &mut Seed) -> Result<Self> {
        let codes: Vec<String> = (0..12).map(|number| format!("bike-{number}")).collect();
        let machines = site.machines(&codes).await?;
        let readers = [site.reader("door-1").await?, site.reader("door-2").await?];
        let sender =
            |role, login: Login, seed: &mut Seed| Sender::new(role, login, seed.next_u32());
        let mut senders: Vec<Sender> =
            machines.into_iter().map(|login| sender(Role::Machine, login, seed)).collect();
        senders.extend(readers.into_iter().map(|login| sender(Role::Reader, login, seed)));
        Ok(Self(senders))
    }

    /// All send until `kill` acks have come, then `strike` is done to them.
    pub async fn under_load(
        self,
        edge: SocketAddr,
        kill: u64,
        strike: impl Future<Output = Result<()>>,
    ) -> Result<Self> {
        let (acks, reached) = (Arc::new(AtomicU64::new(0)), Arc::new(Notify::new()));
        let mut running = JoinSet::new();
        for mut sender in self.0 {
            let (acks, reached) = (acks.clone(), reached.clone());
            running.spawn(async move {
                let ended = sender
                    .run(edge, UNTIL_KILLED, || {
                        if acks.fetch_add(1, Ordering::Relaxed) + 1 == kill {
                            reached.notify_one();
                        }
                    })
                    .await;
                (sender, ended)
            });
        }
        timeout(ACK_LIMIT, reached.notified())
            .await
            .with_context(|| format!("only {} of {kill} acks", acks.load(Ordering::Relaxed)))?;
        strike.await?;
        let mut senders = Vec::new();
        while let Some(ended) = running.join_next().await {
            senders.push(ended?.0);
        }
        Ok(Self(senders))
    }

    /// Each sends so many more, and everything that is not acked yet, until all is acked.
    pub async fn send(self, edge: SocketAddr, count: u64) -> Result<Self> {
        let mut running = JoinSet::new();
        for mut sender in self.0 {
            running.spawn(async move { sender.run(edge, count, || {}).await.map(|()| sender) });
        }
        let mut senders = Vec::new();
        while let Some(ended) = running.join_next().await {
            senders.push(ended??);
        }
        Ok(Self(senders))
    }

    /// The same, and what all of them know in the end.
    pub async fn settle(self, edge: SocketAddr) -> Result<Ledger> {
        let mut ledger = Ledger::default();
        for sender in self.send(edge, 10).await?.0 {
            ledger.sent.merge(sender.ledger.sent);
            ledger.acked.merge(sender.ledger.acked);
        }
        Ok(ledger)
    }
}
