//! The chip itself, without line and clock: bytes and cards in, bytes out, each at its time.
//!
//! Time is a `Duration` since any origin. What comes in takes its time on the line like what goes out, so that a
//! command ends when a real chip would have heard its last byte.

use super::cards::{Card, Introduction};
use super::timing::Timing;
use protocol::serial::pn532::frame::{Frame, Framer};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

mod commands;

/// Wakes a sleeping chip.
const WAKING_EDGES: u32 = 5;
/// For ever.
const ENDLESS: u8 = 0xFF;

/// A chip that has just got power: it sleeps.
#[derive(Debug)]
pub struct Chip {
    timing: Timing,
    power: Power,
    /// Since `SAMConfiguration`; before that it finds no card.
    is_configured: bool,
    is_field_on: bool,
    passive_retries: u8,
    registers: BTreeMap<u16, u8>,
    framer: Framer,
    /// Until when the line to the chip is busy with what was sent.
    heard_until: Duration,
    /// Bytes to the host and when they are through.
    line: VecDeque<(Duration, u8)>,
    running: Option<Running>,
    last_answer: Vec<u8>,
    placed: Vec<Placed>,
    last_card: u64,
    /// The selected cards; the chip's numbers for them begin with 1.
    targets: Vec<u64>,
    active: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
enum Power {
    Asleep { edges: u32 },
    Waking { until: Duration },
    Awake,
}

/// A card in the field.
#[derive(Debug)]
struct Placed {
    id: u64,
    card: Card,
    /// Sent to sleep, or in a conversation: it answers no request until the field was off.
    is_deaf: bool,
}

/// A command that is being carried out.
#[derive(Debug)]
enum Running {
    /// The answer is known and due.
    Answer { at: Duration, frame: Frame, then: Then },
    /// Looking for cards.
    Search { search: Search, done_at: Option<Duration>, gives_up_at: Option<Duration> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Nothing,
    Sleep,
}

/// What to look for, and how to tell.
#[derive(Debug, Clone)]
struct Search {
    max: usize,
    uid: Option<Vec<u8>>,
    /// By `InAutoPoll`, which tells in another form.
    auto: bool,
}

impl Chip {
    /// A chip under power, asleep.
    pub fn new(timing: Timing) -> Self {
        Self {
            timing,
            power: Power::Asleep { edges: 0 },
            is_configured: false,
            is_field_on: false,
            passive_retries: ENDLESS,
            registers: BTreeMap::new(),
            framer: Framer::default(),
            heard_until: Duration::ZERO,
            line: VecDeque::new(),
            running: None,
            last_answer: Vec::new(),
            placed: Vec::new(),
            last_card: 0,
            targets: Vec::new(),
            active: None,
        }
    }

    /// The chip loses power and gets it back: everything is as at first, but for the cards that lie on it.
    pub fn reset(&mut self) {
        let mut placed = std::mem::take(&mut self.placed);
        for Placed { card, is_deaf, .. } in &mut placed {
            card.field_off();
            *is_deaf = false;
        }
        let (timing, last_card) = (self.timing, self.last_card);
        *self = Self { placed, last_card, ..Self::new(timing) };
    }

    /// Holds a card to the reader; the number is for [`take_away`](Self::take_away).
    pub fn present(&mut self, card: Card, now: Duration) -> u64 {
        self.advance(now);
        self.last_card += 1;
        self.placed.push(Placed { id: self.last_card, card, is_deaf: false });
        self.find(now);
        self.last_card
    }

    /// Takes a card away.
    pub fn take_away(&mut self, id: u64, now: Duration) -> Option<Card> {
        self.advance(now);
        let at = self.placed.iter().position(|placed| placed.id == id)?;
        let mut card = self.placed.remove(at).card;
        card.field_off();
        Some(card)
    }

    /// Takes all cards away.
    pub fn clear(&mut self, now: Duration) {
        self.advance(now);
        self.placed.clear();
    }

