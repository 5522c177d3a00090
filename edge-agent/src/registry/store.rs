//! The thread that owns `branch.db`. Work comes as closures; a file that cannot be used is set aside.

use crate::ops::clock::Clock;
use crate::ops::durable::private_folder;
use anyhow::{Context as _, Result, bail};
use protocol::sync::entry::Notice;
use rusqlite::{Connection, ErrorCode};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Handle to the thread; it ends with the last handle.
#[derive(Debug, Clone)]
pub(super) struct Store {
    // Full: callers wait. Nothing on the way of a tap calls the store.
    jobs: mpsc::Sender<Job>,
}

type Job = Box<dyn FnOnce(&mut Connection) -> Fate + Send>;

/// What a job found out about the file.
enum Fate {
    Usable,
    Corrupt,
}

const MIGRATIONS: [&str; 4] = [
    include_str!("../../migrations/branch_0001_registry.sql"),
    include_str!("../../migrations/branch_0002_card_counters.sql"),
    include_str!("../../migrations/branch_0003_staff.sql"),
    include_str!("../../migrations/branch_0004_passed_secrets.sql"),
];
/// The newest schema version.
#[expect(clippy::cast_possible_wrap, reason = "there are not that many")]
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;
const SIDE_FILES: [&str; 3] = ["", "-wal", "-shm"];

impl Store {
    /// Opens the database in `file`, or one in memory without a file.
    pub(super) fn open(file: Option<PathBuf>, clock: Clock) -> Result<(Self, Vec<Notice>)> {
        let mut notices = Vec::new();
        let mut connection = open_somehow(file.as_deref(), &clock, &mut notices)?;
        let (jobs, mut queue) = mpsc::channel::<Job>(64);
        let work = move || {
            while let Some(job) = queue.blocking_recv() {
                if matches!(job(&mut connection), Fate::Corrupt) {
                    let mut found = Vec::new();
                    match open_somehow(file.as_deref(), &clock, &mut found) {
                        Ok(fresh) => connection = fresh,
                        Err(error) => tracing::error!(?error, "branch.db cannot be replaced"),
                    }
                }
            }
        };
        std::thread::Builder::new()
            .name("registry".to_owned())
            .spawn(work)
            .context("cannot start the thread of branch.db")?;
        Ok((Self { jobs }, notices))
    }

    /// Runs one unit of work on the thread. Keep it short: others wait behind it.
    pub(super) async fn call<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(move |connection: &mut Connection| {
            let done = work(connection);
            let fate = done.as_ref().err().filter(|error| is_corrupt(error));
            let fate = if fate.is_some() { Fate::Corrupt } else { Fate::Usable };
            let _ = answer.send(done);
            fate
        });
        self.jobs.send(job).await.ok().context("the thread of branch.db has ended")?;
        let done = answered.await.context("the thread of branch.db has ended")?;
        done.context("branch.db refused")
    }
}

fn is_corrupt(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// The file, or an empty one in its place, or memory when the disk takes nothing: the agent always starts.
fn open_somehow(
    file: Option<&Path>,
    clock: &Clock,
    notices: &mut Vec<Notice>,
) -> Result<Connection> {
    let Some(file) = file else { return open(Path::new(":memory:")) };
    let unusable = match open(file) {
        Ok(connection) => return Ok(connection),
        Err(error) => error,
    };
    let aside = set_aside(file, clock);
    tracing::error!(error = ?unusable, file = %file.display(), "branch.db cannot be used");
    notices.push(Notice {
        code: "registry_set_aside".to_owned(),
        detail: format!("branch.db could not be used and was set aside: {unusable:#}"),
    });
    match aside.and_then(|()| open(file)) {
        Ok(connection) => Ok(connection),
        Err(error) => {
            tracing::error!(?error, "no new branch.db can be made, devices are kept in memory");
            notices.push(Notice {
                code: "registry_in_memory".to_owned(),
                detail: format!("no new branch.db can be made: {error:#}"),
            });
            former(file).or_else(|error| {
                tracing::error!(?error, "nothing is known of former devices");
                open(Path::new(":memory:"))
            })
        }
    }
}

/// What a file that cannot be written says: its devices log in nevertheless. What is changed is in memory only.
fn former(file: &Path) -> Result<Connection> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).context("the system has no random numbers")?;
    let memory = [PathBuf::from("/dev/shm"), std::env::temp_dir()];
    let folder = memory.into_iter().find(|folder| folder.is_dir()).context("no memory disk")?;
    let folder = folder.join(format!("gymwire-registry-{}", hex::encode(random)));
    private_folder(&folder)?;
    let copied = (|| {
        for side in ["", "-wal"] {
            let from = with_suffix(file, side);
            if from.exists() {
                std::fs::copy(from, folder.join(format!("branch.db{side}")))?;
            }
        }
        let connection = open(&folder.join("branch.db"))?;
        // Everything moves into the one file that is open, which then needs no name any more.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        connection.query_row("PRAGMA journal_mode = MEMORY", [], |_| Ok(()))?;
        Ok(connection)
    })();
    std::fs::remove_dir_all(&folder)?;
    copied
}

fn open(file: &Path) -> Result<Connection> {
    let mut connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let healthy: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if healthy != "ok" {
        bail!("it is damaged: {healthy}");
    }
    migrate(&mut connection)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection) -> Result<()> {
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let newest = u32::try_from(MIGRATIONS.len())?;
    if found > newest {
        bail!("it was written by a newer agent (version {found})");
    }
    for (version, migration) in (1..=newest).zip(MIGRATIONS).skip(found as usize) {
        let step = connection.transaction()?;
        step.execute_batch(migration)?;
        step.pragma_update(None, "user_version", version)?;
        step.commit()?;
    }
    Ok(())
}

fn set_aside(file: &Path, clock: &Clock) -> Result<()> {
    let stamp = clock.stamp();
    for side in SIDE_FILES {
        let from = with_suffix(file, side);
        if from.exists() {
            let to = with_suffix(file, &format!(".set-aside-{}{side}", stamp.wall_ms));
            std::fs::rename(&from, &to)
                .with_context(|| format!("cannot set {} aside", from.display()))?;
        }
    }
    Ok(())
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
