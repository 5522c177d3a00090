//! A TCP proxy that does what bad networks do: cuts, stalls, slows, truncates, loses answers.

use anyhow::Result;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// What the network does at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Everything passes.
    Fair,
    /// Connections are reset, and new ones at once after they were made.
    Cut,
    /// Connections stay and new ones are made, but nothing passes.
    Stall,
    /// At most so many bytes a second pass in each direction of each connection.
    Slow(u64),
    /// A connection is reset after so many bytes from the client.
    Truncate(u64),
    /// What the client sends passes, and its connection is reset when the first answer comes.
    LoseAnswers,
}

/// A proxy between clients and one server. It ends when this value goes away.
#[derive(Debug)]
pub struct ChaosLink {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    target: watch::Sender<SocketAddr>,
    counts: Arc<Counts>,
    _tasks: JoinSet<()>,
}

/// What has passed.
#[derive(Debug, Default)]
struct Counts {
    up: AtomicU64,
    down: AtomicU64,
    broken: AtomicU64,
}

impl ChaosLink {
    /// A proxy on a free port of loopback.
    pub async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (weather, weather_seen) = watch::channel(Weather::Fair);
        let (target, target_seen) = watch::channel(target);
        let counts = Arc::new(Counts::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, target_seen, weather_seen, counts.clone()));
        Ok(Self { address, weather, target, counts, _tasks: tasks })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what the network does, also for the connections there are.
    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Resets all connections and refuses new ones.
    pub fn cut(&self) {
        self.set(Weather::Cut);
    }

    /// Lets everything pass again.
    pub fn heal(&self) {
        self.set(Weather::Fair);
    }

    /// Leads new connections elsewhere, since the server was restarted on another port.
    pub fn retarget(&self, target: SocketAddr) {
        self.target.send_replace(target);
    }

    /// Bytes that went from clients to the server.
    pub fn bytes_up(&self) -> u64 {
        self.counts.up.load(Ordering::Relaxed)
    }

    /// Bytes that went from the server to clients.
    pub fn bytes_down(&self) -> u64 {
        self.counts.down.load(Ordering::Relaxed)
    }

    /// Connections that were broken on purpose.
    pub fn broken(&self) -> u64 {
        self.counts.broken.load(Ordering::Relaxed)
    }
}

