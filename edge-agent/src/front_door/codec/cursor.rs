//! Reads the building blocks of MQTT from a packet's body; every read is checked.

use super::Fault;
use bytes::{Buf, Bytes};

const SHORT: Fault = Fault::malformed("a packet ends before its content");

pub struct Cursor(pub Bytes);

impl Cursor {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn u8(&mut self) -> Result<u8, Fault> {
        self.0.try_get_u8().map_err(|_| SHORT)
    }

    pub fn u16(&mut self) -> Result<u16, Fault> {
        self.0.try_get_u16().map_err(|_| SHORT)
    }

    pub fn u32(&mut self) -> Result<u32, Fault> {
        self.0.try_get_u32().map_err(|_| SHORT)
    }

    /// A variable byte integer of 1 to 4 bytes.
    pub fn var_int(&mut self) -> Result<u32, Fault> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.u8()?;
            value |= u32::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Fault::malformed("a length of more than four bytes"))
    }

    pub fn take(&mut self, len: usize) -> Result<Bytes, Fault> {
        if len > self.0.len() {
            return Err(SHORT);
        }
        Ok(self.0.split_to(len))
    }

    /// Bytes behind a length of two bytes.
    pub fn binary(&mut self) -> Result<Bytes, Fault> {
        let len = usize::from(self.u16()?);
        self.take(len)
    }

    /// Like [`Self::binary`], and UTF-8 without NUL.
    pub fn text(&mut self) -> Result<Text, Fault> {
        Text::new(self.binary()?)
    }

    pub fn packet_id(&mut self) -> Result<u16, Fault> {
        match self.u16()? {
            0 => Err(Fault::protocol("packet identifier 0")),
            id => Ok(id),
        }
    }
}

/// A string of MQTT that shares the buffer it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(Bytes);

impl Text {
    pub fn new(bytes: Bytes) -> Result<Self, Fault> {
        match std::str::from_utf8(&bytes) {
            Ok(text) if !text.contains('\0') => Ok(Self(bytes)),
            _ => Err(Fault::malformed("a text that is not UTF-8 without NUL")),
        }
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}
