//! Stores that cannot be written: the agent runs, says so, acks nothing that is not on disk, and goes back to the disk by
//! itself as soon as it can.

use anyhow::{Context as _, Result, ensure};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;
use tests::load::Crowd;
use tests::scene::{self, Scene};
use tests::seed::Seed;
use tests::wait;

const LIMIT: Duration = Duration::from_mins(1);
/// What each device sends: less than it may have unacked, so that all of it reaches the agent.
const MESSAGES: u64 = 40;

/// A branch whose agent has worked and was killed.
async fn prepare(seed: &mut Seed) -> Result<(Scene, Crowd)> {
    let mut scene = Scene::prepare().await?;
    let crowd = Crowd::gather(&scene.site, seed).await?;
    scene.edge.start().await?;
    scene::known(&scene.edge, &scene.site.reader("door-3").await?).await?;
    let crowd = crowd.send(scene.edge.ports().mqtt, MESSAGES).await?;
    scene.edge.kill().await?;
    Ok((scene, crowd))
}

async fn told(scene: &Scene, notice: &str) -> Result<()> {
    wait::until_true(&format!("staff are told {notice}"), LIMIT, || async {
        let told = "SELECT count(*) FROM notices WHERE code = $1";
        Ok(sqlx::query_scalar::<_, i64>(told).bind(notice).fetch_one(&scene.pool).await? > 0)
    })
    .await
    .with_context(|| format!("log of the agent: {}", scene.edge.log_text()))
}

async fn has_mode(scene: &Scene, mode: &str) -> Result<()> {
    wait::until_true(&format!("the journal is {mode}"), LIMIT, || async {
        Ok(scene.edge.health().await?["journal"] == mode)
    })
    .await
    .with_context(|| format!("log of the agent: {}", scene.edge.log_text()))
}

#[tokio::test]
async fn on_a_read_only_disk_nothing_is_acked_until_it_can_be_written_and_all_is_kept() -> Result<()>
{
    let mut seed = Seed::announced("read-only disk");
    let (mut scene, crowd) = prepare(&mut seed).await?;
    scene.edge.start_read_only().await?;
    has_mode(&scene, "memory").await?;
    ensure!(scene.edge.health().await?["journal_error"].is_string(), "it does not say why");
    told(&scene, "journal_in_memory").await?;
    scene.link.cut();

    let (edge, backlog) = (scene.edge.ports().mqtt, scene.edge.metric(tests::metrics::BACKLOG));
    let before = backlog.await?;
    let mut sending = std::pin::pin!(crowd.send(edge, MESSAGES));
    let arrived = wait::until_true("messages are in memory", LIMIT, || async {
        Ok(scene.edge.metric(tests::metrics::BACKLOG).await? > before + 2.0)
    });
    tokio::select! {
        arrived = arrived => arrived?,
        _ = &mut sending => anyhow::bail!("what is in memory only was acked"),
    }
    scene.edge.make_writable().await?;
    let crowd = tokio::time::timeout(LIMIT, sending)
        .await
        .with_context(|| format!("no acks; log of the agent: {}", scene.edge.log_text()))??;

    has_mode(&scene, "durable").await?;
    // Whatever it acked has to be on disk.
    scene.edge.kill().await?;
    scene.edge.start().await?;
    scene.link.heal();
    let ledger = crowd.settle(edge).await?;
    let verdict = scene.judge(&ledger, LIMIT).await?;
    ensure!(verdict.is_clean(), "{verdict}");
    ensure!(scene.edge.log_text().contains("journal_on_disk_again"), "it does not say so");
    scene.edge.stop().await
}

#[tokio::test]
async fn a_journal_file_that_may_not_be_written_is_set_aside_and_costs_nothing() -> Result<()> {
    let mut seed = Seed::announced("read-only file");
    let (mut scene, crowd) = prepare(&mut seed).await?;
    let journal = scene.edge.state().join("journal.db");
    fs::set_permissions(&journal, fs::Permissions::from_mode(0o400))?;

    // Root may write what nobody may write, unless it gives that up.
    scene.edge.start_by(&["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"]).await?;

    has_mode(&scene, "durable").await?;
    ensure!(scene.edge.health().await?["set_aside"] == 1, "the file is not set aside");
    let ledger = crowd.settle(scene.edge.ports().mqtt).await?;
    let verdict = scene.judge(&ledger, LIMIT).await?;
    ensure!(verdict.is_clean(), "{verdict}");
    told(&scene, "journal_set_aside").await?;
    scene.edge.stop().await
}
