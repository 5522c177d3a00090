//! `kill -9` of the agent, of the cloud and of Postgres under load: what was acked is in Postgres, once.

use anyhow::{Context as _, Result, ensure};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tests::ledger::Ledger;
use tests::load::{Role, Sender};
use tests::mqtt::Login;
use tests::scene::{self, Scene};
use tests::seed::Seed;
use tests::server::Server;
use tests::wait;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// How long everything may take to reach the cloud after the last fault.
const DRAIN_LIMIT: Duration = Duration::from_mins(1);
const CLOUD_KILLS: u64 = 15;
const POSTGRES_KILLS: u64 = 6;
/// What each device sends meanwhile.
const MESSAGES: u64 = 60;
/// More than a device sends before its agent is killed.
const UNTIL_KILLED: u64 = 1_000_000;

/// Devices under load, which live on over the kills.
struct Crowd(Vec<Sender>);

impl Crowd {
    /// 12 machines and 2 readers of the branch.
    async fn gather(scene: &Scene, seed: &mut Seed) -> Result<Self> {
        let codes: Vec<String> = (0..12).map(|number| format!("bike-{number}")).collect();
        let machines = scene.site.machines(&codes).await?;
        let readers = [scene.site.reader("door-1").await?, scene.site.reader("door-2").await?];
        let sender =
            |role, login: Login, seed: &mut Seed| Sender::new(role, login, seed.next_u32());
        let mut senders: Vec<Sender> =
            machines.into_iter().map(|login| sender(Role::Machine, login, seed)).collect();
        senders.extend(readers.into_iter().map(|login| sender(Role::Reader, login, seed)));
        Ok(Self(senders))
    }

    /// All send until `kill` acks have come, then `strike` is done to them.
    async fn under_load(
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
        tokio::time::timeout(DRAIN_LIMIT, reached.notified())
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
    async fn send(self, edge: SocketAddr, count: u64) -> Result<Self> {
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
    async fn settle(self, edge: SocketAddr) -> Result<Ledger> {
        let mut ledger = Ledger::default();
        for sender in self.send(edge, 10).await?.0 {
            ledger.sent.merge(sender.ledger.sent);
            ledger.acked.merge(sender.ledger.acked);
        }
        Ok(ledger)
    }
}

/// How often the agent is killed: 200 times, or as `TEST_KILLS` says.
fn cycles() -> u64 {
    std::env::var("TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}

#[tokio::test]
async fn a_killed_agent_loses_and_doubles_nothing_that_was_acked() -> Result<()> {
    let mut seed = Seed::announced("kills of the agent");
    let mut scene = Scene::prepare().await?;
    let mut crowd = Crowd::gather(&scene, &mut seed).await?;
    scene.edge.start().await?;
    scene::known(&scene.edge, &scene.site.reader("door-3").await?).await?;

    for _ in 0..cycles() {
        let (edge, kill) = (scene.edge.ports().mqtt, seed.between(1, 600));
        crowd = crowd.under_load(edge, kill, scene.edge.kill()).await?;
        scene.edge.start().await?;
    }

    let ledger = crowd.settle(scene.edge.ports().mqtt).await?;
    let verdict = scene.judge(&ledger, DRAIN_LIMIT).await?;
    ensure!(verdict.is_clean(), "{verdict}");
    ensure!(ledger.acked.len() as u64 > cycles() * 100, "hardly any load");
    scene.edge.stop().await
}

#[tokio::test]
async fn a_killed_cloud_loses_and_doubles_nothing() -> Result<()> {
    let mut seed = Seed::announced("kills of the cloud");
    let mut scene = Scene::prepare().await?;
    let mut crowd = Crowd::gather(&scene, &mut seed).await?;
    scene.edge.start().await?;
    scene::known(&scene.edge, &scene.site.reader("door-3").await?).await?;

    for _ in 0..CLOUD_KILLS {
        let sending = crowd.send(scene.edge.ports().mqtt, MESSAGES);
        let passed = scene.link.bytes_up() + seed.between(1, 8_000);
        let killing = async {
            // Somewhere in a request: after a seeded number of bytes.
            let is_there = async || Ok(scene.link.bytes_up() >= passed);
            wait::until_true("bytes went up", DRAIN_LIMIT, is_there).await?;
            scene.cloud.kill().await?;
            scene.cloud.start().await
        };
        let (sent, killed) = tokio::join!(sending, killing);
        killed?;
        crowd = sent?;
    }

    let ledger = crowd.settle(scene.edge.ports().mqtt).await?;
    let verdict = scene.judge(&ledger, DRAIN_LIMIT).await?;
    ensure!(verdict.is_clean(), "{verdict}");
    scene.edge.stop().await?;
    scene.cloud.stop().await
}

#[tokio::test]
async fn a_killed_postgres_loses_and_doubles_nothing() -> Result<()> {
    let mut seed = Seed::announced("kills of Postgres");
    let mut server = Server::start().await?;
    let mut scene = Scene::over(server.db().await?).await?;
    let mut crowd = Crowd::gather(&scene, &mut seed).await?;
    scene.edge.start().await?;
    scene::known(&scene.edge, &scene.site.reader("door-3").await?).await?;

    for _ in 0..POSTGRES_KILLS {
        let sending = crowd.send(scene.edge.ports().mqtt, MESSAGES);
        let passed = scene.link.bytes_up() + seed.between(1, 8_000);
        let killing = async {
            let is_there = async || Ok(scene.link.bytes_up() >= passed);
            wait::until_true("bytes went up", DRAIN_LIMIT, is_there).await?;
            server.kill_and_start().await
        };
        let (sent, killed) = tokio::join!(sending, killing);
        killed?;
        crowd = sent?;
    }

    let ledger = crowd.settle(scene.edge.ports().mqtt).await?;
    let verdict = scene.judge(&ledger, DRAIN_LIMIT).await?;
    ensure!(verdict.is_clean(), "{verdict}");
    scene.edge.stop().await?;
    scene.cloud.stop().await?;
    drop(scene);
    server.remove().await
}
