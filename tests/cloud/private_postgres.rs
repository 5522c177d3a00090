//! The private Postgres server: made, adopted, stopped.

use anyhow::{Context, Result};
use cloud_api::postgres::private::{Options, Private};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{ConnectOptions, Connection};
use std::path::Path;
use std::time::Duration;
use tests::{db, wait};
use tokio_util::sync::CancellationToken;

/// A folder that the user of the server can reach, in memory.
fn folder() -> Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = tempfile::Builder::new().prefix("gymwire-private-").tempdir_in(base)?;
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), readable)?;
    Ok(folder)
}

fn options(folder: &Path) -> Options {
    db::options(&folder.join("postgres"))
}

async fn answers(server: &Private) -> bool {
    match server.connect_options().connect().await {
        Ok(db) => db.close().await.is_ok(),
        Err(_) => false,
    }
}

#[tokio::test]
async fn who_adopts_a_server_leaves_it_running() -> Result<()> {
    let folder = folder()?;
    let first = Private::start(options(folder.path())).await?;

    let second = Private::start(options(folder.path())).await?;

    assert!(first.is_ours());
    assert!(!second.is_ours());
    second.stop().await?;
    assert!(answers(&first).await);
    first.stop().await
}

#[tokio::test]
async fn who_started_a_server_leaves_it_to_others_who_use_it() -> Result<()> {
    let folder = folder()?;
    let first = Private::start(options(folder.path())).await?;
    let second = Private::start(options(folder.path())).await?;

    first.stop().await?;

    assert!(answers(&second).await);
    let pid_file = folder.path().join("postgres/data/postmaster.pid");
    second.stop().await?;
    assert!(pid_file.exists());
    stop_left_over(folder.path())
}

#[tokio::test]
async fn a_server_that_was_stopped_has_its_data_when_it_starts_again() -> Result<()> {
    let folder = folder()?;
    let server = Private::start(options(folder.path())).await?;
    let mut db = server.connect_options().connect().await?;
    sqlx::query("CREATE TABLE kept (n int)").execute(&mut db).await?;
    db.close().await?;
    server.stop().await?;
    assert!(!folder.path().join("postgres/data/postmaster.pid").exists());

    let server = Private::start(options(folder.path())).await?;

    let mut db = server.connect_options().connect().await?;
    sqlx::query("SELECT n FROM kept").fetch_all(&mut db).await?;
    db.close().await?;
    server.stop().await
}

#[tokio::test]
async fn half_made_files_of_a_start_that_was_killed_are_made_anew() -> Result<()> {
    let folder = folder()?;
    let half_made = folder.path().join("postgres/data.new");
    std::fs::create_dir_all(&half_made)?;
    std::fs::write(half_made.join("PG_VERSION"), "15")?;

    let server = Private::start(options(folder.path())).await?;

    assert!(answers(&server).await);
    server.stop().await
}

#[tokio::test]
async fn two_starts_at_once_give_one_server() -> Result<()> {
    let folder = folder()?;

    let (one, other) = tokio::join!(
        Private::start(options(folder.path())),
        Private::start(options(folder.path())),
    );

    let (one, other) = (one?, other?);
    assert_eq!([one.is_ours(), other.is_ours()].iter().filter(|ours| **ours).count(), 1);
    let (starter, guest) = if one.is_ours() { (one, other) } else { (other, one) };
    guest.stop().await?;
    starter.stop().await
}

#[tokio::test]
async fn a_folder_too_deep_for_a_socket_still_works() -> Result<()> {
    let folder = folder()?;
    let deep = folder.path().join("x".repeat(100));

    let server = Private::start(options(&deep)).await?;

    assert!(answers(&server).await);
    server.stop().await
}

#[tokio::test]
async fn files_of_another_version_are_left_alone() -> Result<()> {
    let folder = folder()?;
    let data = folder.path().join("postgres/data");
    std::fs::create_dir_all(&data)?;
    std::fs::write(data.join("PG_VERSION"), "9")?;

    let error = Private::start(options(folder.path())).await.expect_err("it started");

    assert!(error.to_string().contains("was written by Postgres 9"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_server_that_was_killed_is_started_again() -> Result<()> {
    let folder = folder()?;
    let server = Private::start(options(folder.path())).await?;
    let mut db = server.connect_options().connect().await?;
    sqlx::query("CREATE TABLE kept (n int)").execute(&mut db).await?;
    let stop = CancellationToken::new();
    kill(folder.path(), Signal::KILL)?;

    let answered = async {
        let answered = wait::until_true("it answers again", Duration::from_secs(30), || async {
            let mut db = server.connect_options().connect().await?;
            Ok(sqlx::query("SELECT n FROM kept").fetch_all(&mut db).await.is_ok())
        });
        let answered = answered.await;
        stop.cancel();
        answered
    };
    let (answered, ()) = tokio::join!(answered, server.watch(stop.clone()));

    answered?;
    server.stop().await
}

/// A server that nobody who is left started.
fn stop_left_over(folder: &Path) -> Result<()> {
    kill(folder, Signal::INT)
}

fn kill(folder: &Path, signal: Signal) -> Result<()> {
    let text = std::fs::read_to_string(folder.join("postgres/data/postmaster.pid"))?;
    let pid = text.lines().next().and_then(|line| line.parse().ok());
    Ok(kill_process(pid.and_then(Pid::from_raw).context("a pid")?, signal)?)
}
