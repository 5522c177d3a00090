//! The line between a console and its master, with one fault at one byte of what passes.

use std::time::Duration;

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A byte is lost.
    Drop,
    /// A byte is changed.
    Corrupt,
    /// Nothing passes for a while, then everything does.
    Stall,
    /// Noise comes in between, with flags in it.
    Garbage,
    /// The adapter is pulled out and put back; what was under way is lost.
    Vanish,
    /// The console's power fails: it comes back under another number, with noise and without a memory.
    Reenumerate,
}

/// Every fault.
pub const FAULTS: [Fault; 6] =
    [Fault::Drop, Fault::Corrupt, Fault::Stall, Fault::Garbage, Fault::Vanish, Fault::Reenumerate];

/// So long nothing passes.
pub const STALL: Duration = Duration::from_secs(2);
/// So long the port is gone.
pub const GONE: Duration = Duration::from_millis(1_500);

const NOISE: [u8; 9] = [0x00, 0xF2, 0xFF, 0xF1, 0x85, 0xA0, 0xF3, 0xF0, 0x55];

/// What becomes of bytes that enter the line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Passed {
    /// These arrive, each piece at its time.
    pub pieces: Vec<(Duration, Vec<u8>)>,
    /// The port is gone, and for how long.
    pub gone_for: Option<Duration>,
    /// The console has lost its power.
    pub is_rebooted: bool,
}

/// A line, with bytes counted in both directions together.
#[derive(Debug, Clone, Default)]
pub struct Line {
    fault: Option<(Fault, usize)>,
    passed: usize,
    held_until: Duration,
}

impl Line {
    /// A line with a fault at one byte.
    pub fn with(fault: Fault, at: usize) -> Self {
        Self { fault: Some((fault, at)), ..Self::default() }
    }

    /// Bytes that have entered so far.
    pub fn passed(&self) -> usize {
        self.passed
    }

    /// Bytes enter now and would arrive at `arrival`.
    pub fn pass(&mut self, bytes: &[u8], now: Duration, arrival: Duration) -> Passed {
        let first = self.passed;
        self.passed += bytes.len();
        let arrival = arrival.max(self.held_until);
        let mut passed = Passed::default();
        let Some((fault, at)) = self.fault.filter(|(_, at)| (first..self.passed).contains(at))
        else {
            passed.pieces.push((arrival, bytes.to_vec()));
            return passed;
        };
        self.fault = None;
        let (before, rest) = bytes.split_at(at - first);
        match fault {
            Fault::Drop => passed.pieces.push((arrival, [before, &rest[1..]].concat())),
            Fault::Corrupt => {
                passed.pieces.push((arrival, [before, &[rest[0] ^ 0x5A], &rest[1..]].concat()));
            }
            Fault::Garbage => passed.pieces.push((arrival, [before, &NOISE, rest].concat())),
            Fault::Stall => {
                self.held_until = now + STALL;
                passed.pieces.push((arrival, before.to_vec()));
                passed.pieces.push((arrival.max(self.held_until), rest.to_vec()));
            }
            Fault::Vanish => passed.gone_for = Some(GONE),
            Fault::Reenumerate => {
                passed.gone_for = Some(GONE);
                passed.is_rebooted = true;
            }
        }
        passed
    }
}