    /// The host has sent bytes.
    pub fn receive(&mut self, bytes: &[u8], now: Duration) {
        for byte in bytes {
            self.heard_until = self.heard_until.max(now) + self.timing.byte;
            let at = self.heard_until;
            self.advance(at);
            self.hear(*byte, at);
        }
    }

    /// Bytes that have gone over the line by now.
    pub fn send(&mut self, now: Duration) -> Vec<u8> {
        self.advance(now);
        let through = self.line.partition_point(|(at, _)| *at <= now);
        self.line.drain(..through).map(|(_, byte)| byte).collect()
    }

    /// When something happens next.
    pub fn wake_at(&self) -> Option<Duration> {
        let running = match &self.running {
            Some(Running::Answer { at, .. }) => Some(*at),
            Some(Running::Search { done_at, gives_up_at, .. }) => done_at.or(*gives_up_at),
            None => None,
        };
        let line = self.line.front().map(|(at, _)| *at);
        [running, line].into_iter().flatten().min()
    }

    fn hear(&mut self, byte: u8, at: Duration) {
        match self.power {
            Power::Asleep { edges } => {
                let edges = edges + rising_edges(byte);
                self.power = if edges < WAKING_EDGES {
                    Power::Asleep { edges }
                } else {
                    Power::Waking { until: at + self.timing.wake }
                };
            }
            Power::Waking { until } if at < until => {}
            Power::Waking { .. } | Power::Awake => {
                self.power = Power::Awake;
                if let Some(frame) = self.framer.push(byte) {
                    self.obey(frame, at);
                }
            }
        }
    }

    fn obey(&mut self, frame: Frame, at: Duration) {
        match frame {
            Frame::Ack => self.running = None,
            Frame::Nack => {
                let again = self.last_answer.clone();
                self.transmit(&again, at + self.timing.command);
            }
            Frame::Body(body) => {
                if let [0xD4, command, data @ ..] = body.as_slice() {
                    self.running = None;
                    let acked = at + self.timing.ack;
                    self.transmit(&Frame::Ack.encode(), acked);
                    self.running = Some(self.carry_out(*command, data, acked));
                    self.find(acked);
                }
            }
            Frame::SyntaxError => {}
        }
    }

    /// Lets what is due happen.
    fn advance(&mut self, now: Duration) {
        while let Some(running) = self.running.take() {
            match running {
                Running::Answer { at, frame, then } if at <= now => {
                    self.last_answer = frame.encode();
                    let bytes = self.last_answer.clone();
                    self.transmit(&bytes, at);
                    if then == Then::Sleep {
                        self.fall_asleep();
                    }
                }
                Running::Search { search, done_at: Some(at), gives_up_at } if at <= now => {
                    let found = self.select(&search);
                    self.running = Some(if found.is_empty() {
                        Running::Search { search, done_at: None, gives_up_at }
                    } else {
                        Running::Answer { at, frame: search.told(&found), then: Then::Nothing }
                    });
                    self.find(at);
                }
                Running::Search { search, done_at: None, gives_up_at: Some(at) } if at <= now => {
                    let frame = search.told(&[]);
                    self.running = Some(Running::Answer { at, frame, then: Then::Nothing });
                }
                running => {
                    self.running = Some(running);
                    return;
                }
            }
        }
    }

    fn fall_asleep(&mut self) {
        self.power = Power::Asleep { edges: 0 };
        self.is_configured = false;
        self.switch_field(false);
    }

