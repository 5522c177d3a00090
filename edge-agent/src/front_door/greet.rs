//! From the first byte to CONNACK.

use super::acl::{Grant, Rights};
use super::codec::{Connect, Fault, Framer, Publish, Reason, Version, Will, connect, write};
use super::counters::Counters;
use super::door::Door;
use super::login::log_in;
use super::sessions::Session;
use super::tls::Shown;
use bytes::{Bytes, BytesMut};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tracing::info;

/// A CONNECT may be this long; client ids of devices are short.
const MAX_CONNECT: usize = 16 * 1024;
/// The longest packet that is read at all: 1 MiB of payload with topic and properties.
pub const MAX_PACKET: usize = MAX_PAYLOAD + 128 * 1024;
/// A payload over this ends the connection.
pub const MAX_PAYLOAD: usize = 1024 * 1024;

/// Refusals are logged until their delay reaches this.
const WORTH_TELLING: Duration = Duration::from_secs(1);

/// A connection that has logged in.
pub struct Guest {
    pub connect: Connect,
    pub rights: Rights,
    pub will: Option<(Grant, Publish)>,
    pub session: Session,
    /// The certificate it has logged in by.
    pub shown: Option<Shown>,
    /// Bytes that came behind CONNECT.
    pub rest: BytesMut,
}

/// Reads CONNECT, checks the login and answers. `None`: refused, or gone.
pub async fn greet(
    door: &Door,
    io: &mut (impl AsyncRead + AsyncWrite + Unpin),
    peer: SocketAddr,
    shown: Option<Shown>,
) -> Option<Guest> {
    let mut rest = BytesMut::with_capacity(1024);
    let (version, read) = read_connect(io, &mut rest).await?;
    let admitted = match read {
        Ok(connect) => admit(door, connect, shown.as_ref()).await,
        Err(fault) => Err(fault.reason),
    };
    match admitted {
        Ok((connect, rights, will, session)) => {
            accept(door, io, &connect).await?;
            Some(Guest { connect, rights, will, session, shown, rest })
        }
        Err(reason) => {
            refuse(door, io, version, reason, peer).await;
            None
        }
    }
}

/// The protocol to answer in, and the CONNECT or what is wrong with it.
async fn read_connect(
    io: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> Option<(Version, Result<Connect, Fault>)> {
    let mut framer = Framer::new(MAX_CONNECT, MAX_PACKET);
    let frame = loop {
        match framer.next(buffer) {
            Ok(Some(frame)) => break frame,
            Ok(None) => {}
            Err(_) => return None,
        }
        // Somebody who does not speak MQTT is not listened to until a frame is complete.
        if buffer.first().is_some_and(|first| *first != 0x10) {
            return None;
        }
        if io.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let cut = frame.cut;
    match connect::version(&frame) {
        Ok(version) if cut > 0 => {
            let too_long = Fault { reason: Reason::TOO_LARGE, what: "a CONNECT that is too long" };
            Some((version, Err(too_long)))
        }
        Ok(version) => Some((version, connect::read(frame, version))),
        // Which code says so depends on the client's version: all before 5 know the same one.
        Err(Some(reason)) => {
            let is_newer = frame.body.starts_with(b"\0\x04MQTT") && frame.body.get(6) > Some(&5);
            let version = if is_newer { Version::V5 } else { Version::V311 };
            Some((version, Err(Fault { reason, what: "an unknown protocol version" })))
        }
        Err(None) => None,
    }
}

type Admitted = (Connect, Rights, Option<(Grant, Publish)>, Session);

async fn admit(door: &Door, connect: Connect, shown: Option<&Shown>) -> Result<Admitted, Reason> {
    // Revoked since the hands were shaken, or shaken again by a ticket from before.
    if shown.is_some_and(|shown| !shown.counts()) {
        return Err(Reason::NOT_AUTHORIZED);
    }
    let certified = shown.map(|shown| shown.code.as_str());
    let device = log_in(&door.registry, &connect, certified)?;
    let id = device.id;
    let rights = Rights::new(device, door.registry.clone());
    let will =
        connect.will.as_ref().map(|will| permit(&rights, will, connect.version)).transpose()?;
    let session = door.sessions.log_in(id, door.config.max_connections).await;
    Ok((connect, rights, will, session.ok_or(Reason::SERVER_BUSY)?))
}

fn permit(rights: &Rights, will: &Will, version: Version) -> Result<(Grant, Publish), Reason> {
    if version == Version::V5 && will.qos > 1 {
        return Err(Reason::BAD_QOS);
    }
    let grant = rights.will(will.topic.as_str()).ok_or(Reason::NOT_AUTHORIZED)?;
    let publish = Publish {
        dup: false,
        qos: 0,
        retain: will.retain,
        packet_id: 0,
        topic: Bytes::copy_from_slice(will.topic.as_str().as_bytes()),
        payload: Bytes::copy_from_slice(&will.payload),
        cut: 0,
    };
    Ok((grant, publish))
}

async fn accept(door: &Door, io: &mut (impl AsyncWrite + Unpin), connect: &Connect) -> Option<()> {
    let assigned = uuid::Uuid::new_v4().simple().to_string();
    let is_nameless = connect.client_id.as_str().is_empty();
    let mut answer = BytesMut::new();
    let limits = write::Limits {
        receive_maximum: door.config.max_unacked,
        maximum_packet: u32::try_from(MAX_PACKET).unwrap_or(u32::MAX),
        assigned_id: is_nameless.then_some(assigned.as_str()),
    };
    write::accepted(&mut answer, connect.version, &limits);
    io.write_all(&answer).await.ok()?;
    io.flush().await.ok()
}

async fn refuse(
    door: &Door,
    io: &mut (impl AsyncWrite + Unpin),
    version: Version,
    reason: Reason,
    peer: SocketAddr,
) {
    Counters::refused(reason.name());
    let delay = match reason {
        Reason::BAD_LOGIN | Reason::NOT_AUTHORIZED => door.login_failed(peer.ip()),
        _ => Duration::ZERO,
    };
    // Who fails again and again shall not fill the log.
    if delay < WORTH_TELLING {
        info!(%peer, reason = reason.name(), "login refused");
    }
    tokio::time::sleep(delay).await;
    let mut answer = BytesMut::new();
    write::refused(&mut answer, version, reason);
    // The client may be gone already; there is nobody else to tell.
    let _ = io.write_all(&answer).await;
    let _ = io.shutdown().await;
}
