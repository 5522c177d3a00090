//! A Postgres server of one test's own, which it may kill.

use crate::db::{self, Db};
use crate::wait;
use anyhow::{Context as _, Result};
use cloud_api::postgres::private::{Options, Private};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// How long recovery may take after a kill.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A server in memory: what the kernel has, a kill does not take away.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    private: Option<Private>,
}

impl Server {
    /// Starts one.
    pub async fn start() -> Result<Self> {
        let folder = db::below(&format!("own-{}", uuid::Uuid::now_v7().simple()));
        let private = Some(Private::start(options(&folder)).await?);
        Ok(Self { folder, private })
    }

    /// A database with the whole schema.
    pub async fn db(&self) -> Result<Db> {
        Db::on(options(&self.folder)).await
    }

    /// `kill -9` of the server, and a start after it, as an init system does.
    pub async fn kill_and_start(&mut self) -> Result<()> {
        let file = fs::read_to_string(self.folder.join("data/postmaster.pid"))?;
        let pid = file.lines().next().and_then(|line| line.parse().ok()).and_then(Pid::from_raw);
        kill_process(pid.context("postmaster.pid has no pid")?, Signal::KILL)?;
        self.private = None;
        // Its children need a moment to notice, and no server starts beside them.
        let started = wait::until("Postgres starts again", START_LIMIT, || async {
            Private::start(options(&self.folder)).await.map(Some)
        })
        .await?;
        self.private = Some(started);
        Ok(())
    }
}

impl Drop for Server {
    /// Stops it and removes its files; on a thread with a runtime of its own, since the test's one may be ending.
    fn drop(&mut self) {
        self.private = None;
        let folder = self.folder.clone();
        let stopped = std::thread::spawn(move || -> Result<()> {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(db::stop(&folder))
        });
        // What stays is in memory and stops nobody.
        let _ = stopped.join();
    }
}

fn options(folder: &std::path::Path) -> Options {
    db::options(folder).setting("full_page_writes", "on").setting("synchronous_commit", "on")
}
