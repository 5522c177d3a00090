//! Frames of RFC 6455 as a server reads and writes them. No I/O.
//!
//! A frame of a server is not masked, so the bytes of an event are the same for all who hear it: they are made once.

use axum::body::Bytes;

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    Text(String),
    Ping(Vec<u8>),
    Pong,
    Close,
}

/// What a client must not send; ends its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Protocol(&'static str),
    /// Only text is spoken here.
    Binary,
    NotUtf8,
    TooLong,
}

/// Cuts what arrives into messages.
#[derive(Debug)]
pub struct Decoder {
    /// What has arrived of the next frame.
    buffer: Vec<u8>,
    /// What has arrived of a message in several frames.
    message: Option<Vec<u8>>,
    max_bytes: usize,
}

/// The head of a frame.
struct Head {
    is_final: bool,
    opcode: u8,
    mask: [u8; 4],
    /// Bytes of the head, and of what follows it.
    len: usize,
    payload_len: usize,
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const MAX_CONTROL_BYTES: usize = 125;

impl Decoder {
    /// Takes messages of at most so many bytes.
    pub fn new(max_bytes: usize) -> Self {
        Self { buffer: Vec::new(), message: None, max_bytes }
    }

    /// Takes in bytes; ask for messages until there is none before the next ones.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message, if all of it is here.
    pub fn next(&mut self) -> Result<Option<Incoming>, Fault> {
        loop {
            let Some(head) = self.head()? else { return Ok(None) };
            if self.buffer.len() < head.len + head.payload_len {
                return Ok(None);
            }
            let payload = self.buffer[head.len..head.len + head.payload_len].iter();
            let payload = payload.zip(head.mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
            let payload: Vec<u8> = payload.collect();
            self.buffer.drain(..head.len + head.payload_len);
            if self.buffer.is_empty() {
                // Most clients are silent most of the time: they hold no memory then.
                self.buffer = Vec::new();
            }
            if let Some(incoming) = self.take(&head, payload)? {
                return Ok(Some(incoming));
            }
        }
    }

    fn head(&self) -> Result<Option<Head>, Fault> {
        let &[first, second, ..] = self.buffer.as_slice() else { return Ok(None) };
        let (is_final, opcode) = (first & FINAL != 0, first & 0x0f);
        if first & 0x70 != 0 {
            return Err(Fault::Protocol("reserved bits are set"));
        }
        if second & MASKED == 0 {
            return Err(Fault::Protocol("a client has to mask its frames"));
        }
        let short = usize::from(second & !MASKED);
        if opcode >= CLOSE && (!is_final || short > MAX_CONTROL_BYTES) {
            return Err(Fault::Protocol("a control frame is short and whole"));
        }
        let bytes = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let len = 2 + bytes + 4;
        if self.buffer.len() < len {
            return Ok(None);
        }
        let long =
            self.buffer[2..2 + bytes].iter().fold(0_u64, |len, byte| len << 8 | u64::from(*byte));
        let payload_len = if bytes == 0 { short as u64 } else { long };
        let so_far = self.message.as_ref().map_or(0, Vec::len);
        let payload_len = usize::try_from(payload_len).map_err(|_| Fault::TooLong)?;
        if payload_len > self.max_bytes || payload_len + so_far > self.max_bytes {
            return Err(Fault::TooLong);
        }
        let mut mask = [0; 4];
        mask.copy_from_slice(&self.buffer[len - 4..len]);
        Ok(Some(Head { is_final, opcode, mask, len, payload_len }))
    }

    fn take(&mut self, head: &Head, payload: Vec<u8>) -> Result<Option<Incoming>, Fault> {
        let message = match (head.opcode, self.message.take()) {
            (TEXT, None) => payload,
            (CONTINUATION, Some(mut message)) => {
                message.extend_from_slice(&payload);
                message
            }
            (TEXT, Some(_)) => return Err(Fault::Protocol("a message within a message")),
            (CONTINUATION, None) => return Err(Fault::Protocol("the continuation of nothing")),
            (BINARY, _) => return Err(Fault::Binary),
            (opcode @ (CLOSE | PING | PONG), message) => {
                self.message = message;
                return Ok(Some(match opcode {
                    PING => Incoming::Ping(payload),
                    PONG => Incoming::Pong,
                    _ => Incoming::Close,
                }));
            }
            _ => return Err(Fault::Protocol("an unknown opcode")),
        };
        if !head.is_final {
            self.message = Some(message);
            return Ok(None);
        }
        Ok(Some(Incoming::Text(String::from_utf8(message).map_err(|_| Fault::NotUtf8)?)))
    }
}

/// A frame with a text.
pub fn text(text: &str) -> Bytes {
    frame(TEXT, text.as_bytes())
}

/// Asks whether somebody is there.
pub fn ping() -> Bytes {
    frame(PING, b"")
}

/// The answer to a ping.
pub fn pong(payload: &[u8]) -> Bytes {
    frame(PONG, payload)
}

/// The last frame, with a reason.
pub fn close(code: u16, reason: &str) -> Bytes {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.as_bytes());
    payload.truncate(MAX_CONTROL_BYTES);
    frame(CLOSE, &payload)
}

fn frame(opcode: u8, payload: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(payload.len() + 10);
    bytes.push(FINAL | opcode);
    let len = payload.len();
    if len <= MAX_CONTROL_BYTES {
        bytes.push(len.to_le_bytes()[0]);
    } else if let Ok(len) = u16::try_from(len) {
        bytes.push(126);
        bytes.extend_from_slice(&len.to_be_bytes());
    } else {
        bytes.push(127);
        bytes.extend_from_slice(&(len as u64).to_be_bytes());
    }
    bytes.extend_from_slice(payload);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As a client sends it.
    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = frame(first & 0x0f, payload).to_vec();
        let head = bytes.len() - payload.len();
        bytes[0] = first;
        bytes[1] |= MASKED;
        let mask = [7, 1, 200, 33];
        for (byte, mask) in bytes[head..].iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        bytes.splice(head..head, mask);
        bytes
    }

