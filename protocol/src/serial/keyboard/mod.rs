//! QR scanners that type like keyboards: Linux key events in, the bytes of a scanner's line out.
//!
//! What comes out goes into the link of [`scanner`](super::scanner): Enter ends a code, silence does, too long is
//! discarded. Limits: the layout must be the one the scanner is set to; the dead keys of German keyboards (circumflex, acute,
//! grave), codes typed with Alt and the digits of the number block, and control characters typed with Ctrl are left out.

mod layout;

pub use layout::Layout;

use alloc::vec::Vec;

/// Bytes of the kernel's `struct input_event` on a 64-bit system.
pub const EVENT_BYTES: usize = 24;

const EV_SYN: u16 = 0;
const SYN_DROPPED: u16 = 3;
const EV_KEY: u16 = 1;

const ENTER: u16 = 28;
const LEFT_CTRL: u16 = 29;
const LEFT_SHIFT: u16 = 42;
const RIGHT_SHIFT: u16 = 54;
const LEFT_ALT: u16 = 56;
const CAPS_LOCK: u16 = 58;
const NUMBER_BLOCK_ENTER: u16 = 96;
const RIGHT_CTRL: u16 = 97;
const RIGHT_ALT: u16 = 100;

/// An event of an input device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InputEvent {
    /// Kind of event; 1 is a key.
    pub kind: u16,
    /// Which key.
    pub code: u16,
    /// 1 pressed, 0 released, 2 held down for long.
    pub value: i32,
}

impl InputEvent {
    /// The event in a `struct input_event` of a 64-bit system of this byte order; its time is not needed.
    pub fn from_bytes(bytes: &[u8; EVENT_BYTES]) -> Self {
        let [.., k0, k1, c0, c1, v0, v1, v2, v3] = *bytes;
        Self {
            kind: u16::from_ne_bytes([k0, k1]),
            code: u16::from_ne_bytes([c0, c1]),
            value: i32::from_ne_bytes([v0, v1, v2, v3]),
        }
    }

    /// The same as bytes, at time 0.
    pub fn to_bytes(self) -> [u8; EVENT_BYTES] {
        let mut bytes = [0; EVENT_BYTES];
        bytes[16..18].copy_from_slice(&self.kind.to_ne_bytes());
        bytes[18..20].copy_from_slice(&self.code.to_ne_bytes());
        bytes[20..].copy_from_slice(&self.value.to_ne_bytes());
        bytes
    }
}

/// What an event means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// Nothing, or only a change of what is held.
    Nothing,
    /// These bytes: a character in UTF-8, or the line feed of Enter.
    Bytes(Vec<u8>),
    /// Events were lost: what was begun can never be completed.
    Broken,
}

/// What is held down, and with it what keys mean.
#[derive(Debug, Clone)]
pub struct Decoder {
    layout: Layout,
    shifts: [bool; 2],
    controls: [bool; 3],
    is_alt_gr: bool,
    is_caps: bool,
}

impl Decoder {
    /// A decoder of a device that has nothing held.
    pub fn new(layout: Layout) -> Self {
        let (shifts, controls) = ([false; 2], [false; 3]);
        Self { layout, shifts, controls, is_alt_gr: false, is_caps: false }
    }

    /// Takes an event.
    pub fn take(&mut self, event: InputEvent) -> Typed {
        match (event.kind, event.code) {
            (EV_SYN, SYN_DROPPED) => {
                *self = Self::new(self.layout);
                Typed::Broken
            }
            (EV_KEY, code) => self.key(code, event.value),
            _ => Typed::Nothing,
        }
    }

    fn key(&mut self, code: u16, value: i32) -> Typed {
        let is_down = value != 0;
        match code {
            LEFT_SHIFT => self.shifts[0] = is_down,
            RIGHT_SHIFT => self.shifts[1] = is_down,
            LEFT_CTRL => self.controls[0] = is_down,
            RIGHT_CTRL => self.controls[1] = is_down,
            LEFT_ALT => self.controls[2] = is_down,
            RIGHT_ALT => self.is_alt_gr = is_down,
            CAPS_LOCK if value == 1 => self.is_caps = !self.is_caps,
            // A scanner presses each key anew; what is held down repeats itself without meaning it.
            _ if value == 1 => return self.pressed(code),
            _ => {}
        }
        Typed::Nothing
    }

    fn pressed(&self, code: u16) -> Typed {
        if matches!(code, ENTER | NUMBER_BLOCK_ENTER) {
            return Typed::Bytes(b"\n".to_vec());
        }
        if self.controls.contains(&true) {
            return Typed::Nothing;
        }
        let is_shift = self.shifts.contains(&true);
        match self.layout.character(code, is_shift, self.is_alt_gr) {
            None => Typed::Nothing,
            Some(plain) => {
                let typed = if self.is_caps { other_case(plain) } else { plain };
                let mut utf8 = [0; 4];
                Typed::Bytes(typed.encode_utf8(&mut utf8).as_bytes().to_vec())
            }
        }
    }
}

/// Caps lock changes letters only; the German sharp s has no other case.
fn other_case(letter: char) -> char {
    let one =
        |mut letters: core::char::ToUppercase| letters.next().filter(|_| letters.next().is_none());
    if letter.is_lowercase() {
        one(letter.to_uppercase()).unwrap_or(letter)
    } else {
        letter.to_lowercase().next().unwrap_or(letter)
    }
}

#[cfg(test)]
mod tests;
