//! Raw bytes of consoles behind a 16-byte header (topics `ftms` and `csafe`).

use super::reader::{Refusal, check_size};

/// Length of the header.
const HEADER: usize = 16;

/// What a console said, untouched. Header: boot u32, seq u64, `uptime_ms` u32, all little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawFrame<'a> {
    /// Random, new at every boot of the device.
    pub boot: u32,
    /// Counts up by one per device.
    pub seq: u64,
    /// Milliseconds since the device's boot; wraps after 49 days.
    pub uptime_ms: u32,
    /// FTMS: UUID of the characteristic (u16, little-endian) and its value. CSAFE: a whole frame.
    pub body: &'a [u8],
}

/// Takes the header off. A frame without a body is refused.
pub fn parse_raw_frame(payload: &[u8]) -> Result<RawFrame<'_>, Refusal> {
    check_size(payload)?;
    let split = || -> Option<RawFrame<'_>> {
        let (boot, rest) = payload.split_first_chunk()?;
        let (seq, rest) = rest.split_first_chunk()?;
        let (uptime_ms, body) = rest.split_first_chunk()?;
        Some(RawFrame {
            boot: u32::from_le_bytes(*boot),
            seq: u64::from_le_bytes(*seq),
            uptime_ms: u32::from_le_bytes(*uptime_ms),
            body,
        })
    };
    split().filter(|frame| !frame.body.is_empty()).ok_or_else(|| {
        Refusal::malformed(format!("a header of {HEADER} bytes and at least one more are expected"))
    })
}

impl<'a> RawFrame<'a> {
    /// The characteristic and its value, if the body is an FTMS notification.
    pub fn ftms(&self) -> Result<(u16, &'a [u8]), Refusal> {
        match self.body {
            &[low, high, ref value @ ..] if !value.is_empty() => {
                Ok((u16::from_le_bytes([low, high]), value))
            }
            _ => Err(Refusal::malformed("the UUID of a characteristic and its value are expected")),
        }
    }

    /// The frame as it is sent.
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(HEADER + self.body.len());
        payload.extend_from_slice(&self.boot.to_le_bytes());
        payload.extend_from_slice(&self.seq.to_le_bytes());
        payload.extend_from_slice(&self.uptime_ms.to_le_bytes());
        payload.extend_from_slice(self.body);
        payload
    }
}
