//! Connections that send the same HTTP request again as soon as it is answered. A client as small as it gets, on one
//! thread, so that what is measured is the service.

use crate::times::Times;
use anyhow::{Context as _, Result, bail, ensure};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// An answer that takes longer never comes.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// What is asked, by how many, how long.
#[derive(Debug, Clone)]
pub struct Asking {
    /// Whom.
    pub address: SocketAddr,
    /// The request, head and body.
    pub request: Vec<u8>,
    /// The status that is expected.
    pub status: u16,
    /// So many at the same time, each over a connection that it keeps.
    pub connections: u32,
    /// Between an answer and the next request. Connections begin spread over it.
    pub pause: Duration,
    /// What is not counted yet.
    pub warm_up: Duration,
    /// What is counted.
    pub counted: Duration,
}

/// How it went.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Answers a second.
    pub per_s: f64,
    /// How long each took.
    pub times: Times,
}

impl Asking {
    /// As fast as it is answered.
    pub fn fast(address: SocketAddr, request: Vec<u8>, status: u16, connections: u32) -> Self {
        let (pause, warm_up) = (Duration::ZERO, Duration::from_secs(2));
        let counted = Duration::from_secs(8);
        Self { address, request, status, connections, pause, warm_up, counted }
    }

    /// Asks, on a thread of its own. Fails if any connection is lost, or anything else is answered.
    pub async fn run(self) -> Result<Asked> {
        spawn_blocking(move || {
            runtime::Builder::new_current_thread().enable_all().build()?.block_on(self.asked())
        })
        .await?
    }

    async fn asked(self) -> Result<Asked> {
        let times = Arc::new(Mutex::new(Times::new()));
        let from = Instant::now() + self.pause + self.warm_up;
        let until = from + self.counted;
        let asking = Arc::new(self);
        let mut connections = JoinSet::new();
        for number in 0..asking.connections {
            let (asking, times) = (Arc::clone(&asking), Arc::clone(&times));
            connections.spawn(async move { asking.one(number, &times, from, until).await });
        }
        while let Some(ended) = connections.join_next().await {
            ended??;
        }
        let times = times.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let count = f64::from(u32::try_from(times.count())?);
        Ok(Asked { per_s: count / asking.counted.as_secs_f64(), times })
    }

    async fn one(
        &self,
        number: u32,
        times: &Mutex<Times>,
        from: Instant,
        until: Instant,
    ) -> Result<()> {
        sleep(self.pause * number / self.connections).await;
        let mut stream = TcpStream::connect(self.address).await.context("no connection")?;
        stream.set_nodelay(true)?;
        let mut inbox = Vec::with_capacity(2_048);
        loop {
            let begun = Instant::now();
            if begun >= until {
                return Ok(());
            }
            stream.write_all(&self.request).await?;
            let status = timeout(ANSWER_LIMIT, answer(&mut stream, &mut inbox)).await??;
            ensure!(status == self.status, "{status}: {}", String::from_utf8_lossy(&inbox));
            if begun >= from {
                times.lock().unwrap_or_else(PoisonError::into_inner).record(begun.elapsed());
            }
            if !self.pause.is_zero() {
                sleep_until(begun + self.pause).await;
            }
        }
    }
}

/// A request without a body, with a token.
pub fn get(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\r\n")
        .into_bytes()
}

/// A request with JSON.
pub fn post(path: &str, json: &serde_json::Value) -> Vec<u8> {
    let (body, kind) = (json.to_string(), "content-type: application/json");
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\n{kind}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Reads one answer, whose length its head says; its status. It stays in the inbox.
async fn answer(stream: &mut TcpStream, inbox: &mut Vec<u8>) -> Result<u16> {
    inbox.clear();
    loop {
        ensure!(stream.read_buf(inbox).await? > 0, "the connection was closed");
        let Some(end) = inbox.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { continue };
        let (status, length) = head(&inbox[..end])?;
        while inbox.len() < end + 4 + length {
            ensure!(stream.read_buf(inbox).await? > 0, "the connection was closed");
        }
        return Ok(status);
    }
}

fn head(bytes: &[u8]) -> Result<(u16, usize)> {
    let mut lines = std::str::from_utf8(bytes)?.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status")?;
    for line in lines {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            return Ok((status.parse()?, value.trim().parse()?));
        }
    }
    bail!("an answer without a length: {}", String::from_utf8_lossy(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_tells_status_and_length() {
        let told = head(b"HTTP/1.1 401 Unauthorized\r\na: b\r\nContent-Length: 12").unwrap();

        assert_eq!(told, (401, 12));
        assert!(head(b"HTTP/1.1 200 OK\r\na: b").is_err());
    }
}
