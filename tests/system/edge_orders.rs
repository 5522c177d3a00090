//! What the cloud orders the edge itself: carried out once, also if the edge starts again in between.

use anyhow::{Context as _, Result};
use edge_agent::update::makers::{self, Order};
use edge_agent::update::manifest::Databases;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tests::scene::Scene;
use tests::{process, wait};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const LIMIT: Duration = Duration::from_secs(20);
const NEW: &str = "0.2.0";

/// Makes a release of the very programs that are tested, and says where its manifest is.
fn release(folder: &Path) -> Result<()> {
    let programs = folder.join("programs");
    fs::create_dir_all(&programs)?;
    let agent = process::binary("edge-agent")?;
    let mut strip = std::process::Command::new("strip");
    let stripped = strip.arg("-o").arg(programs.join("edge-agent")).arg(agent).status()?;
    anyhow::ensure!(stripped.success(), "strip, of binutils, makes the release smaller");
    let key = folder.join("maker.pem");
    fs::write(folder.join("release-keys"), makers::make_key(&key)?)?;
    let order = Order {
        version: NEW.parse()?,
        min_version: "0.1.0".parse()?,
        databases: Databases::own(),
        programs: vec![(std::env::consts::ARCH.to_owned(), programs)],
        out: folder.join("out"),
    };
    makers::release(&order, &makers::read_key(&key)?, 1)?;
    Ok(())
}

/// Serves the release for as long as the tasks live.
async fn serve(folder: &Path, tasks: &mut JoinSet<()>) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/gymwire-{NEW}.json", listener.local_addr()?);
    let out = folder.join("out");
    let answer = move |axum::extract::Path(name): axum::extract::Path<String>| async move {
        fs::read(out.join(name)).map_err(|_| axum::http::StatusCode::NOT_FOUND)
    };
    let router = axum::Router::new().route("/{name}", axum::routing::get(answer));
    tasks.spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    Ok(url)
}

async fn done(scene: &Scene, command: &str, args: Map<String, Value>) -> Result<()> {
    let order = scene.site.order_edge(command, args, LIMIT).await?;
    wait::until_true(command, LIMIT, || async {
        Ok(scene.site.outcome(order).await?.as_deref() == Some("done"))
    })
    .await
}

#[tokio::test]
async fn the_edge_restarts_and_becomes_another_release_when_it_is_told_and_once() -> Result<()> {
    let mut scene = Scene::prepare().await?;
    let folder = tempfile::tempdir()?;
    release(folder.path())?;
    let mut serving = JoinSet::new();
    let url = serve(folder.path(), &mut serving).await?;
    let keys = folder.path().join("release-keys");
    scene
        .edge
        .configure(&format!("update.keys = \"{}\"\nupdate.settle_s = 0\n", keys.display()))?;
    scene.edge.start_launched(&keys).await?;

    done(&scene, "diag", Map::new()).await?;
    done(&scene, "restart", Map::new()).await?;
    let restarted = scene.edge.process()?.ended(LIMIT).await?;
    scene.edge.start_launched(&keys).await?;
    let args = json!({ "url": url }).as_object().cloned().context("an object")?;
    done(&scene, "update", args).await?;
    let switched = scene.edge.process()?.ended(LIMIT).await?;
    scene.edge.start_launched(&keys).await?;
    wait::until_true("the release has proven itself", LIMIT, || async {
        Ok(!scene.edge.state().join(format!("releases/{NEW}/trial.json")).exists())
    })
    .await?;

    assert_eq!((restarted.code(), switched.code()), (Some(75), Some(75)));
    assert_eq!(scene.edge.health().await?["release"], NEW);
    scene.edge.stop().await
}
