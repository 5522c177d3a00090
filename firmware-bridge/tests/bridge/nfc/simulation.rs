//! Link, cable and chip in simulated time: hours of a reader's life in milliseconds, the same at each run.

use firmware_bridge::emulators::pn532::{
    Card, Chip, Direction, Incident, Line, Model, Ntag, Ntag424, Phone, SunKeys, Timing,
};
use protocol::credential::Credential;
use protocol::serial::pn532::{Fault, Input, Link, Output, Settings};
use std::time::Duration;

pub const NONCE: [u8; 16] = [0x5C; 16];
pub const SITE: u16 = 3;

pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub struct Simulation {
    pub now: Duration,
    pub link: Link,
    pub chip: Chip,
    pub line: Line,
    /// While the device is unplugged.
    gone_until: Option<Duration>,
    /// How long the agent takes for a nonce; `None`: it gives none.
    pub nonce_after: Option<Duration>,
    asked: Option<(Duration, u32)>,
    pub outputs: Vec<(Duration, Output)>,
}

impl Simulation {
    /// A reader that is plugged in at time 0.
    pub fn new(timing: Timing, line: Line) -> Self {
        let mut this = Self {
            now: Duration::ZERO,
            link: Link::new(Settings::default()),
            chip: Chip::new(timing),
            line,
            gone_until: None,
            nonce_after: Some(ms(5)),
            asked: None,
            outputs: Vec::new(),
        };
        this.tell(Input::Opened);
        this
    }

    /// Lets time pass.
    pub fn run_until(&mut self, end: Duration) {
        // Bytes arrive in portions of a millisecond, as a USB adapter hands them over.
        while let Some(next) = self.next().filter(|next| *next < end) {
            self.now = next.max(self.now + ms(1)).min(end);
            self.step();
        }
        self.now = end;
        self.step();
    }

    pub fn present(&mut self, card: Card) -> u64 {
        self.chip.present(card, self.now)
    }

    pub fn take_away(&mut self, id: u64) -> Option<Card> {
        self.chip.take_away(id, self.now)
    }

    /// What was presented, and when it was reported.
    pub fn taps(&self) -> Vec<(Duration, Credential)> {
        let tap = |(at, output): &(Duration, Output)| match output {
            Output::Presented { credential, .. } => Some((*at, credential.clone())),
            _ => None,
        };
        self.outputs.iter().filter_map(tap).collect()
    }

    pub fn credentials(&self) -> Vec<Credential> {
        self.taps().into_iter().map(|(_, credential)| credential).collect()
    }

    pub fn faults(&self) -> Vec<Fault> {
        let fault = |(_, output): &(Duration, Output)| match output {
            Output::Faulty(fault) => Some(*fault),
            _ => None,
        };
        self.outputs.iter().filter_map(fault).collect()
    }

    fn next(&self) -> Option<Duration> {
        if self.gone_until.is_some() {
            return self.gone_until;
        }
        let nonce = self.asked.map(|(at, _)| at);
        [self.link.wake_at(), self.chip.wake_at(), self.line.wake_at(), nonce]
            .into_iter()
            .flatten()
            .min()
    }

    fn step(&mut self) {
        if let Some(until) = self.gone_until {
            if self.now < until {
                return;
            }
            self.gone_until = None;
            self.tell(Input::Opened);
        }
        let held_up = self.line.released(Direction::ToChip, self.now);
        self.chip.receive(&held_up, self.now);
        let sent = self.chip.send(self.now);
        let (arrived, incident) = self.line.pass(Direction::ToHost, &sent, self.now);
        self.befall(incident);
        if self.gone_until.is_some() {
            return;
        }
        if !arrived.is_empty() {
            self.tell(Input::Bytes(&arrived));
        }
        if let Some((_, request)) = self.asked.take_if(|(at, _)| *at <= self.now) {
            self.tell(Input::Nonce { request, nonce: NONCE, site_no: SITE });
        }
        if self.link.wake_at().is_some_and(|due| due <= self.now) {
            self.tell(Input::Tick);
        }
    }

    fn tell(&mut self, input: Input<'_>) {
        for output in self.link.handle(input, self.now) {
            match output {
                Output::Write(bytes) if self.gone_until.is_none() => {
                    let (arrived, incident) = self.line.pass(Direction::ToChip, &bytes, self.now);
                    self.chip.receive(&arrived, self.now);
                    self.befall(incident);
                }
                Output::Write(_) => {}
                Output::AskNonce { request } => {
                    self.asked = self.nonce_after.map(|after| (self.now + after, request));
                }
                output => self.outputs.push((self.now, output)),
            }
        }
    }

    fn befall(&mut self, incident: Option<Incident>) {
        match incident {
            None => {}
            Some(Incident::BrownOut) => self.chip.reset(),
            Some(Incident::Vanish(time)) => {
                self.chip.reset();
                self.line.empty();
                self.gone_until = Some(self.now + time);
            }
        }
    }
}

pub const TAG: [u8; 7] = [0x04, 0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6];
pub const SUN_CARD: [u8; 7] = [0x04, 0x95, 0x8C, 0xAA, 0x5C, 0x5E, 0x80];

pub fn classic() -> Card {
    Card::Plain(vec![0x3A, 0x11, 0x22, 0x33])
}

pub fn tag() -> Card {
    Card::Ntag(Ntag::new(Model::Ntag215, TAG, b"\xD1\x01\x0CU\x04example.org"))
}

pub fn sun_card() -> Card {
    let keys = SunKeys { meta: [1; 16], file: [2; 16] };
    Card::Ntag424(Ntag424::new(SUN_CARD, keys, "https://gym.example/t", 41))
}

pub fn phone() -> Card {
    Card::Phone(member_phone())
}

pub fn member_phone() -> Phone {
    Phone::new(77, &[9; 32]).unwrap()
}

pub fn uid(uid: &[u8]) -> Credential {
    Credential::NfcUid { uid: uid.to_vec() }
}
