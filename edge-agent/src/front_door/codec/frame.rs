//! Cuts the byte stream into packets, and keeps only the beginning of those that are too long to be of use.

use super::{Fault, Reason};
use bytes::{Buf, Bytes, BytesMut};

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Type and flags.
    pub first: u8,
    /// What follows the fixed header; only its beginning if `cut` is not 0.
    pub body: Bytes,
    /// How many bytes of the body were not kept.
    pub cut: usize,
}

/// Where the stream is between two packets.
#[derive(Debug)]
pub struct Framer {
    /// Packets up to this long are kept whole.
    keep: usize,
    /// Longer packets are refused.
    max: usize,
    skip: usize,
}

impl Framer {
    pub fn new(keep: usize, max: usize) -> Self {
        Self { keep, max, skip: 0 }
    }

    /// Takes the next packet out of the buffer, if it is there. After an error the stream is unusable.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, Fault> {
        if self.skip > 0 {
            let dropped = self.skip.min(buffer.len());
            buffer.advance(dropped);
            self.skip -= dropped;
            if self.skip > 0 {
                return Ok(None);
            }
        }
        let Some((header, len)) = fixed_header(buffer)? else { return Ok(None) };
        if len > self.max {
            return Err(Fault {
                reason: Reason::TOO_LARGE,
                what: "a packet over the maximum size",
            });
        }
        let kept = len.min(self.keep);
        if buffer.len() < header + kept {
            return Ok(None);
        }
        let first = buffer[0];
        buffer.advance(header);
        let body = buffer.split_to(kept).freeze();
        self.skip = len - kept;
        Ok(Some(Frame { first, body, cut: self.skip }))
    }
}

/// Length of the fixed header, and of what follows it.
fn fixed_header(buffer: &[u8]) -> Result<Option<(usize, usize)>, Fault> {
    let mut len = 0;
    for (i, &byte) in buffer.iter().skip(1).take(4).enumerate() {
        len |= usize::from(byte & 0x7F) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok(Some((i + 2, len)));
        }
    }
    if buffer.len() >= 5 {
        return Err(Fault::malformed("a length of more than four bytes"));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_over_long_packet_keeps_its_beginning_and_the_next_one_is_found() {
        let mut framer = Framer::new(4, 100);
        let mut buffer = BytesMut::from(&[0x30, 10, 1, 2, 3, 4, 5, 6][..]);

        let frame = framer.next(&mut buffer).unwrap().unwrap();
        let waiting = framer.next(&mut buffer).unwrap();
        buffer.extend_from_slice(&[7, 8, 9, 10, 0xC0, 0]);
        let ping = framer.next(&mut buffer).unwrap().unwrap();

        assert_eq!((frame.body.as_ref(), frame.cut), (&[1, 2, 3, 4][..], 6));
        assert_eq!(waiting, None);
        assert_eq!(ping.first, 0xC0);
    }

    #[test]
    fn a_length_over_the_maximum_is_refused_before_its_bytes_arrive() {
        let fault = Framer::new(4, 100).next(&mut BytesMut::from(&[0x30, 101][..])).unwrap_err();

        assert_eq!(fault.reason, Reason::TOO_LARGE);
    }

    #[test]
    fn five_length_bytes_are_malformed() {
        let mut buffer = BytesMut::from(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF][..]);

        assert_eq!(Framer::new(4, 100).next(&mut buffer).unwrap_err().reason, Reason::MALFORMED);
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_packets(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..8),
            chunk in 1_usize..9,
        ) {
            let mut stream = Vec::new();
            for body in &bodies {
                stream.extend([0x30, u8::try_from(body.len()).unwrap()]);
                stream.extend(body);
            }
            let mut framer = Framer::new(16, 64);
            let mut buffer = BytesMut::new();
            let mut found = Vec::new();
            for piece in stream.chunks(chunk) {
                buffer.extend_from_slice(piece);
                while let Some(frame) = framer.next(&mut buffer).unwrap() {
                    found.push((frame.body.to_vec(), frame.cut));
                }
            }
            let expected: Vec<_> = bodies
                .iter()
                .map(|body| (body[..body.len().min(16)].to_vec(), body.len().saturating_sub(16)))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
