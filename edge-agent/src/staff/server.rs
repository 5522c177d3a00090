//! The port of the staff page: accepts, shakes hands, and serves HTTP/1.1 within limits. Its certificate is the branch
//! CA's, and changes without a restart.

use super::app::Staff;
use super::config::Config;
use super::{plain, router};
use crate::front_door::tls::Tls;
use crate::front_door::waiting_room::WaitingRoom;
use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use tracing::{debug, info, warn};

/// For the TLS handshake, and for the head of each request; a connection that waits longer for one is closed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Head of a request.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Connections get this long to end.
const GRACE: Duration = Duration::from_secs(2);
const BACKLOG: u32 = 256;

/// The address at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

/// The port, bound but not serving yet.
pub struct Server {
    listener: TcpListener,
    config: Config,
    tls: Tls,
    staff: Staff,
}

/// What every connection needs.
struct Shared {
    router: Router,
    tls: Tls,
    places: WaitingRoom,
    stop: CancellationToken,
}

impl Server {
    /// Opens the port.
    pub fn bind(config: Config, tls: Tls, staff: Staff) -> Result<Self> {
        let address = config.listen;
        let open = || {
            let socket = match address {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(BACKLOG)
        };
        let listener = open().with_context(|| {
            format!(
                "cannot listen on {address} for the staff page (configuration key `staff.listen`)"
            )
        })?;
        Ok(Self { listener, config, tls, staff })
    }

    /// Where it listens.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves until `stop`.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        let Self { listener, config, tls, staff } = self;
        info!(listen = %listener.local_addr()?, "the staff page is open");
        let places = WaitingRoom::new(config.max_connections, config.max_connections_per_address);
        let ending = staff.stop.clone();
        let shared = Shared { router: router::router(staff), tls, places, stop: ending.clone() };
        let shared = Arc::new(shared);
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let shared = Arc::clone(&shared);
                    connections.spawn(async move { shared.receive(stream, peer).await });
                }
                Err(error) => {
                    warn!(%error, "a connection to the staff page cannot be accepted");
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
        ending.cancel();
        connections.close();
        if timeout(GRACE, connections.wait()).await.is_err() {
            debug!("some connections to the staff page did not end in time");
        }
        Ok(())
    }
}

impl Shared {
    /// A place is needed from the first byte to the last; the oldest of an address makes way for its next.
    async fn receive(&self, stream: TcpStream, peer: SocketAddr) {
        // Without it, it only works slower.
        let _ = stream.set_nodelay(true);
        let place = self.places.enter(peer.ip());
        tokio::select! {
            () = place.evicted() => debug!(%peer, "a connection to the staff page made way for another"),
            () = self.serve(stream, peer) => {}
        }
    }

    async fn serve(&self, mut stream: TcpStream, peer: SocketAddr) {
        match timeout(PATIENCE, plain::is_tls(&stream)).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => {
                let _ = timeout(PATIENCE, plain::redirect(&mut stream)).await;
                return;
            }
            _ => return,
        }
        let acceptor = TlsAcceptor::from(self.tls.web_config());
        let stream = match timeout(PATIENCE, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return debug!(%peer, %error, "TLS handshake failed"),
            Err(_) => return,
        };
        let peer = Peer(peer.ip());
        let service = service_fn(|request: Request<Incoming>| {
            let (mut parts, body) = request.into_parts();
            parts.extensions.insert(peer);
            self.router.clone().oneshot(Request::from_parts(parts, Body::new(body)))
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(PATIENCE)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let end = tokio::select! {
            end = connection.as_mut() => end,
            () = self.stop.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = end {
            debug!(%error, "a connection to the staff page broke");
        }
    }
}
