//! Thousands who listen, as cheaply as they can be played: each notes when it hears a broadcast.

use anyhow::{Context as _, Result, ensure};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, timeout};

/// How to begin at a server.
#[derive(Debug, Clone)]
pub struct Greeting {
    /// Path and query.
    pub path: String,
    /// A text that is sent first.
    pub first: Option<&'static str>,
    /// Part of the text after which a client listens.
    pub ready: &'static str,
    /// Part of the text of a broadcast.
    pub told: &'static str,
}

/// Those who listen.
#[derive(Debug)]
pub struct Crowd {
    clients: JoinSet<Result<()>>,
    heard: mpsc::Receiver<Instant>,
    size: usize,
}

const LIMIT: Duration = Duration::from_mins(1);
const AT_ONCE: usize = 200;

impl Crowd {
    /// Lets so many listen.
    pub async fn gather(address: SocketAddr, greeting: &Greeting, size: usize) -> Result<Self> {
        let (sender, heard) = mpsc::channel(size);
        let (ready, woken) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let mut clients = JoinSet::new();
        for begun in 0..size {
            let client = Client {
                greeting: greeting.clone(),
                heard: sender.clone(),
                ready: Arc::clone(&ready),
                woken: Arc::clone(&woken),
            };
            clients.spawn(client.listen(address));
            while begun >= ready.load(Ordering::Acquire) + AT_ONCE {
                timeout(LIMIT, woken.notified()).await.context("clients do not get ready")?;
            }
        }
        while ready.load(Ordering::Acquire) < size {
            timeout(LIMIT, woken.notified()).await.context("clients do not get ready")?;
        }
        Ok(Self { clients, heard, size })
    }

    /// When each heard the next broadcast.
    pub async fn hear(&mut self) -> Result<Vec<Instant>> {
        let mut times = Vec::with_capacity(self.size);
        while times.len() < self.size {
            tokio::select! {
                heard = timeout(LIMIT, self.heard.recv()) => {
                    times.push(heard.context("a broadcast is not heard")?.context("nobody listens")?);
                }
                Some(ended) = self.clients.join_next() => {
                    ended??;
                    anyhow::bail!("a client has ended");
                }
            }
        }
        Ok(times)
    }
}

struct Client {
    greeting: Greeting,
    heard: mpsc::Sender<Instant>,
    ready: Arc<AtomicUsize>,
    woken: Arc<Notify>,
}

impl Client {
    async fn listen(self, address: SocketAddr) -> Result<()> {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            self.greeting.path
        );
        stream.write_all(request.as_bytes()).await?;
        if let Some(first) = self.greeting.first {
            stream.write_all(&masked(1, first.as_bytes())).await?;
        }
        let mut buffer = Vec::with_capacity(2_048);
        let mut has_begun = false;
        loop {
            ensure!(stream.read_buf(&mut buffer).await? > 0, "the server closed a connection");
            let now = Instant::now();
            if !has_begun {
                let Some(end) = find(&buffer, b"\r\n\r\n") else { continue };
                ensure!(
                    buffer.starts_with(b"HTTP/1.1 101"),
                    "{}",
                    String::from_utf8_lossy(&buffer)
                );
                buffer.drain(..end + 4);
                has_begun = true;
            }
            while let Some((opcode, payload, len)) = frame(&buffer) {
                if opcode == 9 {
                    stream.write_all(&masked(10, payload)).await?;
                } else if payload == b"2" {
                    // Socket.IO's own ping.
                    stream.write_all(&masked(1, b"3")).await?;
                } else if find(payload, self.greeting.told.as_bytes()).is_some() {
                    self.heard.send(now).await?;
                } else if find(payload, self.greeting.ready.as_bytes()).is_some() {
                    self.ready.fetch_add(1, Ordering::Release);
                    self.woken.notify_one();
                }
                buffer.drain(..len);
            }
        }
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// Opcode, payload and whole length of a server's frame, if all of it is there.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (head, len) = match second {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        len => (2, usize::from(len)),
    };
    Some((first & 0x0f, bytes.get(head..head + len)?, head + len))
}

/// A short frame of a client.
fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80 | opcode, 0x80 | payload.len().to_le_bytes()[0], 0, 0, 0, 0];
    bytes.extend_from_slice(payload);
    bytes
}
