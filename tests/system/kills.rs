//! `kill -9` of the agent, of the cloud and of Postgres under load: what was acked is in Postgres, once.

use anyhow::{Result, ensure};
use std::time::Duration;
use tests::load::Crowd;
use tests::scene::{self, Scene};
use tests::seed::Seed;
use tests::server::Server;
use tests::wait;

/// How long everything may take to reach the cloud after the last fault.
const DRAIN_LIMIT: Duration = Duration::from_mins(1);
const CLOUD_KILLS: u64 = 15;
const POSTGRES_KILLS: u64 = 6;
/// What each device sends meanwhile.
const MESSAGES: u64 = 60;

/// How often the agent is killed: 200 times, or as `TEST_KILLS` says.
fn cycles() -> u64 {
    std::env::var("TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(200)
}

#[tokio::test]
async fn a_killed_agent_loses_and_doubles_nothing_that_was_acked() -> Result<()> {
    let mut seed = Seed::announced("kills of the agent");
    let mut scene = Scene::prepare().await?;
    let mut crowd = Crowd::gather(&scene.site, &mut seed).await?;
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
    let mut crowd = Crowd::gather(&scene.site, &mut seed).await?;
    scene.edge.start().await?;
    scene::known(&scene.edge, &scene.site.reader("door-3").await?).await?;

    for _ in 0..CLOUD_KILLS {
        let sending = crowd.send(scene.edge.ports().mqtt, MESSAGES);
        let passed = scene.link.bytes_up() + seed.between(1, 2_000);
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
    let mut crowd = Crowd::gather(&scene.site, &mut seed).await?;
    scene.edge.start().await?;
    scene::known(&scene.edge, &scene.site.reader("door-3").await?).await?;

    for _ in 0..POSTGRES_KILLS {
        let sending = crowd.send(scene.edge.ports().mqtt, MESSAGES);
        let passed = scene.link.bytes_up() + seed.between(1, 2_000);
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
    scene.cloud.stop().await
}
