//! One logged-in connection, from CONNACK to its end and its will.

use super::acl::Grant;
use super::codec::{Publish, Reason, Version, write};
use super::counters::Counters;
use super::door::Door;
use super::greet::Guest;
use super::outbox::Outbox;
use super::reader::Reader;
use super::subscriptions::Subscriptions;
use super::tls::Shown;
use super::urgent::Urgent;
use super::writer;
use bytes::BytesMut;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Notify, oneshot};
use tracing::{debug, info, warn};

/// What reader and writer of a connection share.
pub struct Connection {
    pub door: Arc<Door>,
    pub version: Version,
    pub outbox: Arc<Outbox>,
    pub maximum_packet: usize,
    /// The client acked something after it had left too much without.
    pub window: Notify,
    /// What the client is to be told at once or not at all.
    pub urgent: Arc<Urgent>,
    subscriptions: Mutex<Subscriptions>,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client said goodbye.
    Left,
    /// The network broke, or the client just went away.
    Lost,
    /// The server had enough, for this reason.
    Closed(Reason),
}

impl Connection {
    pub fn subscriptions(&self) -> MutexGuard<'_, Subscriptions> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves a connection until its end.
pub async fn serve<S>(door: Arc<Door>, io: S, guest: Guest, peer: SocketAddr)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Guest { connect, rights, will, session, shown, rest } = guest;
    let device = rights.device().id;
    let code = rights.device().code.clone();
    info!(%device, %code, %peer, version = ?connect.version, "device connected");
    door.counters.connected.increment(1);
    let window = usize::from(connect.receive_maximum.min(door.config.max_outgoing));
    let connection = Connection {
        version: connect.version,
        outbox: Arc::new(Outbox::new(connect.version)),
        maximum_packet: usize::try_from(connect.maximum_packet).unwrap_or(usize::MAX),
        window: Notify::new(),
        urgent: session.urgent(),
        subscriptions: Mutex::new(Subscriptions::new(window)),
        door: Arc::clone(&door),
    };
    let (read_half, mut write_half) = tokio::io::split(io);
    let (links, link) = oneshot::channel();
    let mut reader = Reader::new(&connection, rights, connect.keep_alive_s, links);
    let mut received = None;
    let end = tokio::select! {
        end = reader.run(read_half, rest) => end,
        end = writer::run(&connection, &mut write_half, link, &mut received) => end,
        reason = session.stopped() => End::Closed(reason),
        () = revoked(shown.as_ref()) => End::Closed(Reason::ADMINISTRATIVE),
        () = door.stop.cancelled() => End::Closed(Reason::SHUTTING_DOWN),
    };
    reader.unlink(received).await;
    if end != End::Closed(Reason::SHUTTING_DOWN) && end != End::Left {
        leave_will(&door, will).await;
    }
    drop(session);
    door.counters.connected.decrement(1);
    tell(end, &code);
    say_goodbye(&connection, &mut write_half, end).await;
}

/// Waits until the certificate that it has logged in by is revoked.
async fn revoked(shown: Option<&Shown>) {
    match shown {
        Some(shown) => shown.revoked().await,
        None => std::future::pending().await,
    }
}

fn tell(end: End, code: &protocol::ids::Code) {
    let reason = match end {
        End::Left => "left",
        End::Lost => "lost",
        End::Closed(reason) => reason.name(),
    };
    Counters::ended(reason);
    match end {
        End::Left | End::Lost => debug!(%code, reason, "device disconnected"),
        End::Closed(_) => info!(%code, reason, "device disconnected by the agent"),
    }
}

/// The will goes the way of every message: through the journal, in the name of the device.
async fn leave_will(door: &Door, will: Option<(Grant, Publish)>) {
    let Some((grant, publish)) = will else { return };
    let is_known =
        grant.source.device().is_some_and(|device| door.registry.by_id(device).is_some());
    if !is_known {
        return;
    }
    let taken = door.intake.take(&grant, &publish, door.fan_out.has_observers());
    if door.journal.submit(vec![taken.received]).await.is_err() {
        warn!("a will was lost because the journal has stopped");
    }
}

/// What is still to be written, and to a client of version 5 the reason. Nobody waits long for it.
async fn say_goodbye(connection: &Connection, io: &mut (impl AsyncWrite + Unpin), end: End) {
    let mut last = connection.outbox.take(BytesMut::new());
    if let End::Closed(reason) = end {
        write::disconnect(&mut last, connection.version, reason);
    }
    let goodbye = async {
        io.write_all(&last).await?;
        io.shutdown().await
    };
    // The other side may be gone or deaf; then there is nobody to say goodbye to.
    let _ = tokio::time::timeout(Duration::from_secs(1), goodbye).await;
}