async fn accept(
    listener: TcpListener,
    target: watch::Receiver<SocketAddr>,
    weather: watch::Receiver<Weather>,
    counts: Arc<Counts>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((client, _)) = accepted {
                    let server = *target.borrow();
                    connections.spawn(carry(client, server, weather.clone(), counts.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries one connection until both sides ended it or the weather breaks it.
async fn carry(
    client: TcpStream,
    server: SocketAddr,
    mut weather: watch::Receiver<Weather>,
    counts: Arc<Counts>,
) {
    let _ = client.set_nodelay(true);
    let refused = *weather.borrow_and_update() == Weather::Cut;
    let server = if refused { None } else { TcpStream::connect(server).await.ok() };
    let Some(server) = server else {
        counts.broken.fetch_add(1, Ordering::Relaxed);
        let _ = client.set_zero_linger();
        return;
    };
    let _ = server.set_nodelay(true);
    let (mut client_read, mut client_write) = client.into_split();
    let (mut server_read, mut server_write) = server.into_split();
    let broken = CancellationToken::new();
    let up = Lane { up: true, counts: &counts, broken: &broken, weather: weather.clone() };
    let down = Lane { up: false, counts: &counts, broken: &broken, weather };
    tokio::join!(
        up.pump(&mut client_read, &mut server_write),
        down.pump(&mut server_read, &mut client_write)
    );
    if broken.is_cancelled() {
        counts.broken.fetch_add(1, Ordering::Relaxed);
        for write in [client_write, server_write] {
            // A reset instead of an orderly end: what is under way is lost, as with a pulled plug.
            let _ = write.as_ref().set_zero_linger();
            write.forget();
        }
    }
}

/// One direction of one connection.
struct Lane<'a> {
    up: bool,
    counts: &'a Counts,
    broken: &'a CancellationToken,
    weather: watch::Receiver<Weather>,
}

impl Lane<'_> {
    async fn pump(mut self, from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf) {
        let mut passed = 0;
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let read = tokio::select! {
                () = self.broken.cancelled() => return,
                () = turned(&mut self.weather, |weather| weather == Weather::Cut) => {
                    return self.broken.cancel();
                }
                read = from.read(&mut buffer) => read,
            };
            let Ok(mut length) = read else { return self.broken.cancel() };
            if length == 0 {
                let _ = to.shutdown().await;
                return;
            }
            length = self.admit(passed, length).await;
            let written = to.write_all(&buffer[..length]).await;
            passed += length as u64;
            let count = if self.up { &self.counts.up } else { &self.counts.down };
            count.fetch_add(length as u64, Ordering::Relaxed);
            if written.is_err() || self.must_break(passed) {
                self.broken.cancel();
            }
            if self.broken.is_cancelled() {
                return;
            }
        }
    }

    /// Waits until bytes may pass, and says how many of them may.
    async fn admit(&mut self, passed: u64, length: usize) -> usize {
        tokio::select! {
            () = self.broken.cancelled() => return 0,
            () = turned(&mut self.weather, |weather| weather != Weather::Stall) => {}
        }
        let weather = *self.weather.borrow();
        match weather {
            Weather::Slow(bytes_per_s) => {
                let pause = Duration::from_micros(length as u64 * 1_000_000 / bytes_per_s.max(1));
                sleep(pause).await;
                length
            }
            Weather::Truncate(limit) if self.up => {
                usize::try_from(limit.saturating_sub(passed)).unwrap_or(length).min(length)
            }
            Weather::LoseAnswers if !self.up => 0,
            Weather::Cut => 0,
            _ => length,
        }
    }

    /// Whether the connection ends after what has passed.
    fn must_break(&self, passed: u64) -> bool {
        match *self.weather.borrow() {
            Weather::Truncate(limit) => self.up && passed >= limit,
            Weather::LoseAnswers => !self.up,
            Weather::Cut => true,
            _ => false,
        }
    }
}

/// Waits until the weather is as asked; forever once nobody can change it any more.
async fn turned(weather: &mut watch::Receiver<Weather>, is: impl Fn(Weather) -> bool) {
    if weather.wait_for(|weather| is(*weather)).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::ensure;

    /// A server that sends everything back.
    async fn echo() -> Result<(SocketAddr, JoinSet<()>)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(async move {
                    let (mut read, mut write) = stream.into_split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        Ok((address, tasks))
    }

    async fn ask(stream: &mut TcpStream, what: &[u8]) -> Result<()> {
        stream.write_all(what).await?;
        let mut answer = vec![0; what.len()];
        stream.read_exact(&mut answer).await?;
        ensure!(answer == what);
        Ok(())
    }

    #[tokio::test]
    async fn fair_weather_carries_everything_and_counts_it() -> Result<()> {
        let (server, _tasks) = echo().await?;
        let link = ChaosLink::start(server).await?;
        let mut stream = TcpStream::connect(link.address()).await?;

        ask(&mut stream, b"hello").await?;

        assert_eq!((link.bytes_up(), link.bytes_down()), (5, 5));
        Ok(())
    }

    #[tokio::test]
    async fn a_cut_resets_what_there_is_and_what_comes_until_it_heals() -> Result<()> {
        let (server, _tasks) = echo().await?;
        let link = ChaosLink::start(server).await?;
        let mut stream = TcpStream::connect(link.address()).await?;
        ask(&mut stream, b"hello").await?;

        link.cut();

        assert!(ask(&mut stream, b"hello").await.is_err());
        let mut refused = TcpStream::connect(link.address()).await?;
        assert!(ask(&mut refused, b"hello").await.is_err());
        link.heal();
        ask(&mut TcpStream::connect(link.address()).await?, b"hello").await
    }

    #[tokio::test]
    async fn a_stall_holds_bytes_back_until_it_heals() -> Result<()> {
        let (server, _tasks) = echo().await?;
        let link = ChaosLink::start(server).await?;
        let mut stream = TcpStream::connect(link.address()).await?;
        link.set(Weather::Stall);

        stream.write_all(b"hello").await?;
        let mut answer = [0; 5];
        let early = tokio::time::timeout(Duration::from_millis(50), stream.read(&mut answer)).await;
        link.heal();
        stream.read_exact(&mut answer).await?;

        assert!(early.is_err());
        assert_eq!(&answer, b"hello");
        Ok(())
    }

    #[tokio::test]
    async fn truncation_lets_exactly_so_many_bytes_pass() -> Result<()> {
        let (server, _tasks) = echo().await?;
        let link = ChaosLink::start(server).await?;
        link.set(Weather::Truncate(3));
        let mut stream = TcpStream::connect(link.address()).await?;

        let answered = ask(&mut stream, b"hello").await;

        assert!(answered.is_err());
        assert_eq!(link.bytes_up(), 3);
        Ok(())
    }

    #[tokio::test]
    async fn a_lost_answer_leaves_the_request_done() -> Result<()> {
        let (server, _tasks) = echo().await?;
        let link = ChaosLink::start(server).await?;
        link.set(Weather::LoseAnswers);
        let mut stream = TcpStream::connect(link.address()).await?;

        let answered = ask(&mut stream, b"hello").await;

        assert!(answered.is_err());
        assert_eq!((link.bytes_up(), link.bytes_down()), (5, 0));
        Ok(())
    }
}
