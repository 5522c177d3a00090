//! What the chip does with each command.

use super::{Chip, ENDLESS, Running, Search, Then};
use crate::emulators::pn532::cards::{Card, Reply};
use protocol::serial::pn532::frame::Frame;
use std::time::Duration;

/// Statuses of an exchange.
const OK: u8 = 0x00;
const TIMEOUT: u8 = 0x01;
const BAD_KEY: u8 = 0x14;
const WRONG_CONTEXT: u8 = 0x27;

/// A period of `InAutoPoll`.
const PERIOD: Duration = Duration::from_millis(150);

impl Chip {
    pub(super) fn carry_out(&mut self, command: u8, data: &[u8], acked: Duration) -> Running {
        let at = acked + self.timing.command;
        let answer = match (command, data) {
            (0x00, [0x00, ..]) => data.to_vec(),
            (0x02, []) => vec![0x32, 0x01, 0x06, 0x07],
            (0x04, []) => self.general_status(),
            (0x06, addresses) => self.read_registers(addresses),
            (0x08, values) => self.write_registers(values),
            (0x12, [_]) => vec![],
            (0x14, [_mode, ..]) => {
                self.is_configured = true;
                vec![]
            }
            (0x16, [_sources, ..]) => return answered(0x17, &[OK], at, Then::Sleep),
            (0x32, [item, values @ ..]) => self.configure_field(*item, values),
            (0x4A, [max, kind, uid @ ..]) => return self.list(*max, *kind, uid, at),
            (0x60, [rounds, period, kinds @ ..]) => {
                return self.poll(*rounds, *period, kinds, at);
            }
            (0x40, [number, bytes @ ..]) => return self.exchange(*number, bytes, at),
            (0x42, bytes) => return self.communicate(bytes, at),
            (0x44 | 0x52, [number]) => {
                self.release(*number);
                vec![OK]
            }
            (0x54, [number]) => vec![self.activate(*number)],
            _ => return Running::Answer { at, frame: Frame::SyntaxError, then: Then::Nothing },
        };
        answered(command + 1, &answer, at, Then::Nothing)
    }

    fn general_status(&self) -> Vec<u8> {
        let count = u8::try_from(self.targets.len()).unwrap_or(u8::MAX);
        let mut status = vec![OK, u8::from(self.is_field_on), count];
        for number in 1..=count {
            status.extend([number, 0x00, 0x00, 0x00]);
        }
        status.push(0x80);
        status
    }

    fn read_registers(&self, addresses: &[u8]) -> Vec<u8> {
        let value = |address: &[u8; 2]| self.registers.get(&u16::from_be_bytes(*address)).copied();
        addresses.as_chunks().0.iter().map(|address| value(address).unwrap_or_default()).collect()
    }

    fn write_registers(&mut self, values: &[u8]) -> Vec<u8> {
        for [high, low, value] in values.as_chunks().0 {
            self.registers.insert(u16::from_be_bytes([*high, *low]), *value);
        }
        vec![]
    }

    fn configure_field(&mut self, item: u8, values: &[u8]) -> Vec<u8> {
        match (item, values) {
            (0x01, [switches]) => self.switch_field(switches & 1 != 0),
            (0x05, [_, _, passive]) => self.passive_retries = *passive,
            _ => {}
        }
        vec![]
    }

    /// Only cards of type A at 106 kbit/s exist here.
    fn list(&mut self, max: u8, kind: u8, uid: &[u8], at: Duration) -> Running {
        let tries = u32::from(self.passive_retries) + 1;
        let gives_up_at = (self.passive_retries != ENDLESS).then(|| at + self.timing.poll * tries);
        let max = if kind == 0 { usize::from(max.clamp(1, 2)) } else { 0 };
        let uid = (!uid.is_empty()).then(|| without_cascade(uid));
        self.search(Search { max, uid, auto: false }, gives_up_at)
    }

