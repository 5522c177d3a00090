//! The edge's own key is replaced while everything runs, and whatever is killed meanwhile.

use anyhow::{Context as _, Result};
use edge_agent::registry::identity::Identity;
use std::path::Path;
use std::time::Duration;
use tests::scene::Scene;
use tests::{process, wait};

const LIMIT: Duration = Duration::from_secs(20);

/// What the cloud holds of the edge: its key, and one that was announced, in hex.
async fn known(scene: &Scene) -> Result<(String, Option<String>)> {
    let sql = "SELECT encode(public_key, 'hex'), encode(next_public_key, 'hex') FROM edges
               WHERE revoked_at IS NULL";
    Ok(sqlx::query_as(sql).fetch_one(&scene.pool).await?)
}

/// The key that the edge's folder says is its own.
fn own(scene: &Scene) -> Result<String> {
    let loaded = Identity::of(&scene.edge.state()).load()?;
    Ok(loaded.context("it is enrolled")?.1.public_key)
}

async fn replaced(scene: &Scene, former: &str) -> Result<()> {
    wait::until_true("the key is replaced on both sides", LIMIT, || async {
        let (known, next) = known(scene).await?;
        let own = own(scene)?;
        Ok(known != former && next.is_none() && known == own)
    })
    .await
}

async fn count(scene: &Scene, sql: &'static str) -> Result<i64> {
    Ok(sqlx::query_scalar(sql).fetch_one(&scene.pool).await?)
}

/// How often an edge was refused a token.
async fn refusals(scene: &Scene) -> Result<usize> {
    let url = format!("{}/metrics", scene.cloud.url());
    let text = tests::http::client().get(url).send().await?.text().await?;
    let is_refusal = |line: &&str| {
        line.starts_with("http_requests_total") && line.contains("/token") && line.contains("401")
    };
    Ok(text.lines().filter(is_refusal).count())
}

fn lies(folder: &Path, name: &str) -> bool {
    folder.join("identity").join(name).exists()
}

#[tokio::test]
async fn the_edges_key_is_replaced_by_command_and_by_order_and_nobody_is_refused() -> Result<()> {
    let (mut scene, _) = Scene::with_machines(&["bike-1".to_owned()]).await?;
    let first = own(&scene)?;

    let config = scene.edge.config();
    let config = config.to_str().context("UTF-8")?;
    let said = process::output("edge-agent", ["key", "rotate", "--config", config], &[]).await?;
    replaced(&scene, &first).await?;
    let second = own(&scene)?;
    scene.site.order_edge("rotate_key", serde_json::Map::new(), LIMIT).await?;
    replaced(&scene, &second).await?;
    scene.edge.stop().await?;
    process::output("edge-agent", ["key", "rotate", "--config", config], &[]).await?;
    let third = own(&scene)?;
    scene.edge.start().await?;
    replaced(&scene, &third).await?;

    assert!(said.contains("new key"), "{said}");
    let audited = "SELECT count(*) FROM audit_log WHERE action = 'edge.key_replaced'";
    assert_eq!(count(&scene, audited).await?, 3);
    assert_eq!(count(&scene, "SELECT count(*) FROM edges").await?, 1);
    assert_eq!(refusals(&scene).await?, 0);
    scene.edge.stop().await
}

/// The moments after which the agent is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// The key is born, and the cloud is away.
    Born,
    /// The cloud knows it, the edge perhaps not yet that it does.
    Known,
    /// The edge knows that.
    Noted,
    /// It was used.
    Used,
}

impl Moment {
    async fn has_come(self, scene: &Scene, former: &str) -> Result<bool> {
        let state = scene.edge.state();
        let (key, next) = known(scene).await?;
        Ok(match self {
            Self::Born => lies(&state, "edge.key.next"),
            Self::Known => next.is_some() || key != former,
            Self::Noted => lies(&state, "edge.key.announced") || key != former,
            Self::Used => key != former,
        })
    }
}

#[tokio::test]
async fn an_agent_that_is_killed_at_any_moment_of_it_comes_back_with_a_key_that_counts()
-> Result<()> {
    let (mut scene, _) = Scene::with_machines(&["bike-1".to_owned()]).await?;
    for moment in [Moment::Born, Moment::Known, Moment::Noted, Moment::Used] {
        let former = own(&scene)?;
        scene.edge.stop().await?;
        Identity::of(&scene.edge.state()).draw_next_key()?;
        if matches!(moment, Moment::Born) {
            scene.link.cut();
        }
        scene.edge.start().await?;

        wait::until_true("the moment", LIMIT, || moment.has_come(&scene, &former)).await?;
        scene.edge.kill().await?;
        scene.link.heal();
        scene.edge.start().await?;

        replaced(&scene, &former).await.with_context(|| format!("{moment:?}"))?;
        assert_eq!(refusals(&scene).await?, 0, "{moment:?}");
    }
    let audited = "SELECT count(*) FROM audit_log WHERE action = 'edge.key_replaced'";
    assert_eq!(count(&scene, audited).await?, 4);
    scene.edge.stop().await
}

#[tokio::test]
async fn a_cloud_that_was_set_back_before_the_announcement_is_told_again() -> Result<()> {
    let (mut scene, _) = Scene::with_machines(&["bike-1".to_owned()]).await?;
    let former = own(&scene)?;
    scene.edge.stop().await?;
    let identity = Identity::of(&scene.edge.state());
    identity.draw_next_key()?;
    identity.set_announced(true)?;

    scene.edge.start().await?;

    replaced(&scene, &former).await?;
    scene.edge.stop().await
}
