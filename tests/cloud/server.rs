//! The listener: its limits, and how it ends.

use anyhow::{Context, Result};
use axum::Router;
use axum::routing::get;
use cloud_api::config::Http;
use cloud_api::http::server;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// A running listener with a route that waits.
struct Listener {
    address: SocketAddr,
    stop: CancellationToken,
    entered: Arc<Notify>,
    release: Arc<Notify>,
    ended: JoinHandle<Result<()>>,
}

const LONG: Duration = Duration::from_secs(20);

impl Listener {
    #[expect(clippy::disallowed_methods, reason = "the test waits for it in the end")]
    async fn start(limits: Http) -> Result<Self> {
        let listener = server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (entering, releasing) = (Arc::clone(&entered), Arc::clone(&release));
        let wait = move || async move {
            entering.notify_one();
            releasing.notified().await;
            "done"
        };
        let router = Router::new().route("/wait", get(wait)).route("/", get(|| async { "here" }));
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let ended =
            tokio::spawn(async move { server::run(listener, router, &limits, stopping).await });
        Ok(Self { address, stop, entered, release, ended })
    }

    async fn send(&self, text: &str) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(text.as_bytes()).await?;
        Ok(stream)
    }

    async fn end(self) -> Result<()> {
        self.stop.cancel();
        timeout(LONG, self.ended).await.context("it did not end")??
    }
}

/// Everything until the server closes.
async fn rest(mut stream: TcpStream) -> Result<String> {
    let mut text = String::new();
    timeout(LONG, stream.read_to_string(&mut text)).await.context("not closed")??;
    Ok(text)
}

const CLOSE: &str = "Host: x\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn what_is_under_way_is_answered_before_the_end() -> Result<()> {
    let listener = Listener::start(Http::default()).await?;
    let stream = listener.send(&format!("GET /wait HTTP/1.1\r\n{CLOSE}")).await?;
    timeout(LONG, listener.entered.notified()).await?;

    listener.stop.cancel();
    tests::wait::until_true("no one is accepted any more", LONG, || async {
        Ok(TcpStream::connect(listener.address).await.is_err())
    })
    .await?;
    listener.release.notify_one();

    assert!(rest(stream).await?.ends_with("done"));
    listener.end().await
}

#[tokio::test]
async fn what_takes_too_long_is_cut_off_at_the_end() -> Result<()> {
    let listener = Listener::start(Http { drain_s: 1, ..Http::default() }).await?;
    let _stream = listener.send(&format!("GET /wait HTTP/1.1\r\n{CLOSE}")).await?;
    timeout(LONG, listener.entered.notified()).await?;

    listener.end().await
}

#[tokio::test]
async fn a_connection_that_sends_no_whole_head_is_closed() -> Result<()> {
    let listener = Listener::start(Http { header_timeout_s: 1, ..Http::default() }).await?;

    let slow = listener.send("GET / HTTP/1.1\r\nHost: x\r\n").await?;

    assert!(!rest(slow).await?.contains("here"));
    listener.end().await
}

#[tokio::test]
async fn a_connection_over_the_limit_waits_for_its_turn() -> Result<()> {
    let listener = Listener::start(Http { max_connections: 1, ..Http::default() }).await?;
    let first = listener.send(&format!("GET /wait HTTP/1.1\r\n{CLOSE}")).await?;
    timeout(LONG, listener.entered.notified()).await?;
    let second = listener.send(&format!("GET / HTTP/1.1\r\n{CLOSE}")).await?;

    listener.release.notify_one();

    assert!(rest(first).await?.ends_with("done"));
    assert!(rest(second).await?.ends_with("here"));
    listener.end().await
}