    fn decoded(bytes: &[u8]) -> Result<Vec<Incoming>, Fault> {
        let mut decoder = Decoder::new(1_000);
        decoder.push(bytes);
        let mut messages = Vec::new();
        while let Some(message) = decoder.next()? {
            messages.push(message);
        }
        Ok(messages)
    }

    #[test]
    fn a_ping_may_come_between_the_parts_of_a_message() {
        let parts = [masked(TEXT, b"Good "), masked(FINAL | PING, b"?"), masked(FINAL, b"morning")];

        let messages = decoded(&parts.concat()).unwrap();

        let text = Incoming::Text("Good morning".to_owned());
        assert_eq!(messages, [Incoming::Ping(b"?".to_vec()), text]);
    }

    #[test]
    fn what_a_client_must_not_send_is_told_apart() {
        let unmasked = [FINAL | TEXT, 1, b'a'];
        let half = [FINAL | TEXT, MASKED | 127, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0];

        assert!(matches!(decoded(&unmasked), Err(Fault::Protocol(_))));
        assert!(matches!(decoded(&masked(FINAL | 0x40 | TEXT, b"")), Err(Fault::Protocol(_))));
        assert!(matches!(decoded(&masked(FINAL, b"a")), Err(Fault::Protocol(_))));
        assert!(matches!(decoded(&masked(PING, b"a")), Err(Fault::Protocol(_))));
        assert!(matches!(decoded(&masked(FINAL | 3, b"a")), Err(Fault::Protocol(_))));
        assert_eq!(decoded(&masked(FINAL | BINARY, b"a")), Err(Fault::Binary));
        assert_eq!(decoded(&masked(FINAL | TEXT, &[0xff])), Err(Fault::NotUtf8));
        assert_eq!(decoded(&masked(FINAL | TEXT, &[b'a'; 1_001])), Err(Fault::TooLong));
        assert_eq!(decoded(&half), Err(Fault::TooLong));
    }

    #[test]
    fn a_message_in_parts_is_not_longer_than_one_in_one_piece() {
        let parts = [masked(TEXT, &[b'a'; 600]), masked(FINAL, &[b'a'; 600])];

        assert_eq!(decoded(&parts.concat()), Err(Fault::TooLong));
    }

    #[test]
    fn a_close_frame_has_its_code_and_reason() {
        assert_eq!(close(4401, "bye").as_ref(), [0x88, 5, 0x11, 0x31, b'b', b'y', b'e']);
    }

    proptest! {
        #[test]
        fn however_it_is_cut_it_comes_out_whole(said in ".{0,400}", at in 0_usize..400) {
            let bytes = masked(FINAL | TEXT, said.as_bytes());
            let (first, second) = bytes.split_at(at.min(bytes.len()));
            let mut decoder = Decoder::new(10_000);

            decoder.push(first);
            let early = decoder.next().unwrap();
            decoder.push(second);
            let message = early.or(decoder.next().unwrap());

            prop_assert_eq!(message, Some(Incoming::Text(said)));
        }

        #[test]
        fn nothing_that_arrives_makes_it_panic(bytes: Vec<u8>) {
            let _ = decoded(&bytes);
        }
    }
}
