//! The socket by which the command line talks to the running agent: one line of JSON each way. Who may open the
//! state folder may ask everything.

use super::actions::{Actions, Ask};
use super::restart::Restart;
use super::status::Watched;
use anyhow::{Context as _, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done(Value),
    Refused(String),
}

const SOCKET: &str = "control.sock";
const MAX_LINE: u64 = 64 * 1024;
const MAX_ASKING: usize = 16;
const ASK_TIMEOUT: Duration = Duration::from_mins(1);

/// The socket, open.
#[derive(Debug)]
pub struct Control(UnixListener);

impl Control {
    /// Opens the socket in a state folder that this agent has locked.
    pub fn bind(state_dir: &Path) -> Result<Self> {
        let (folder, path) = short_path(state_dir)?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).context("cannot replace the control socket of a former start");
            }
            _ => {}
        }
        let listener = UnixListener::bind(&path).context("cannot open the control socket")?;
        restrict(&path)?;
        drop(folder);
        Ok(Self(listener))
    }

    /// Answers until `stop`.
    pub async fn run(
        self,
        actions: Actions,
        watched: Watched,
        restart: Restart,
        stop: CancellationToken,
    ) -> Result<()> {
        let asking = TaskTracker::new();
        loop {
            let stream = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                accepted = self.0.accept() => accepted.context("the control socket")?.0,
            };
            if asking.len() >= MAX_ASKING {
                continue; // Closed at once: the command says that the agent did not answer.
            }
            let (actions, watched, restart) = (actions.clone(), watched.clone(), restart.clone());
            asking.spawn(async move {
                let answered =
                    timeout(ASK_TIMEOUT, answer(stream, &actions, &watched, &restart)).await;
                if !matches!(answered, Ok(Ok(()))) {
                    tracing::debug!("a command went away before it was answered");
                }
            });
        }
    }
}

async fn answer(
    mut stream: UnixStream,
    actions: &Actions,
    watched: &Watched,
    restart: &Restart,
) -> Result<()> {
    let (read, mut write) = stream.split();
    let mut line = String::new();
    BufReader::new(read.take(MAX_LINE)).read_line(&mut line).await?;
    let asked = serde_json::from_str(&line);
    let is_restart = matches!(asked, Ok(Ask::Restart));
    let done = match asked {
        Ok(Ask::Status) => Ok(serde_json::to_value(watched.status())?),
        Ok(Ask::Restart) => Ok(Value::Null),
        Ok(ask) => actions.perform(ask).await,
        Err(error) => Err(anyhow!("the running agent does not understand: {error}")),
    };
    let answer = match done {
        Ok(value) => Answer::Done(value),
        Err(error) => Answer::Refused(format!("{error:#}")),
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    write.write_all(&line).await?;
    if is_restart {
        restart.order();
    }
    Ok(())
}

/// Asks the agent that runs on this state folder; `None` if none does.
pub async fn ask(state_dir: &Path, ask: &Ask) -> Result<Option<Value>> {
    let Ok((folder, path)) = short_path(state_dir) else { return Ok(None) };
    let mut stream = match UnixStream::connect(&path).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            bail!("the agent belongs to another user: run this as that user or root")
        }
        Err(_) => return Ok(None),
    };
    drop(folder);
    let mut line = serde_json::to_vec(ask)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut answer = String::new();
    timeout(ASK_TIMEOUT, stream.read_to_string(&mut answer))
        .await
        .context("the running agent does not answer")??;
    match serde_json::from_str(&answer).context("the running agent gave no answer")? {
        Answer::Done(value) => Ok(Some(value)),
        Answer::Refused(why) => bail!(why),
    }
}

/// A socket's path has room for 107 bytes, a state folder may lie deeper: the way through the open folder is
/// always short.
fn short_path(state_dir: &Path) -> Result<(File, String)> {
    let folder =
        File::open(state_dir).with_context(|| format!("cannot open {}", state_dir.display()))?;
    let path = format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd());
    Ok((folder, path))
}

fn restrict(path: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let owner_only = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, owner_only).context("cannot restrict the control socket")
}
