//! Accepts connections. The loop only accepts: handshake, CONNECT and everything after it happen in tasks.

use super::connection;
use super::counters::Counters;
use super::door::Door;
use super::greet::greet;
use super::tls::{Shown, Tls};
use crate::ops::pulse::{BEAT, Pulse};
use anyhow::{Context as _, Result};
use socket2::{SockRef, TcpKeepalive};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

/// A dead peer is noticed after about two minutes, even if its client wanted no keep-alive.
const KEEP_ALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_mins(1))
    .with_interval(Duration::from_secs(15))
    .with_retries(4);
/// The kernel drops connections that wait longer than this for the accept loop.
const BACKLOG: u32 = 1_024;

/// Binds an address.
pub fn bind(address: SocketAddr) -> Result<TcpListener> {
    let open = || {
        let socket = match address {
            SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
            SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().with_context(|| format!("cannot listen on {address} for MQTT"))
}

/// Accepts until the door closes, and beats. With `tls` every connection begins with a handshake.
pub async fn accept(
    door: Arc<Door>,
    listener: TcpListener,
    tls: Option<Tls>,
    pulse: Pulse,
    connections: TaskTracker,
) -> Result<()> {
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = beat.tick() => {
                pulse.beat();
                continue;
            }
            () = door.stop.cancelled() => return Ok(()),
        };
        match accepted {
            Ok((stream, peer)) => {
                let (door, tls) = (Arc::clone(&door), tls.clone());
                connections.spawn(receive(door, stream, peer, tls));
            }
            Err(error) => {
                // Out of file descriptors, most likely: those that wait will be closed soon.
                warn!(%error, "a connection cannot be accepted");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn receive(door: Arc<Door>, stream: TcpStream, peer: SocketAddr, tls: Option<Tls>) {
    // Without these it still works, only worse.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_keepalive(&KEEP_ALIVE);
    match tls {
        None => meet(door, stream, peer, None).await,
        Some(tls) => {
            let place = door.waiting_room.enter(peer.ip());
            let handshake = tokio::select! {
                handshake = timeout(door.config.login_timeout(), tls.accept(stream)) => handshake,
                () = place.evicted() => return door.counters.evicted.increment(1),
            };
            drop(place);
            match handshake {
                Ok(Ok((stream, shown))) => meet(door, stream, peer, shown).await,
                Ok(Err(error)) => {
                    Counters::refused("tls");
                    debug!(%peer, %error, "TLS handshake failed");
                }
                Err(_) => Counters::refused("tls_timeout"),
            }
        }
    }
}

async fn meet<S>(door: Arc<Door>, mut io: S, peer: SocketAddr, shown: Option<Shown>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let place = door.waiting_room.enter(peer.ip());
    let greeting = greet(&door, &mut io, peer, shown);
    let guest = tokio::select! {
        guest = timeout(door.config.login_timeout(), greeting) => guest,
        () = place.evicted() => return door.counters.evicted.increment(1),
        () = door.stop.cancelled() => return,
    };
    drop(place);
    match guest {
        Ok(Some(guest)) => connection::serve(door, io, guest, peer).await,
        Ok(None) => {}
        Err(_) => Counters::refused("connect_timeout"),
    }
}
