//! The cable between chip and host, and what can happen to it.

use std::collections::VecDeque;
use std::time::Duration;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the host.
    ToChip,
    /// From the chip.
    ToHost,
}

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// So many bytes are lost.
    Drop(usize),
    /// A byte arrives as another.
    Corrupt,
    /// Bytes that nobody sent.
    Garbage(Vec<u8>),
    /// For so long no byte gets through this way; then they all do.
    Stall(Duration),
    /// The device is gone for so long, and comes back without memory.
    Vanish(Duration),
    /// The chip loses power for a moment; the port stays.
    BrownOut,
}

/// A trouble at the moment at which a byte passes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Which way.
    pub direction: Direction,
    /// How many bytes pass before.
    pub after: u64,
    /// What happens then.
    pub trouble: Trouble,
}

/// What befalls the chip itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incident {
    /// The device is gone for so long.
    Vanish(Duration),
    /// The chip loses power for a moment.
    BrownOut,
}

/// A cable with at most one trouble ahead.
#[derive(Debug, Default)]
pub struct Line {
    planned: Option<Planned>,
    to_chip: Way,
    to_host: Way,
}

#[derive(Debug, Default)]
struct Way {
    passed: u64,
    dropping: usize,
    stalled_until: Option<Duration>,
    held: VecDeque<u8>,
}

impl Line {
    /// A sound cable.
    pub fn sound() -> Self {
        Self::default()
    }

    /// A cable on which this happens once.
    pub fn with(planned: Planned) -> Self {
        Self { planned: Some(planned), ..Self::default() }
    }

    /// Plans what happens next; replaces what was planned and has not happened.
    pub fn plan(&mut self, planned: Planned) {
        self.planned = Some(planned);
    }

    /// How many bytes have entered the cable this way.
    pub fn passed(&self, direction: Direction) -> u64 {
        match direction {
            Direction::ToChip => self.to_chip.passed,
            Direction::ToHost => self.to_host.passed,
        }
    }

    /// Whether what was planned has happened.
    pub fn has_happened(&self) -> bool {
        self.planned.is_none()
    }

    /// Bytes enter at one end; says which come out at the other, and what befell the chip.
    pub fn pass(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        now: Duration,
    ) -> (Vec<u8>, Option<Incident>) {
        let way = match direction {
            Direction::ToChip => &mut self.to_chip,
            Direction::ToHost => &mut self.to_host,
        };
        let mut incident = None;
        for byte in bytes {
            let due = |planned: &mut Planned| {
                planned.direction == direction && planned.after <= way.passed
            };
            let trouble = self.planned.take_if(due).map(|planned| planned.trouble);
            way.passed += 1;
            way.enter(*byte, trouble, now, &mut incident);
        }
        (way.leave(now), incident)
    }

    /// Bytes that a stall held up.
    pub fn released(&mut self, direction: Direction, now: Duration) -> Vec<u8> {
        match direction {
            Direction::ToChip => self.to_chip.leave(now),
            Direction::ToHost => self.to_host.leave(now),
        }
    }

    /// When a stall ends.
    pub fn wake_at(&self) -> Option<Duration> {
        let ends = [&self.to_chip, &self.to_host].map(|way| way.stalled_until);
        ends.into_iter().flatten().min()
    }

    /// The cable was pulled: what was in it is lost.
    pub fn empty(&mut self) {
        for way in [&mut self.to_chip, &mut self.to_host] {
            way.held.clear();
            way.dropping = 0;
            way.stalled_until = None;
        }
    }
}

impl Way {
    fn enter(
        &mut self,
        byte: u8,
        trouble: Option<Trouble>,
        now: Duration,
        incident: &mut Option<Incident>,
    ) {
        let mut byte = byte;
        match trouble {
            None => {}
            Some(Trouble::Drop(count)) => self.dropping = count,
            Some(Trouble::Corrupt) => byte ^= 0x24,
            Some(Trouble::Garbage(noise)) => self.held.extend(noise),
            Some(Trouble::Stall(time)) => self.stalled_until = Some(now + time),
            Some(Trouble::Vanish(time)) => *incident = Some(Incident::Vanish(time)),
            Some(Trouble::BrownOut) => *incident = Some(Incident::BrownOut),
        }
        if self.dropping > 0 {
            self.dropping -= 1;
        } else {
            self.held.push_back(byte);
        }
    }

    fn leave(&mut self, now: Duration) -> Vec<u8> {
        if self.stalled_until.is_some_and(|until| now < until) {
            return Vec::new();
        }
        self.stalled_until = None;
        self.held.drain(..).collect()
    }
}
