//! CONNECT: who is there, how it wants to talk, and what to say when it is gone.

use super::cursor::{Cursor, Text};
use super::{Fault, Frame, Reason, Version, properties};
use bytes::Bytes;

/// A CONNECT packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connect {
    pub version: Version,
    pub client_id: Text,
    pub clean: bool,
    pub keep_alive_s: u16,
    pub will: Option<Will>,
    pub user: Option<Text>,
    pub password: Option<Bytes>,
    /// How many QoS 1 messages the client takes before it acks.
    pub receive_maximum: u16,
    /// The longest packet the client takes.
    pub maximum_packet: u32,
    /// The client asks for an authentication exchange.
    pub has_auth_method: bool,
}

/// What to publish when the connection ends without a DISCONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Will {
    pub topic: Text,
    pub payload: Bytes,
    pub qos: u8,
    pub retain: bool,
}

const WILL: u8 = 0x04;
const WILL_RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USER: u8 = 0x80;

/// The protocol a first packet asks for, or how to refuse it; `None`: no CONNECT at all.
pub fn version(frame: &Frame) -> Result<Version, Option<Reason>> {
    if frame.first != 0x10 {
        return Err(None);
    }
    let mut cursor = Cursor(frame.body.clone());
    let (Ok(name), Ok(level)) = (cursor.binary(), cursor.u8()) else { return Err(None) };
    match (name.as_ref(), level) {
        (b"MQTT", 4) => Ok(Version::V311),
        (b"MQTT", 5) => Ok(Version::V5),
        (b"MQTT" | b"MQIsdp", _) => Err(Some(Reason::UNSUPPORTED_VERSION)),
        _ => Err(None),
    }
}

/// Reads a CONNECT packet of a protocol that [`version`] found.
pub fn read(frame: Frame, version: Version) -> Result<Connect, Fault> {
    let mut cursor = Cursor(frame.body);
    cursor.binary()?;
    cursor.u8()?;
    let flags = cursor.u8()?;
    check_flags(flags, version)?;
    let keep_alive_s = cursor.u16()?;
    let mut connect = Connect {
        version,
        client_id: Text::new(Bytes::new())?,
        clean: flags & 0x02 != 0,
        keep_alive_s,
        will: None,
        user: None,
        password: None,
        receive_maximum: u16::MAX,
        maximum_packet: u32::MAX,
        has_auth_method: false,
    };
    if version == Version::V5 {
        read_properties(&mut cursor, &mut connect)?;
    }
    connect.client_id = cursor.text()?;
    if flags & WILL != 0 {
        connect.will = Some(read_will(&mut cursor, flags, version)?);
    }
    if flags & USER != 0 {
        connect.user = Some(cursor.text()?);
    }
    if flags & PASSWORD != 0 {
        connect.password = Some(cursor.binary()?);
    }
    if cursor.is_empty() { Ok(connect) } else { Err(Fault::malformed("bytes behind a CONNECT")) }
}

fn check_flags(flags: u8, version: Version) -> Result<(), Fault> {
    if flags & 0x01 != 0 {
        return Err(Fault::malformed("the reserved flag of CONNECT is set"));
    }
    if flags & WILL == 0 && flags & 0x38 != 0 || flags & 0x18 == 0x18 {
        return Err(Fault::malformed("will flags that contradict each other"));
    }
    if version == Version::V311 && flags & USER == 0 && flags & PASSWORD != 0 {
        return Err(Fault::malformed("a password without a user name"));
    }
    Ok(())
}

fn read_properties(cursor: &mut Cursor, connect: &mut Connect) -> Result<(), Fault> {
    properties::read(cursor, properties::CONNECT, |id, value| {
        match id {
            properties::RECEIVE_MAXIMUM => {
                connect.receive_maximum =
                    u16::try_from(properties::positive(value)?).unwrap_or(u16::MAX);
            }
            properties::MAXIMUM_PACKET_SIZE => {
                connect.maximum_packet = properties::positive(value)?;
            }
            properties::AUTH_METHOD => connect.has_auth_method = true,
            _ => {}
        }
        Ok(())
    })
}

/// The will delay is dropped: CONNACK sets the session's expiry to 0, and a will never waits longer than its session.
fn read_will(cursor: &mut Cursor, flags: u8, version: Version) -> Result<Will, Fault> {
    if version == Version::V5 {
        properties::read(cursor, properties::WILL, |_, _| Ok(()))?;
    }
    Ok(Will {
        topic: cursor.text()?,
        payload: cursor.binary()?,
        qos: (flags >> 3) & 0x03,
        retain: flags & WILL_RETAIN != 0,
    })
}