    /// If the chip looks for cards and there are some, says when it will have them.
    fn find(&mut self, now: Duration) {
        let is_able = self.is_configured;
        let Some(Running::Search { search, done_at: done_at @ None, gives_up_at }) =
            &mut self.running
        else {
            return;
        };
        let wanted = |placed: &&Placed| !placed.is_deaf && search.wants(&placed.card);
        let found: Vec<_> = self.placed.iter().filter(wanted).take(search.max).collect();
        if !is_able || found.is_empty() {
            return;
        }
        let timing = &self.timing;
        let mut at = now + timing.poll;
        for placed in &found {
            let slow = !placed.card.introduce().ats.is_empty();
            at += timing.select + if slow { timing.ats } else { Duration::ZERO };
        }
        if found.len() < search.max {
            at += timing.poll;
        }
        if gives_up_at.is_none_or(|end| now <= end) {
            *done_at = Some(at);
        }
    }

    /// Selects what is there now.
    fn select(&mut self, search: &Search) -> Vec<(u8, Introduction)> {
        self.targets.clear();
        self.is_field_on = true;
        let wanted = |placed: &&mut Placed| !placed.is_deaf && search.wants(&placed.card);
        for placed in self.placed.iter_mut().filter(wanted).take(search.max) {
            self.targets.push(placed.id);
            // A card with pages answers the second request again, one that speaks APDUs does not.
            placed.is_deaf = !placed.card.introduce().ats.is_empty();
        }
        self.active = self.targets.first().copied();
        let introduced = |id: &u64| self.placed.iter().find(|placed| placed.id == *id);
        let found: Vec<_> = self.targets.iter().filter_map(introduced).collect();
        (1..).zip(found).map(|(number, placed)| (number, placed.card.introduce())).collect()
    }

    fn switch_field(&mut self, on: bool) {
        if self.is_field_on && !on {
            self.targets.clear();
            self.active = None;
            for Placed { card, is_deaf, .. } in &mut self.placed {
                card.field_off();
                *is_deaf = false;
            }
        }
        self.is_field_on = on;
    }

    /// Sends the selected cards to sleep; 0 means all.
    fn release(&mut self, number: u8) {
        let ids: Vec<u64> = match number.checked_sub(1) {
            None => self.targets.clone(),
            Some(index) => self.targets.get(usize::from(index)).copied().into_iter().collect(),
        };
        for placed in self.placed.iter_mut().filter(|placed| ids.contains(&placed.id)) {
            placed.is_deaf = true;
        }
        self.active = self.active.filter(|id| !ids.contains(id));
    }

    fn transmit(&mut self, bytes: &[u8], from: Duration) {
        let mut at = self.line.back().map_or(from, |(busy, _)| from.max(*busy));
        for byte in bytes {
            at += self.timing.byte;
            self.line.push_back((at, *byte));
        }
    }
}

impl Search {
    fn wants(&self, card: &Card) -> bool {
        self.uid.as_ref().is_none_or(|uid| *uid == card.introduce().uid)
    }

    fn told(&self, found: &[(u8, Introduction)]) -> Frame {
        let mut body = vec![0xD5, if self.auto { 0x61 } else { 0x4B }];
        body.push(u8::try_from(found.len()).unwrap_or(u8::MAX));
        for (number, Introduction { atqa, sak, uid, ats }) in found {
            let length = u8::try_from(uid.len()).unwrap_or(u8::MAX);
            let data =
                [&[*number], &atqa[..], &[*sak, length], uid.as_slice(), ats.as_slice()].concat();
            if self.auto {
                let kind = if ats.is_empty() { 0x10 } else { 0x20 };
                body.extend([kind, u8::try_from(data.len()).unwrap_or(u8::MAX)]);
            }
            body.extend(data);
        }
        Frame::Body(body)
    }
}

/// How often the line rises during a byte: it falls for the start bit and is up again after the last.
fn rising_edges(byte: u8) -> u32 {
    let levels = (u32::from(byte) << 1) | 0x200;
    (levels & !(levels << 1)).count_ones()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_of_55_has_all_the_edges_that_wake_a_chip() {
        assert_eq!(rising_edges(0x55), 5);
        assert_eq!(rising_edges(0x00), 1);
        assert_eq!(rising_edges(0xFF), 1);
    }
}
