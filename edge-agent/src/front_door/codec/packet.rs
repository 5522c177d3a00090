//! Packets that a client may send after CONNECT.

use super::cursor::{Cursor, Text};
use super::{Fault, Frame, Reason, Version, properties};
use bytes::Bytes;

/// What a client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    Publish(Publish),
    /// The client took a QoS 1 message.
    PubAck(u16),
    Subscribe(Subscribe),
    Unsubscribe(Unsubscribe),
    PingReq,
    Disconnect(Reason),
}

/// A message of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    pub dup: bool,
    /// 0 or 1; QoS 2 is refused while reading.
    pub qos: u8,
    pub retain: bool,
    /// 0 with QoS 0.
    pub packet_id: u16,
    /// Not checked to be a text, let alone a topic.
    pub topic: Bytes,
    /// Only its beginning if `cut` is not 0.
    pub payload: Bytes,
    /// How many bytes of the payload were not kept.
    pub cut: usize,
}

/// A wish to get messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    pub packet_id: u16,
    pub requests: Vec<Request>,
}

/// One filter of a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub filter: Text,
    /// At most this QoS.
    pub qos: u8,
    pub retained: Retained,
}

/// Which retained values a subscription wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retained {
    Always,
    IfNew,
    Never,
}

/// A wish to get messages no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe {
    pub packet_id: u16,
    pub filters: Vec<Text>,
}

impl Packet {
    /// Reads any packet but CONNECT.
    pub fn read(frame: Frame, version: Version) -> Result<Self, Fault> {
        if frame.first & 0xF0 == 0x30 {
            return read_publish(frame, version).map(Self::Publish);
        }
        if frame.cut > 0 {
            return Err(Fault {
                reason: Reason::TOO_LARGE,
                what: "a control packet that is too long",
            });
        }
        let mut cursor = Cursor(frame.body);
        match frame.first {
            0x40 => read_puback(&mut cursor, version).map(Self::PubAck),
            0x82 => read_subscribe(&mut cursor, version).map(Self::Subscribe),
            0xA2 => read_unsubscribe(&mut cursor, version).map(Self::Unsubscribe),
            0xC0 if cursor.is_empty() => Ok(Self::PingReq),
            0xE0 => read_disconnect(&mut cursor, version).map(Self::Disconnect),
            0x10 => Err(Fault::protocol("a second CONNECT")),
            0x50 | 0x62 | 0x70 => Err(Fault::protocol("a packet of QoS 2")),
            0xF0 => Err(Fault::protocol("AUTH without an authentication method")),
            _ => Err(Fault::malformed("an unknown packet")),
        }
    }
}

fn read_publish(frame: Frame, version: Version) -> Result<Publish, Fault> {
    let qos = (frame.first >> 1) & 0x03;
    let dup = frame.first & 0x08 != 0;
    match qos {
        0 if dup => return Err(Fault::malformed("QoS 0 with DUP")),
        0 | 1 => {}
        2 => return Err(Fault { reason: Reason::BAD_QOS, what: "QoS 2 is not supported" }),
        _ => return Err(Fault::malformed("QoS 3")),
    }
    let mut cursor = Cursor(frame.body);
    let topic = cursor.binary()?;
    let packet_id = if qos == 0 { 0 } else { cursor.packet_id()? };
    if version == Version::V5 {
        properties::read(&mut cursor, properties::PUBLISH, |id, _| match id {
            properties::TOPIC_ALIAS => {
                Err(Fault { reason: Reason::BAD_ALIAS, what: "a topic alias, none is allowed" })
            }
            _ => Ok(()),
        })?;
    }
    let retain = frame.first & 0x01 != 0;
    Ok(Publish { dup, qos, retain, packet_id, topic, payload: cursor.0, cut: frame.cut })
}

/// Whatever the reason code says, the message has arrived and its slot is free again.
fn read_puback(cursor: &mut Cursor, version: Version) -> Result<u16, Fault> {
    let packet_id = cursor.packet_id()?;
    if version == Version::V5 && !cursor.is_empty() {
        cursor.u8()?;
        if !cursor.is_empty() {
            properties::read(cursor, properties::ACK, |_, _| Ok(()))?;
        }
    }
    end(cursor).map(|()| packet_id)
}

fn read_subscribe(cursor: &mut Cursor, version: Version) -> Result<Subscribe, Fault> {
    let packet_id = cursor.packet_id()?;
    if version == Version::V5 {
        properties::read(cursor, properties::SUBSCRIBE, |id, _| match id {
            properties::SUBSCRIPTION_ID => Err(Fault {
                reason: Reason::NO_SUBSCRIPTION_ID,
                what: "a subscription identifier, none is allowed",
            }),
            _ => Ok(()),
        })?;
    }
    let mut requests = Vec::new();
    while !cursor.is_empty() {
        requests.push(read_request(cursor, version)?);
    }
    if requests.is_empty() {
        return Err(Fault::protocol("a SUBSCRIBE without a filter"));
    }
    Ok(Subscribe { packet_id, requests })
}

fn read_request(cursor: &mut Cursor, version: Version) -> Result<Request, Fault> {
    let filter = cursor.text()?;
    let options = cursor.u8()?;
    let reserved = if version == Version::V5 { 0xC0 } else { 0xFC };
    if options & 0x03 == 3 || options & reserved != 0 {
        return Err(Fault::malformed("wrong subscription options"));
    }
    let retained = match (options >> 4) & 0x03 {
        0 => Retained::Always,
        1 => Retained::IfNew,
        2 => Retained::Never,
        _ => return Err(Fault::protocol("wrong retain handling")),
    };
    Ok(Request { filter, qos: options & 0x03, retained })
}

fn read_unsubscribe(cursor: &mut Cursor, version: Version) -> Result<Unsubscribe, Fault> {
    let packet_id = cursor.packet_id()?;
    if version == Version::V5 {
        properties::read(cursor, properties::UNSUBSCRIBE, |_, _| Ok(()))?;
    }
    let mut filters = Vec::new();
    while !cursor.is_empty() {
        filters.push(cursor.text()?);
    }
    if filters.is_empty() {
        return Err(Fault::protocol("an UNSUBSCRIBE without a filter"));
    }
    Ok(Unsubscribe { packet_id, filters })
}

fn read_disconnect(cursor: &mut Cursor, version: Version) -> Result<Reason, Fault> {
    let mut reason = Reason::SUCCESS;
    if version == Version::V5 && !cursor.is_empty() {
        reason = Reason(cursor.u8()?);
        if !cursor.is_empty() {
            properties::read(cursor, properties::DISCONNECT, |_, _| Ok(()))?;
        }
    }
    end(cursor).map(|()| reason)
}

fn end(cursor: &Cursor) -> Result<(), Fault> {
    if cursor.is_empty() { Ok(()) } else { Err(Fault::malformed("bytes behind a packet")) }
}
