//! One connection: queue messages, flush, take acks as they come.

use super::packets::{self, Incoming, Refused};
use anyhow::{Context as _, Result, bail, ensure};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// How long a broker may take to answer a CONNECT or a SUBSCRIBE.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Who connects.
#[derive(Debug, Clone)]
pub struct Login {
    /// User name: the device's code. It is the client id, too.
    pub user: String,
    /// Its secret; without one there is no login at all (for a broker that asks none).
    pub password: Option<String>,
}

/// A message that was acked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acked {
    /// The caller's number of it.
    pub message: u64,
    /// From queueing to the ack.
    pub after: Duration,
}

/// A message that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Its topic.
    pub topic: String,
    /// Its content.
    pub payload: Vec<u8>,
    /// Whether it was kept for new subscribers.
    pub retain: bool,
}

#[derive(Debug)]
struct Unacked {
    packet_id: u16,
    message: u64,
    since: Instant,
}

/// A connection over any stream.
#[derive(Debug)]
pub struct Connection<S = TcpStream> {
    stream: S,
    out: Vec<u8>,
    inbox: Vec<u8>,
    taken: usize,
    unacked: VecDeque<Unacked>,
    received: VecDeque<Received>,
    next_packet_id: u16,
}

impl Connection {
    /// Connects over plain TCP.
    pub async fn open(address: SocketAddr, login: &Login) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Self::over(stream, login).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Connects over a stream; a refusal is an error that holds [`Refused`].
    pub async fn over(stream: S, login: &Login) -> Result<Self> {
        let mut connection = Self {
            stream,
            out: Vec::new(),
            inbox: Vec::with_capacity(64 * 1024),
            taken: 0,
            unacked: VecDeque::new(),
            received: VecDeque::new(),
            next_packet_id: 1,
        };
        let credentials = login.password.as_deref().map(|password| (&*login.user, password));
        connection.out = packets::connect(&login.user, credentials, 60);
        connection.flush().await?;
        match timeout(ANSWER_LIMIT, connection.next_packet()).await.context("no CONNACK")?? {
            Incoming::Connack(0) => Ok(connection),
            Incoming::Connack(code) => Err(Refused(code).into()),
            other => bail!("{other:?} instead of a CONNACK"),
        }
    }

    /// Subscribes with QoS 1; before anything is published.
    pub async fn subscribe(&mut self, filter: &str) -> Result<()> {
        packets::subscribe(&mut self.out, filter);
        self.flush().await?;
        loop {
            match timeout(ANSWER_LIMIT, self.next_packet()).await.context("no SUBACK")?? {
                Incoming::Suback(codes) => {
                    ensure!(codes.iter().all(|code| *code < 0x80), "{filter} was refused");
                    return Ok(());
                }
                // A kept message may overtake the answer.
                other => self.keep(other),
            }
        }
    }

    /// Puts a QoS 1 message into the buffer; `message` comes back with its ack.
    pub fn queue(&mut self, topic: &str, payload: &[u8], message: u64, dup: bool) {
        let packet_id = self.next_packet_id;
        self.next_packet_id = packet_id.checked_add(1).unwrap_or(1);
        packets::publish(&mut self.out, topic, payload, packet_id, dup);
        self.unacked.push_back(Unacked { packet_id, message, since: Instant::now() });
    }

    /// Sends what is queued.
    pub async fn flush(&mut self) -> Result<()> {
        self.stream.write_all(&self.out).await?;
        self.stream.flush().await?;
        self.out.clear();
        Ok(())
    }

    /// Messages that wait for their ack.
    pub fn unacked(&self) -> usize {
        self.unacked.len()
    }

    /// Waits for at least one ack and takes all that have come. Cancelling loses nothing.
    pub async fn acks(&mut self) -> Result<Vec<Acked>> {
        let mut acked = Vec::new();
        loop {
            while let Some(packet) = self.take()? {
                match packet {
                    Incoming::Puback(packet_id) => acked.push(self.settle(packet_id)?),
                    other => self.keep(other),
                }
            }
            if !acked.is_empty() {
                return Ok(acked);
            }
            self.read().await?;
        }
    }

    /// Waits for a message and acks it if it wants that.
    pub async fn receive(&mut self) -> Result<Received> {
        loop {
            if let Some(received) = self.received.pop_front() {
                self.flush().await?;
                return Ok(received);
            }
            let packet = self.next_packet().await?;
            self.keep(packet);
        }
    }

    /// Sends a ping, so that an idle connection lives.
    pub async fn ping(&mut self) -> Result<()> {
        self.out.extend_from_slice(&packets::PINGREQ);
        self.flush().await
    }

    /// Waits until the other side has ended it, whatever else it says before.
    pub async fn ended(&mut self) {
        while self.next_packet().await.is_ok() {}
    }

    /// Says goodbye.
    pub async fn close(mut self) -> Result<()> {
        self.out.extend_from_slice(&packets::DISCONNECT);
        self.flush().await?;
        Ok(self.stream.shutdown().await?)
    }

    /// Acks come in the order of the messages (MQTT-4.6.0-2), which is checked here.
    fn settle(&mut self, packet_id: u16) -> Result<Acked> {
        let first = self.unacked.pop_front().context("an ack for nothing")?;
        ensure!(
            first.packet_id == packet_id,
            "packet {packet_id} was acked before packet {}",
            first.packet_id
        );
        Ok(Acked { message: first.message, after: first.since.elapsed() })
    }

    fn keep(&mut self, packet: Incoming) {
        if let Incoming::Publish { topic, payload, packet_id, retain } = packet {
            if let Some(packet_id) = packet_id {
                packets::puback(&mut self.out, packet_id);
            }
            self.received.push_back(Received { topic, payload, retain });
        }
    }

    async fn next_packet(&mut self) -> Result<Incoming> {
        loop {
            if let Some(packet) = self.take()? {
                return Ok(packet);
            }
            self.read().await?;
        }
    }

    fn take(&mut self) -> Result<Option<Incoming>> {
        let Some((packet, length)) = packets::parse(&self.inbox[self.taken..])? else {
            self.inbox.drain(..self.taken);
            self.taken = 0;
            return Ok(None);
        };
        self.taken += length;
        Ok(Some(packet))
    }

    async fn read(&mut self) -> Result<()> {
        ensure!(
            self.stream.read_buf(&mut self.inbox).await? > 0,
            "the broker closed the connection"
        );
        Ok(())
    }
}
