//! Packets that the server sends.

use super::{Reason, Version};
use bytes::{BufMut, BytesMut};

/// What a v5 CONNACK tells about the server's limits.
#[derive(Debug, Clone)]
pub struct Limits<'a> {
    pub receive_maximum: u16,
    pub maximum_packet: u32,
    /// The name given to a client that came without one.
    pub assigned_id: Option<&'a str>,
}

/// CONNACK of an accepted login; the session is never present.
pub fn accepted(to: &mut BytesMut, version: Version, limits: &Limits<'_>) {
    if version == Version::V311 {
        to.put_slice(&[0x20, 2, 0, 0]);
        return;
    }
    let mut list = Vec::with_capacity(64);
    list.put_u8(17); // session expiry: whatever the client wished, the session ends with the connection
    list.put_u32(0);
    list.put_u8(33);
    list.put_u16(limits.receive_maximum);
    list.put_slice(&[36, 1]); // QoS 0 and 1
    list.put_u8(39);
    list.put_u32(limits.maximum_packet);
    if let Some(id) = limits.assigned_id {
        list.put_u8(18);
        put_text(&mut list, id.as_bytes());
    }
    list.put_slice(&[41, 0, 42, 0]); // neither subscription identifiers nor shared subscriptions
    to.put_u8(0x20);
    put_var_int(to, 2 + var_int_len(list.len()) + list.len());
    to.put_slice(&[0, 0]);
    put_var_int(to, list.len());
    to.put_slice(&list);
}

/// CONNACK of a refused login.
pub fn refused(to: &mut BytesMut, version: Version, reason: Reason) {
    match version {
        Version::V311 => to.put_slice(&[0x20, 2, 0, reason.connack_v311()]),
        Version::V5 => to.put_slice(&[0x20, 3, 0, reason.0, 0]),
    }
}

/// PUBACK; 3.1.1 has no way to say more than that it arrived.
pub fn puback(to: &mut BytesMut, version: Version, packet_id: u16, reason: Reason) {
    let [high, low] = packet_id.to_be_bytes();
    if version == Version::V5 && reason != Reason::SUCCESS {
        to.put_slice(&[0x40, 3, high, low, reason.0]);
    } else {
        to.put_slice(&[0x40, 2, high, low]);
    }
}

/// SUBACK: per filter the granted QoS or a refusal.
pub fn suback(to: &mut BytesMut, version: Version, packet_id: u16, answers: &[Reason]) {
    to.put_u8(0x90);
    put_var_int(to, 2 + usize::from(version == Version::V5) + answers.len());
    to.put_u16(packet_id);
    if version == Version::V5 {
        to.put_u8(0);
    }
    for answer in answers {
        let v311 = if answer.is_error() { 0x80 } else { answer.0 };
        to.put_u8(if version == Version::V5 { answer.0 } else { v311 });
    }
}

/// UNSUBACK: 3.1.1 tells nothing about the single filters.
pub fn unsuback(to: &mut BytesMut, version: Version, packet_id: u16, answers: &[Reason]) {
    to.put_u8(0xB0);
    if version == Version::V311 {
        to.put_u8(2);
        to.put_u16(packet_id);
        return;
    }
    put_var_int(to, 3 + answers.len());
    to.put_u16(packet_id);
    to.put_u8(0);
    to.extend(answers.iter().map(|answer| answer.0));
}

/// PINGRESP.
pub fn pingresp(to: &mut BytesMut) {
    to.put_slice(&[0xD0, 0]);
}

/// DISCONNECT; a server that speaks 3.1.1 has none and just closes.
pub fn disconnect(to: &mut BytesMut, version: Version, reason: Reason) {
    if version == Version::V5 {
        to.put_slice(&[0xE0, 2, reason.0, 0]);
    }
}

/// A message to a subscriber.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    pub topic: &'a [u8],
    pub payload: &'a [u8],
    pub retain: bool,
    /// `None`: QoS 0.
    pub packet_id: Option<u16>,
}

/// Length of a PUBLISH without its fixed header.
pub fn publish_len(version: Version, message: &Message<'_>) -> usize {
    let id = if message.packet_id.is_some() { 2 } else { 0 };
    2 + message.topic.len() + id + usize::from(version == Version::V5) + message.payload.len()
}

/// PUBLISH.
pub fn publish(to: &mut BytesMut, version: Version, message: &Message<'_>) {
    let qos = if message.packet_id.is_some() { 0x02 } else { 0 };
    to.put_u8(0x30 | qos | u8::from(message.retain));
    put_var_int(to, publish_len(version, message));
    put_text(to, message.topic);
    if let Some(id) = message.packet_id {
        to.put_u16(id);
    }
    if version == Version::V5 {
        to.put_u8(0);
    }
    to.put_slice(message.payload);
}

#[expect(clippy::cast_possible_truncation, reason = "topics and names are shorter than 64 KiB")]
fn put_text(to: &mut impl BufMut, text: &[u8]) {
    to.put_u16(text.len() as u16);
    to.put_slice(text);
}

fn put_var_int(to: &mut BytesMut, mut value: usize) {
    loop {
        let low = value.to_le_bytes()[0] & 0x7F;
        value >>= 7;
        to.put_u8(if value > 0 { low | 0x80 } else { low });
        if value == 0 {
            break;
        }
    }
}

fn var_int_len(value: usize) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}
