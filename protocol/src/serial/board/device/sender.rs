//! The board's side of the line: greeting, numbers in order, and again what has not arrived.

use super::Identity;
use super::buffer::Buffer;
use crate::serial::board::{FirmwareMessage, encode};
use alloc::vec::Vec;

/// Between two greetings, as long as nobody answers.
const HELLO_EVERY_MS: u64 = 1_000;

/// A board that has nothing to say says Hello this often, so that the host knows it is alive.
const SIGN_OF_LIFE_MS: u64 = 10_000;

/// Messages on their way. At 115 200 baud these are about a tenth of a second.
const WINDOW: usize = 16;

/// What has not arrived is sent again after this time, then after twice as long, and so on.
const PATIENCE_MS: u64 = 500;
const LONGEST_PATIENCE_MS: u64 = 4_000;

/// What has arrived and is not acked after this time is offered again: an ack may have been lost.
const OFFER_AFTER_MS: u64 = 5_000;
/// So many at a time, and so long until the next: during a set the host has many that it cannot ack yet.
const OFFERS: usize = 4;
const OFFER_PAUSE_MS: u64 = 1_000;

#[derive(Debug)]
enum Phase {
    /// Nobody has welcomed this boot yet.
    Greeting {
        hello_at_ms: u64,
    },
    Talking(Talk),
}

#[derive(Debug)]
struct Talk {
    session: u32,
    /// Everything up to here has arrived.
    held: u64,
    /// The number that the host expects after what was sent.
    next: u64,
    again_at_ms: Option<u64>,
    patience_ms: u64,
    /// Whether the host must be told again which number comes next.
    resume: bool,
    /// No offers before this time.
    offer_at_ms: u64,
}

/// Unacked messages and how far they got.
#[derive(Debug)]
pub(super) struct Sender {
    phase: Phase,
    buffer: Buffer,
    next_seq: u64,
    wrote_at_ms: u64,
    /// A host that asks, or hears this boot for the first time, does not know the state of the machine.
    is_asked: bool,
}

impl Sender {
    pub fn new(capacity: usize) -> Self {
        Self {
            phase: Phase::Greeting { hello_at_ms: 0 },
            buffer: Buffer::new(capacity),
            next_seq: 1,
            wrote_at_ms: 0,
            is_asked: false,
        }
    }

    pub fn unacked(&self) -> usize {
        self.buffer.len()
    }

    pub fn lost(&self) -> u64 {
        self.buffer.lost()
    }

    pub fn is_welcome(&self) -> bool {
        matches!(self.phase, Phase::Talking(_))
    }

    /// Gives a message its number and keeps it. One that is too long for a frame is lost: nothing could follow it.
    pub fn keep(&mut self, now_ms: u64, message: impl FnOnce(u64) -> FirmwareMessage) {
        let message = message(self.next_seq);
        if encode(&message).is_err() {
            self.buffer.refuse();
            return;
        }
        self.buffer.push(self.next_seq, message, now_ms);
        self.next_seq += 1;
    }

    pub fn enquired(&mut self) {
        self.is_asked = true;
        self.phase = Phase::Greeting { hello_at_ms: 0 };
    }

    /// Everything unacked goes out again. Whether the host must be told the state of the machine.
    pub fn welcomed(&mut self, session: u32, now_ms: u64) -> bool {
        let first = self.buffer.iter().next().map_or(self.next_seq, |kept| kept.seq);
        self.phase = Phase::Talking(Talk {
            session,
            held: first - 1,
            next: first,
            again_at_ms: Some(now_ms + PATIENCE_MS),
            patience_ms: PATIENCE_MS,
            resume: true,
            offer_at_ms: 0,
        });
        core::mem::take(&mut self.is_asked)
    }

    pub fn held(&mut self, seq: u64, now_ms: u64) {
        if let Phase::Talking(talk) = &mut self.phase
            && (talk.held + 1..self.next_seq).contains(&seq)
        {
            talk.held = seq;
            talk.next = talk.next.max(seq + 1);
            talk.patience_ms = PATIENCE_MS;
            talk.again_at_ms = Some(now_ms + PATIENCE_MS);
        }
    }

    pub fn acked(&mut self, seq: u64) {
        if self.is_welcome() {
            self.buffer.acked(seq);
        }
    }

