//! Asks the devices at ports who they are, all ports at once; a port that somebody uses is left alone.

use crate::port;
use protocol::serial::probe::{Interview, Peer, QUESTIONS, Question};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_serial::SerialPort;

/// A port that takes longer hangs in the kernel.
const PATIENCE: Duration = Duration::from_secs(12);

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Somebody answered, or said something.
    Peer(Peer),
    /// Nobody said anything.
    Silence,
    /// A program has the port open.
    InUse(String),
    /// It could not be asked.
    Failed(String),
}

/// Asks at all ports at once. The answers are in the order of the ports.
pub async fn ask(ports: &[PathBuf]) -> Vec<Answer> {
    let mut asked = JoinSet::new();
    for (number, port) in ports.iter().cloned().enumerate() {
        asked.spawn(async move {
            let answer = timeout(PATIENCE, ask_one(port)).await;
            (number, answer.unwrap_or_else(|_| Answer::Failed("the port hangs".to_owned())))
        });
    }
    let mut answers = vec![Answer::Silence; ports.len()];
    while let Some(answered) = asked.join_next().await {
        match answered {
            Ok((number, answer)) => answers[number] = answer,
            Err(error) => tracing::error!(%error, "a port could not be asked"),
        }
    }
    answers
}

async fn ask_one(path: PathBuf) -> Answer {
    if let Some(holder) = holder(Path::new("/proc"), &path) {
        return Answer::InUse(holder);
    }
    match interview(path).await {
        Ok(Some(peer)) => Answer::Peer(peer),
        Ok(None) => Answer::Silence,
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::BUSY.raw_os_error()) => {
            Answer::InUse("another program".to_owned())
        }
        Err(error) => Answer::Failed(port::explain(&error)),
    }
}

async fn interview(path: PathBuf) -> io::Result<Option<Peer>> {
    let mut baud = QUESTIONS.first().map_or(9_600, |question| question.baud);
    let mut port = port::open(path, baud).await?;
    let mut interview = Interview::new();
    for question in QUESTIONS {
        if question.baud != baud {
            baud = question.baud;
            port.set_baud_rate(baud)?;
        }
        if let Some(peer) = put(&mut port, question, &mut interview).await? {
            return Ok(Some(peer));
        }
    }
    Ok(interview.end())
}

/// Puts one question, and listens for as long as it takes.
async fn put(
    port: &mut (impl AsyncRead + AsyncWrite + Unpin),
    question: &Question,
    interview: &mut Interview,
) -> io::Result<Option<Peer>> {
    port.write_all(question.bytes).await?;
    let until = Instant::now() + question.wait;
    let mut buffer = [0; 256];
    loop {
        match timeout_at(until, port.read(&mut buffer)).await {
            Err(_) => return Ok(None),
            Ok(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(Err(error)) => return Err(error),
            Ok(Ok(length)) => {
                if let Some(peer) = interview.hear(&buffer[..length]) {
                    return Ok(Some(peer));
                }
            }
        }
    }
}

/// Who has the port open, as far as this user may know. The kernel's own lock does not stop root.
fn holder(proc: &Path, port: &Path) -> Option<String> {
    let device = fs::canonicalize(port).ok()?;
    for process in fs::read_dir(proc).ok()?.flatten() {
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let has_it = |file: fs::DirEntry| fs::read_link(file.path()).is_ok_and(|to| to == device);
        if files.flatten().any(has_it) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            let number = process.file_name();
            return Some(format!("{} (process {})", name.trim(), number.to_string_lossy()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;
    use tokio::io::duplex;

    #[tokio::test(start_paused = true)]
    async fn a_chip_that_answers_is_known_and_a_silent_one_costs_only_the_wait() {
        let (mut chip, mut port) = duplex(256);
        let version =
            [0x00, 0x00, 0xFF, 0x06, 0xFA, 0xD5, 0x03, 0x32, 0x01, 0x06, 0x07, 0xE8, 0x00];
        let began = Instant::now();
        let mut interview = Interview::new();

        let silence = put(&mut port, &QUESTIONS[0], &mut interview).await.unwrap();
        chip.write_all(&version).await.unwrap();
        let answer = put(&mut port, &QUESTIONS[1], &mut interview).await.unwrap();

        assert_eq!(silence, None);
        assert_eq!(answer, Some(Peer::CardReader { chip: 0x32, version: (1, 6) }));
        assert_eq!(began.elapsed(), QUESTIONS[0].wait);
        let mut asked = vec![0; QUESTIONS[1].bytes.len()];
        chip.read_exact(&mut asked).await.unwrap();
        assert_eq!(asked, QUESTIONS[1].bytes);
    }

    #[test]
    fn a_port_that_is_open_somewhere_is_told_with_the_program() {
        let folder = TempDir::new().unwrap();
        let port = folder.path().join("ttyUSB0");
        fs::write(&port, "").unwrap();
        let process = folder.path().join("proc/77");
        fs::create_dir_all(process.join("fd")).unwrap();
        fs::write(process.join("comm"), "firmware-bridge\n").unwrap();
        let link = folder.path().join("by-id");
        symlink(&port, &link).unwrap();

        let before = holder(&folder.path().join("proc"), &link);
        symlink(fs::canonicalize(&port).unwrap(), process.join("fd/5")).unwrap();
        let after = holder(&folder.path().join("proc"), &link);

        assert_eq!((before, after), (None, Some("firmware-bridge (process 77)".to_owned())));
    }
}
