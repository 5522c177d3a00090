//! The listener: its limits, and how it ends.

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use cloud_api::config::Http;
use cloud_api::http::server;
use hyper_util::rt::TokioIo;
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
        let router = Router::new()
            .route("/wait", get(wait))
            .route("/", get(|| async { "here" }))
            .route("/unread", post(|| async { "unread" }))
            .route("/echo", post(async |text: String| text))
            .route("/long", get(async || "x".repeat(LENGTH)))
            .route("/upgrade", get(upgrade));
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

/// More than the sockets' buffers hold.
const LENGTH: usize = 32 << 20;

/// Sends back what comes after the upgrade.
#[expect(clippy::disallowed_methods, reason = "it ends with its connection")]
async fn upgrade(mut request: Request) -> Result<Response, StatusCode> {
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let mut io = TokioIo::new(upgraded.await.expect("upgraded"));
        let mut text = [0; 4];
        io.read_exact(&mut text).await.expect("four bytes");
        io.write_all(&text).await.expect("written");
        io.shutdown().await.expect("closed");
    });
    let answer = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    let answer = answer.header("connection", "upgrade").header("upgrade", "echo");
    answer.body(Body::empty()).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

/// An answer, so far as its end is known.
async fn until(stream: &mut TcpStream, end: &str) -> Result<String> {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let byte = timeout(LONG, stream.read_u8()).await.context("it does not go on")?;
        text.push(byte.with_context(|| String::from_utf8_lossy(&text).into_owned())?);
    }
    Ok(String::from_utf8(text)?)
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

const HOST: &str = "Host: x\r\n\r\n";

#[tokio::test]
async fn a_connection_is_kept_whatever_is_asked_on_it() -> Result<()> {
    let listener = Listener::start(Http::default()).await?;
    let mut stream = listener.send(&format!("GET / HTTP/1.1\r\n{HOST}")).await?;
    until(&mut stream, "here").await?;

    for _ in 0..3 {
        let post = "POST /echo HTTP/1.1\r\nContent-Length: 5\r\nHost: x\r\n\r\nhello";
        stream.write_all(post.as_bytes()).await?;
        until(&mut stream, "hello").await?;
        let pieces = "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: x\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        stream.write_all(pieces.as_bytes()).await?;
        until(&mut stream, "abc").await?;
        let unread = "POST /unread HTTP/1.1\r\nContent-Length: 2\r\nHost: x\r\n\r\nhi";
        stream.write_all(unread.as_bytes()).await?;
        until(&mut stream, "unread").await?;
        stream.write_all(format!("HEAD / HTTP/1.1\r\n{HOST}").as_bytes()).await?;
        until(&mut stream, "\r\n\r\n").await?;
        stream.write_all(format!("GET / HTTP/1.1\r\n{HOST}").as_bytes()).await?;
        until(&mut stream, "here").await?;
    }

    listener.end().await
}

#[tokio::test]
async fn what_is_asked_before_the_answer_is_answered_in_turn() -> Result<()> {
    let listener = Listener::start(Http::default()).await?;
    let get = format!("GET / HTTP/1.1\r\n{HOST}");

    let mut stream = listener.send(&format!("{get}{get}{get}GET / HT")).await?;
    for _ in 0..3 {
        until(&mut stream, "here").await?;
    }
    stream.write_all(b"TP/1.1\r\nHost: x\r\n\r\n").await?;
    until(&mut stream, "here").await?;

    listener.end().await
}

#[tokio::test]
async fn who_speaks_an_older_or_a_newer_version_is_served() -> Result<()> {
    let listener = Listener::start(Http::default()).await?;

    let older = listener.send(&format!("GET / HTTP/1.0\r\n{HOST}")).await?;
    assert!(rest(older).await?.ends_with("here"));
    let newer = tests::http::builder().http2_prior_knowledge().build()?;
    for _ in 0..2 {
        let answer = newer.get(format!("http://{}/", listener.address)).send().await?;
        assert_eq!(answer.version(), reqwest::Version::HTTP_2);
        assert_eq!(answer.text().await?, "here");
    }

    drop(newer);
    listener.end().await
}

#[tokio::test]
async fn a_connection_that_was_kept_can_become_another() -> Result<()> {
    let listener = Listener::start(Http::default()).await?;
    let mut stream = listener.send(&format!("GET / HTTP/1.1\r\n{HOST}")).await?;
    until(&mut stream, "here").await?;

    let upgrade =
        format!("GET /upgrade HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: echo\r\n{HOST}");
    stream.write_all(upgrade.as_bytes()).await?;
    until(&mut stream, "\r\n\r\n").await?;
    stream.write_all(b"ping").await?;

    assert_eq!(rest(stream).await?, "ping");
    listener.end().await
}

#[tokio::test]
async fn who_reads_late_gets_everything() -> Result<()> {
    let listener = Listener::start(Http::default()).await?;
    let mut slow = listener.send(&format!("GET /long HTTP/1.1\r\n{HOST}")).await?;
    until(&mut slow, "\r\n\r\n").await?;
    let mut quick = listener.send(&format!("GET / HTTP/1.1\r\n{HOST}")).await?;
    until(&mut quick, "here").await?;

    let mut body = vec![0; LENGTH];
    timeout(LONG, slow.read_exact(&mut body)).await??;
    slow.write_all(format!("GET / HTTP/1.1\r\n{CLOSE}").as_bytes()).await?;

    assert!(body.iter().all(|byte| *byte == b'x'));
    assert!(rest(slow).await?.ends_with("here"));
    listener.end().await
}

#[tokio::test]
async fn a_connection_on_which_nothing_is_asked_any_more_is_closed() -> Result<()> {
    let listener = Listener::start(Http { header_timeout_s: 1, ..Http::default() }).await?;
    let unread = "POST /unread HTTP/1.1\r\nContent-Length: 2\r\nHost: x\r\n\r\nhi";

    for request in [format!("GET / HTTP/1.1\r\n{HOST}"), unread.to_owned(), String::new()] {
        let stream = listener.send(&request).await?;
        rest(stream).await?;
    }

    listener.end().await
}

#[tokio::test]
async fn idle_connections_end_with_the_listener() -> Result<()> {
    let listener = Listener::start(Http::default()).await?;
    let mut asked = listener.send(&format!("GET / HTTP/1.1\r\n{HOST}")).await?;
    until(&mut asked, "here").await?;
    let silent = listener.send("").await?;

    listener.end().await?;

    assert_eq!(rest(asked).await?, "");
    // It may not even have been taken from the queue.
    assert!(rest(silent).await.map_or(true, |text| text.is_empty()));
    Ok(())
}
