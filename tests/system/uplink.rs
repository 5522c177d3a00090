//! What can go wrong between edge and cloud, and what can happen to an edge's files: nothing is lost, nothing doubled.

use anyhow::{Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests::chaos::Weather;
use tests::edge::Edge;
use tests::ledger::Ledger;
use tests::load::Crowd;
use tests::scene::{self, Scene};
use tests::seed::Seed;
use tests::wait;

const DRAIN_LIMIT: Duration = Duration::from_mins(1);
/// How long a weather lasts if nothing comes through it.
const WEATHER: Duration = Duration::from_millis(700);
/// What each device sends between two events.
const MESSAGES: u64 = 40;

/// A running edge with devices that it knows.
async fn prepare(seed: &mut Seed) -> Result<(Scene, Crowd)> {
    let mut scene = Scene::prepare().await?;
    let crowd = Crowd::gather(&scene.site, seed).await?;
    scene.edge.start().await?;
    scene::known(&scene.edge, &scene.site.reader("door-3").await?).await?;
    Ok((scene, crowd))
}

/// Everything was stored once.
async fn ensure_clean(scene: &Scene, ledger: &Ledger) -> Result<()> {
    let verdict = scene.judge(ledger, DRAIN_LIMIT).await?;
    ensure!(verdict.is_clean(), "{verdict}");
    Ok(())
}

#[tokio::test]
async fn no_weather_between_edge_and_cloud_loses_or_doubles_anything() -> Result<()> {
    let mut seed = Seed::announced("weather");
    let (mut scene, mut crowd) = prepare(&mut seed).await?;

    for round in 0..12 {
        let weather = match round % 4 {
            0 => Weather::Truncate(seed.between(1, 3_000)),
            1 => Weather::LoseAnswers,
            2 => Weather::Stall,
            _ => Weather::Slow(seed.between(500, 20_000)),
        };
        // Only connections that are made from now on suffer from some of it.
        scene.link.cut();
        scene.link.set(weather);
        let broken = scene.link.broken();
        crowd = crowd.send(scene.edge.ports().mqtt, MESSAGES).await?;
        // It need not come to that: a slow link may carry everything.
        let felt = async || Ok(scene.link.broken() > broken + 1);
        let _ = wait::until_true("the weather is felt", WEATHER, felt).await;
        scene.link.heal();
    }

    let ledger = crowd.settle(scene.edge.ports().mqtt).await?;
    ensure_clean(&scene, &ledger).await?;
    scene.edge.stop().await
}

#[tokio::test]
async fn an_old_copy_of_the_state_folder_doubles_nothing_and_goes_on() -> Result<()> {
    let mut seed = Seed::announced("old copy");
    let (mut scene, crowd) = prepare(&mut seed).await?;
    let copy = tempfile::tempdir()?;
    // The copy holds entries that the cloud does not have yet.
    scene.link.cut();
    let crowd = crowd.send(scene.edge.ports().mqtt, MESSAGES).await?;
    scene.edge.stop().await?;
    copy_folder(&scene.edge.state(), &copy.path().join("state"))?;
    scene.link.heal();
    scene.edge.start().await?;
    let crowd = crowd.send(scene.edge.ports().mqtt, MESSAGES).await?;
    scene.edge.drained(DRAIN_LIMIT).await?;

    scene.edge.kill().await?;
    fs::remove_dir_all(scene.edge.state())?;
    copy_folder(&copy.path().join("state"), &scene.edge.state())?;
    scene.edge.start().await?;
    let ledger = crowd.settle(scene.edge.ports().mqtt).await?;

    scene.edge.drained(DRAIN_LIMIT).await?;
    ensure_clean(&scene, &ledger).await?;
    scene.edge.stop().await
}

#[tokio::test]
async fn a_journal_whose_sent_tail_is_lost_doubles_nothing_and_goes_on() -> Result<()> {
    let mut seed = Seed::announced("lost tail");
    let (mut scene, crowd) = prepare(&mut seed).await?;
    let crowd = crowd.send(scene.edge.ports().mqtt, MESSAGES).await?;
    scene.edge.drained(DRAIN_LIMIT).await?;
    scene.edge.kill().await?;

    let log = scene.edge.state().join("journal.db-wal");
    let length = fs::metadata(&log)?.len();
    fs::OpenOptions::new().write(true).open(&log)?.set_len(seed.between(0, length))?;
    scene.edge.start().await?;
    let ledger = crowd.settle(scene.edge.ports().mqtt).await?;

    ensure_clean(&scene, &ledger).await?;
    scene.edge.stop().await
}

#[tokio::test]
async fn a_cloned_edge_is_found_out_and_costs_the_first_one_nothing() -> Result<()> {
    let mut seed = Seed::announced("clone");
    let (mut scene, crowd) = prepare(&mut seed).await?;
    let crowd = crowd.send(scene.edge.ports().mqtt, MESSAGES).await?;
    scene.edge.drained(DRAIN_LIMIT).await?;
    scene.edge.stop().await?;
    let mut clone = Edge::new()?;
    copy_folder(&scene.edge.state(), &clone.state())?;

    scene.edge.start().await?;
    let crowd = crowd.send(scene.edge.ports().mqtt, MESSAGES).await?;
    clone.start().await?;

    wait::until_true("staff are told of two edges with one key", DRAIN_LIMIT, || async {
        let told = "SELECT count(*) FROM notices WHERE code = 'edge_conflict'";
        Ok(sqlx::query_scalar::<_, i64>(told).fetch_one(&scene.pool).await? > 0)
    })
    .await?;
    let ledger = crowd.settle(scene.edge.ports().mqtt).await?;
    ensure_clean(&scene, &ledger).await?;
    clone.stop().await?;
    scene.edge.stop().await
}

#[tokio::test]
async fn an_edge_that_was_replaced_writes_nothing_any_more_and_keeps_what_it_has() -> Result<()> {
    let mut seed = Seed::announced("replaced");
    let (mut scene, crowd) = prepare(&mut seed).await?;
    let crowd = crowd.send(scene.edge.ports().mqtt, MESSAGES).await?;
    scene.edge.drained(DRAIN_LIMIT).await?;

    let mut successor = Edge::new()?;
    let link = format!("http://{}", scene.link.address());
    successor.enroll(&link, &scene.site.enroll_code().await?).await?;
    let before = tests::ledger::stored(&scene.pool).await?.len();
    let crowd = crowd.send(scene.edge.ports().mqtt, MESSAGES).await?;
    successor.start().await?;
    scene::known(&successor, &scene.site.reader("door-4").await?).await?;

    let backlog = scene.edge.metric(tests::metrics::BACKLOG).await?;
    ensure!(backlog > 0.0, "the replaced edge has nothing left");
    ensure!(tests::ledger::stored(&scene.pool).await?.len() == before, "it still writes");
    // Devices that were moved over bring to the successor what they send from now on.
    let ledger = crowd.settle(successor.ports().mqtt).await?;
    let new = wait::until_true("new data arrives", DRAIN_LIMIT, || async {
        Ok(tests::ledger::stored(&scene.pool).await?.len() > before)
    });
    new.await?;
    let verdict = ledger.judge(&tests::ledger::stored(&scene.pool).await?);
    ensure!(verdict.doubled.is_empty() && verdict.invented.is_empty(), "{verdict}");
    scene.edge.stop().await?;
    successor.stop().await
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    ensure!(copied.success(), "cp -a ended with {copied}");
    Ok(())
}