    /// When there will be something to write, if nothing else happens.
    pub fn wake_at_ms(&self) -> u64 {
        match &self.phase {
            Phase::Greeting { hello_at_ms } => *hello_at_ms,
            Phase::Talking(talk) => {
                let sign_of_life = self.wrote_at_ms + SIGN_OF_LIFE_MS;
                let again = talk.again_at_ms.unwrap_or(sign_of_life);
                sign_of_life.min(again).min(self.offer_at_ms(talk).unwrap_or(sign_of_life))
            }
        }
    }

    fn offer_at_ms(&self, talk: &Talk) -> Option<u64> {
        let arrived = self.buffer.iter().take_while(|kept| kept.seq <= talk.held);
        let due = arrived.map(|kept| kept.offered_ms.unwrap_or(0) + OFFER_AFTER_MS).min()?;
        Some(due.max(talk.offer_at_ms))
    }

    /// Everything that is to be written now. It begins with a delimiter, which ends what was torn before.
    pub fn write(&mut self, identity: &Identity, now_ms: u64) -> Vec<u8> {
        let mut messages = Vec::new();
        match &mut self.phase {
            Phase::Greeting { hello_at_ms } => {
                if *hello_at_ms <= now_ms {
                    *hello_at_ms = now_ms + HELLO_EVERY_MS;
                    messages.push(hello(identity));
                }
            }
            Phase::Talking(talk) => {
                talk.transmit(&mut self.buffer, now_ms, &mut messages);
                talk.offer(&mut self.buffer, now_ms, &mut messages);
                if messages.is_empty() && self.wrote_at_ms + SIGN_OF_LIFE_MS <= now_ms {
                    messages.push(hello(identity));
                }
            }
        }
        if messages.is_empty() {
            return Vec::new();
        }
        self.wrote_at_ms = now_ms;
        let mut bytes = alloc::vec![0];
        bytes.extend(messages.iter().filter_map(|message| encode(message).ok()).flatten());
        bytes
    }
}

impl Talk {
    /// What the host does not have yet, as far as the window goes.
    fn transmit(&mut self, buffer: &mut Buffer, now_ms: u64, messages: &mut Vec<FirmwareMessage>) {
        if self.again_at_ms.is_some_and(|at| at <= now_ms) {
            self.go_back(buffer, now_ms);
        }
        let (held, lost) = (self.held, buffer.lost());
        let mut out =
            buffer.iter().filter(|kept| (held + 1..self.next).contains(&kept.seq)).count();
        for kept in buffer.iter_mut().filter(|kept| kept.seq > held) {
            if kept.seq < self.next {
                continue;
            }
            if out == WINDOW {
                break;
            }
            if self.resume || kept.seq > self.next {
                messages.push(self.resume(kept.seq, lost));
            }
            messages.push(kept.message.clone());
            kept.offered_ms = Some(now_ms);
            self.next = kept.seq + 1;
            self.again_at_ms.get_or_insert(now_ms + self.patience_ms);
            out += 1;
        }
        if self.resume {
            messages.push(self.resume(self.next, lost));
        }
    }

    fn resume(&mut self, seq: u64, lost: u64) -> FirmwareMessage {
        let is_first = core::mem::take(&mut self.resume);
        let since = if is_first { 0 } else { self.next };
        FirmwareMessage::Resume { session: self.session, since, seq, lost }
    }

    /// Nothing has arrived for a while: from the first that has not.
    fn go_back(&mut self, buffer: &Buffer, now_ms: u64) {
        self.again_at_ms = None;
        if buffer.iter().any(|kept| (self.held + 1..self.next).contains(&kept.seq)) {
            self.next = self.held + 1;
            self.patience_ms = (self.patience_ms * 2).min(LONGEST_PATIENCE_MS);
            self.again_at_ms = Some(now_ms + self.patience_ms);
        }
    }

    /// The oldest that have arrived long ago.
    fn offer(&mut self, buffer: &mut Buffer, now_ms: u64, messages: &mut Vec<FirmwareMessage>) {
        if now_ms < self.offer_at_ms {
            return;
        }
        let is_due = |offered: Option<u64>| offered.unwrap_or(0) + OFFER_AFTER_MS <= now_ms;
        let arrived = buffer.iter_mut().take_while(|kept| kept.seq <= self.held);
        for kept in arrived.filter(|kept| is_due(kept.offered_ms)).take(OFFERS) {
            kept.offered_ms = Some(now_ms);
            messages.push(kept.message.clone());
            self.offer_at_ms = now_ms + OFFER_PAUSE_MS;
        }
    }
}

fn hello(identity: &Identity) -> FirmwareMessage {
    let Identity { code, firmware, boot } = identity.clone();
    FirmwareMessage::Hello { code, firmware, boot }
}
