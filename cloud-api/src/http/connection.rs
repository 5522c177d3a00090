//! One connection. Its first bytes tell whether it speaks HTTP/1 or 2. Between two requests of HTTP/1 only the
//! socket is kept and not the buffers, so that thousands of clients that keep their connection cost little.

use super::activity::{Activity, Io, Tracked};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as HyperService, service_fn};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::conn::auto::upgrade::downcast;
use std::convert::Infallible;
use std::error::Error;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::CancellationToken;
use tower::Service;

/// What all connections have in common.
#[derive(Debug, Clone)]
pub struct Connections {
    pub router: Router,
    /// For a whole head to arrive, the first one or the next.
    pub head_timeout: Duration,
    pub stop: CancellationToken,
}

/// Why a connection ended early.
type Fault = Box<dyn Error + Send + Sync>;

impl Connections {
    /// Serves until either side ends it, or nothing is asked in time.
    pub async fn serve(&self, stream: TcpStream, peer: SocketAddr) -> Result<(), Fault> {
        let mut late = pin!(sleep(self.head_timeout));
        let mut head = [0; PREFACE.len()];
        let seen = tokio::select! {
            seen = stream.peek(&mut head) => seen?,
            () = &mut late => return Ok(()),
            () = self.stop.cancelled() => return Ok(()),
        };
        if seen == 0 {
            return Ok(());
        }
        // Boxed, so that what waits is small.
        if PREFACE.starts_with(&head[..seen]) {
            return Box::pin(self.serve_any(stream, peer)).await;
        }
        let mut io = Io::from(stream);
        while let Some(idle) = Box::pin(self.serve_http1(io, peer, late.as_mut())).await? {
            io = idle;
            late.as_mut().reset(Instant::now() + self.head_timeout);
            tokio::select! {
                ready = io.readable() => ready?,
                () = &mut late => return Ok(()),
                () = self.stop.cancelled() => return Ok(()),
            }
        }
        Ok(())
    }

    /// Answers what is asked now; gives back a connection on which everything is answered.
    async fn serve_http1(
        &self,
        io: Io,
        peer: SocketAddr,
        mut late: Pin<&mut Sleep>,
    ) -> Result<Option<Io>, Fault> {
        let activity = io.activity();
        let service = self.service(peer, &activity);
        let mut connection = http1::Builder::new()
            // Watched here: one timer a connection.
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades();
        let mut stop = pin!(self.stop.cancelled());
        let (mut is_stopping, mut was_waiting) = (false, true);
        let ended = poll_fn(|context| {
            if !is_stopping && stop.as_mut().poll(context).is_ready() {
                is_stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            if let Poll::Ready(ended) = Pin::new(&mut connection).poll(context) {
                return Poll::Ready(Some(ended));
            }
            if activity.is_over() {
                return Poll::Ready(None);
            }
            let is_waiting = activity.is_waiting();
            if is_waiting && !was_waiting {
                late.as_mut().reset(Instant::now() + self.head_timeout);
            }
            was_waiting = is_waiting;
            let is_late = is_waiting && late.as_mut().poll(context).is_ready();
            if is_late { Poll::Ready(Some(Ok(()))) } else { Poll::Pending }
        });
        if let Some(ended) = ended.await {
            return Ok(ended.map(|()| None)?);
        }
        let parts = connection.into_parts();
        Ok(parts.map(|parts| parts.io.into_inner().with_unread(parts.read_buf)))
    }

    /// HTTP/2, or what is too short to tell.
    async fn serve_any(&self, stream: TcpStream, peer: SocketAddr) -> Result<(), Fault> {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(self.head_timeout);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .keep_alive_interval(Some(KEEP_ALIVE));
        let service = self.service(peer, &Arc::default());
        let mut served =
            pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
        tokio::select! {
            ended = &mut served => return ended,
            () = self.stop.cancelled() => served.as_mut().graceful_shutdown(),
        }
        served.await
    }

    /// Hands requests to the router, with where they come from.
    fn service(
        &self,
        peer: SocketAddr,
        activity: &Arc<Activity>,
    ) -> impl HyperService<
        Request<Incoming>,
        Response = Response<Tracked<Body>>,
        Error = Infallible,
        Future: Send + 'static,
    > + use<> {
        let (router, activity) = (self.router.clone(), Arc::clone(activity));
        service_fn(move |request: Request<Incoming>| {
            let (answered, mut request) = activity.asked(request);
            request.extensions_mut().insert(ConnectInfo(peer));
            let answer = router.clone().call(request);
            async move {
                let answer: Response<Body> = answer.await?;
                Ok::<_, Infallible>(answered.until_sent(answer))
            }
        })
    }
}

/// The socket under a connection that is HTTP no more, and what was read from it already, in this order.
pub fn into_socket(upgraded: Upgraded) -> Option<(TcpStream, [Bytes; 2])> {
    match upgraded.downcast::<TokioIo<Io>>() {
        Ok(parts) => {
            let (socket, unread) = parts.io.into_inner().into_socket();
            Some((socket, [parts.read_buf, unread]))
        }
        Err(upgraded) => {
            let parts = downcast::<TokioIo<TcpStream>>(upgraded).ok()?;
            Some((parts.io.into_inner(), [parts.read_buf, Bytes::new()]))
        }
    }
}

/// How HTTP/2 begins; no method of HTTP/1 does.
const PREFACE: [u8; 3] = *b"PRI";
const MAX_STREAMS: u32 = 200;
const KEEP_ALIVE: Duration = Duration::from_secs(20);
