//! Signs of life of loops, for the watchdog: whoever goes round says so, and nobody has to be asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A loop that waits for something beats at least this often.
pub const BEAT: Duration = Duration::from_secs(1);

/// Counts the rounds of one loop; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// The loop has gone round.
    pub fn beat(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// Rounds so far.
    pub fn count(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Several loops that all have to go on.
#[derive(Debug)]
pub struct Pulses(Vec<(Pulse, u64)>);

impl Pulses {
    /// These loops, from now on.
    pub fn of(pulses: impl IntoIterator<Item = Pulse>) -> Self {
        Self(pulses.into_iter().map(|pulse| (pulse.clone(), pulse.count())).collect())
    }

    /// Whether each of them has gone round since this last was so.
    pub fn all_beat(&mut self) -> bool {
        let has_beat = self.0.iter().all(|(pulse, seen)| pulse.count() != *seen);
        if has_beat {
            self.0.iter_mut().for_each(|(pulse, seen)| *seen = pulse.count());
        }
        has_beat
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_loop_that_stands_still_is_enough() {
        let (door, uplink) = (Pulse::default(), Pulse::default());
        let mut pulses = Pulses::of([door.clone(), uplink.clone()]);

        door.beat();
        let with_one = pulses.all_beat();
        uplink.beat();
        let with_both = pulses.all_beat();

        assert_eq!((with_one, with_both, pulses.all_beat()), (false, true, false));
    }
}
