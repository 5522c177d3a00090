//! A line with faults at exact places: what a board or its host writes goes in, what arrives comes out.

use std::collections::VecDeque;
use std::time::Duration;

/// What happens to the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// So many bytes never arrive.
    Drop(usize),
    /// These bits of one byte are flipped.
    Corrupt(u8),
    /// Bytes that nobody sent arrive in between.
    Garbage(usize),
    /// Nothing arrives for a while, then everything does.
    Stall(Duration),
    /// The port vanishes with what is on the line, and comes back after this time.
    Vanish(Duration),
    /// The port vanishes and is back at once, as after a reset of the USB bus.
    Reenumerate,
    /// The board restarts and forgets everything.
    Reboot,
}

/// What arrives, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The fault that the bytes themselves cannot show.
    Event(Fault),
}

/// One direction of a line. Each fault happens when so many bytes have passed.
#[derive(Debug, Clone, Default)]
pub struct FaultyLine {
    passed: u64,
    faults: VecDeque<(u64, Fault)>,
    to_drop: usize,
}

impl FaultyLine {
    /// Faults in the order of their places.
    pub fn new(faults: impl IntoIterator<Item = (u64, Fault)>) -> Self {
        Self { faults: faults.into_iter().collect(), ..Self::default() }
    }

    /// Adds a fault for when so many bytes more have passed.
    pub fn plan(&mut self, after: u64, fault: Fault) {
        self.faults.push_back((self.passed + after, fault));
    }

    /// Faults that have not happened yet.
    pub fn ahead(&self) -> usize {
        self.faults.len()
    }

    /// Bytes that were written so far.
    pub fn passed(&self) -> u64 {
        self.passed
    }

    /// Whether the next bytes will get lost.
    pub fn is_losing(&self) -> bool {
        self.to_drop > 0
    }

    /// Lets bytes pass.
    pub fn pass(&mut self, bytes: &[u8]) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        let mut run = Vec::new();
        for &byte in bytes {
            let mut byte = byte;
            while let Some((_, fault)) = self.faults.pop_front_if(|(at, _)| *at <= self.passed) {
                match fault {
                    Fault::Drop(count) => self.to_drop += count,
                    Fault::Corrupt(bits) => byte ^= bits,
                    Fault::Garbage(count) => run.extend((0..count).map(garbage)),
                    event => {
                        arrivals.extend(taken(&mut run));
                        arrivals.push(Arrival::Event(event));
                    }
                }
            }
            self.passed += 1;
            if self.to_drop > 0 {
                self.to_drop -= 1;
            } else {
                run.push(byte);
            }
        }
        arrivals.extend(taken(&mut run));
        arrivals
    }
}

fn taken(run: &mut Vec<u8>) -> Option<Arrival> {
    (!run.is_empty()).then(|| Arrival::Bytes(std::mem::take(run)))
}

/// Some of everything, delimiters too.
fn garbage(index: usize) -> u8 {
    u8::try_from(index * 73 % 256).unwrap_or(0)
}
