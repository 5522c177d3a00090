//! The few packets of MQTT 3.1.1 that the kit sends and reads.

use std::io::{Error, ErrorKind};

/// What a broker may send that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// The answer to CONNECT: its return code.
    Connack(u8),
    /// A QoS 1 message is acked.
    Puback(u16),
    /// A message for us; with a packet id if it wants an ack.
    Publish { topic: String, payload: Vec<u8>, packet_id: Option<u16>, retain: bool },
    /// The answer to SUBSCRIBE: a code per filter.
    Suback(Vec<u8>),
    /// The answer to a ping, and anything else that is well formed.
    Other,
}

/// A CONNECT was refused with this return code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused(pub u8);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CONNECT refused with return code {}", self.0)
    }
}

impl std::error::Error for Refused {}

/// CONNECT with a clean session.
pub fn connect(client_id: &str, login: Option<(&str, &str)>, keep_alive_s: u16) -> Vec<u8> {
    let mut body = Vec::new();
    string(&mut body, b"MQTT");
    body.push(4);
    body.push(if login.is_some() { 0b1100_0010 } else { 0b0000_0010 });
    body.extend_from_slice(&keep_alive_s.to_be_bytes());
    string(&mut body, client_id.as_bytes());
    if let Some((user, password)) = login {
        string(&mut body, user.as_bytes());
        string(&mut body, password.as_bytes());
    }
    let mut packet = Vec::new();
    head(&mut packet, 0x10, body.len());
    packet.extend_from_slice(&body);
    packet
}

/// Appends a PUBLISH with QoS 1.
pub fn publish(out: &mut Vec<u8>, topic: &str, payload: &[u8], packet_id: u16, dup: bool) {
    head(out, if dup { 0x3A } else { 0x32 }, 2 + topic.len() + 2 + payload.len());
    string(out, topic.as_bytes());
    out.extend_from_slice(&packet_id.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Appends a SUBSCRIBE with QoS 1.
pub fn subscribe(out: &mut Vec<u8>, filter: &str) {
    head(out, 0x82, 2 + 2 + filter.len() + 1);
    out.extend_from_slice(&1u16.to_be_bytes());
    string(out, filter.as_bytes());
    out.push(1);
}

/// Appends a PUBACK.
pub fn puback(out: &mut Vec<u8>, packet_id: u16) {
    out.extend_from_slice(&[0x40, 2]);
    out.extend_from_slice(&packet_id.to_be_bytes());
}

/// A ping.
pub const PINGREQ: [u8; 2] = [0xC0, 0];
/// A polite end.
pub const DISCONNECT: [u8; 2] = [0xE0, 0];

/// Takes the first whole packet out of `bytes`: it and its length, or nothing yet.
pub fn parse(bytes: &[u8]) -> Result<Option<(Incoming, usize)>, Error> {
    let Some((start, length)) = sizes(bytes)? else { return Ok(None) };
    let Some(body) = bytes.get(start..start + length) else { return Ok(None) };
    let incoming = match bytes[0] >> 4 {
        2 => Incoming::Connack(*body.get(1).ok_or_else(malformed)?),
        3 => message(bytes[0], body)?,
        4 => Incoming::Puback(number(body, 0)?),
        9 => Incoming::Suback(body.get(2..).ok_or_else(malformed)?.to_vec()),
        _ => Incoming::Other,
    };
    Ok(Some((incoming, start + length)))
}

fn message(first: u8, body: &[u8]) -> Result<Incoming, Error> {
    let topic_end = 2 + usize::from(number(body, 0)?);
    let topic = body.get(2..topic_end).ok_or_else(malformed)?;
    let wants_ack = first & 0b0110 != 0;
    let packet_id = if wants_ack { Some(number(body, topic_end)?) } else { None };
    let payload = body.get(topic_end + if wants_ack { 2 } else { 0 }..).ok_or_else(malformed)?;
    Ok(Incoming::Publish {
        topic: String::from_utf8(topic.to_vec()).map_err(|_| malformed())?,
        payload: payload.to_vec(),
        packet_id,
        retain: first & 1 != 0,
    })
}

/// Where the body starts and how long it is, once the fixed header is whole.
fn sizes(bytes: &[u8]) -> Result<Option<(usize, usize)>, Error> {
    let mut length = 0;
    for (place, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(Some((place + 2, length)));
        }
    }
    if bytes.len() > 5 { Err(malformed()) } else { Ok(None) }
}

fn number(body: &[u8], at: usize) -> Result<u16, Error> {
    match body.get(at..at + 2) {
        Some(two) => Ok(u16::from_be_bytes([two[0], two[1]])),
        None => Err(malformed()),
    }
}

fn malformed() -> Error {
    Error::new(ErrorKind::InvalidData, "the broker sent a malformed packet")
}

/// Appends the fixed header.
#[expect(clippy::cast_possible_truncation, reason = "seven bits at a time")]
fn head(out: &mut Vec<u8>, first: u8, mut length: usize) {
    out.push(first);
    loop {
        let byte = (length & 0x7F) as u8;
        length >>= 7;
        if length == 0 {
            return out.push(byte);
        }
        out.push(byte | 0x80);
    }
}

fn string(out: &mut Vec<u8>, text: &[u8]) {
    let length = u16::try_from(text.len()).expect("the kit sends short texts");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publish_reads_back_from_any_cut() {
        let mut out = Vec::new();
        publish(&mut out, "a/b", &[7; 300], 9, false);

        let cut = parse(&out[..out.len() - 1]).unwrap();
        let whole = parse(&out).unwrap();

        assert_eq!(cut, None);
        let expected = Incoming::Publish {
            topic: "a/b".to_owned(),
            payload: vec![7; 300],
            packet_id: Some(9),
            retain: false,
        };
        assert_eq!(whole, Some((expected, out.len())));
    }
}