    fn poll(&mut self, rounds: u8, period: u8, kinds: &[u8], at: Duration) -> Running {
        let kind = |kind: &u8| matches!(kind, 0x00 | 0x10 | 0x20);
        let max = if kinds.iter().any(kind) { 2 } else { 0 };
        let steps = u32::from(rounds) * u32::from(period) * u32::try_from(kinds.len()).unwrap_or(1);
        let gives_up_at = (rounds != ENDLESS).then(|| at + PERIOD * steps);
        self.search(Search { max, uid: None, auto: true }, gives_up_at)
    }

    fn search(&mut self, search: Search, gives_up_at: Option<Duration>) -> Running {
        self.is_field_on = true;
        Running::Search { search, done_at: None, gives_up_at }
    }

    fn exchange(&mut self, number: u8, bytes: &[u8], at: Duration) -> Running {
        if self.activate(number) != OK {
            return answered(0x41, &[WRONG_CONTEXT], at, Then::Nothing);
        }
        let is_tag = self.active_card().is_some_and(|card| matches!(card, Card::Ntag(_)));
        if is_tag && !matches!(bytes, [0x30 | 0xA2 | 0xA0 | 0x60 | 0x61, ..]) {
            return Running::Answer { at, frame: Frame::SyntaxError, then: Then::Nothing };
        }
        if is_tag && matches!(bytes, [0x60 | 0x61, ..]) {
            return answered(0x41, &[BAD_KEY], at, Then::Nothing);
        }
        self.say(0x41, bytes, at)
    }

    /// The bytes as they are: for a card that speaks APDUs that is a block, of which only the request to repeat the
    /// last one is understood.
    fn communicate(&mut self, bytes: &[u8], at: Duration) -> Running {
        match (self.active_card(), bytes) {
            (Some(Card::Ntag424(_) | Card::Phone(_)), [block @ (0xB2 | 0xB3)]) => {
                let at = at + self.timing.card;
                answered(0x43, &[OK, 0xA0 | (block & 0x0F)], at, Then::Nothing)
            }
            (Some(Card::Ntag(_)), bytes) => self.say(0x43, bytes, at),
            _ => answered(0x43, &[TIMEOUT], at + self.timing.silence, Then::Nothing),
        }
    }

    fn say(&mut self, code: u8, bytes: &[u8], at: Duration) -> Running {
        let timing = self.timing;
        let on_air =
            |bytes: &[u8]| timing.card_byte * u32::try_from(bytes.len() + 4).unwrap_or(u32::MAX);
        let silent = at + on_air(bytes) + timing.silence;
        let reply = self.active_card().map(|card| card.exchange(bytes, &timing));
        match reply {
            Some(Reply::Answer { bytes: reply, after }) => {
                let at = at + on_air(bytes) + after + on_air(&reply);
                answered(code, &[&[OK], reply.as_slice()].concat(), at, Then::Nothing)
            }
            Some(Reply::BadKey) => answered(code, &[BAD_KEY], silent, Then::Nothing),
            Some(Reply::Mute) | None => answered(code, &[TIMEOUT], silent, Then::Nothing),
        }
    }

    fn activate(&mut self, number: u8) -> u8 {
        let index = usize::from(number).checked_sub(1);
        match index.and_then(|index| self.targets.get(index)) {
            Some(id) => {
                self.active = Some(*id);
                OK
            }
            None => WRONG_CONTEXT,
        }
    }

    /// The card that is spoken with, if it is still there.
    fn active_card(&mut self) -> Option<&mut Card> {
        let active = self.active?;
        let placed = self.placed.iter_mut().find(|placed| placed.id == active)?;
        Some(&mut placed.card)
    }
}

fn answered(code: u8, data: &[u8], at: Duration, then: Then) -> Running {
    let frame = Frame::Body([&[0xD5, code], data].concat());
    Running::Answer { at, frame, then }
}

/// A number of seven or ten bytes comes in parts of four, of which all but the last begin with 88.
fn without_cascade(uid: &[u8]) -> Vec<u8> {
    let (parts, rest) = uid.as_chunks::<4>();
    let part = |part: &[u8; 4]| part[usize::from(part[0] == 0x88)..].to_vec();
    let mut whole: Vec<u8> = parts.iter().flat_map(part).collect();
    whole.extend_from_slice(rest);
    whole
}
