//! When a sample was taken by the edge's monotonic clock, if the device has no clock but tells its uptime.
//!
//! `arrival - uptime` is the start of the device plus the delay of the way; its smallest value is closest to
//! the truth. It may creep up slowly, since no two quartzes agree. A queue that is drained late arrives with
//! large delays, which the smallest value takes out.

use std::collections::HashMap;

/// How far two clocks may drift apart, as a part of elapsed time.
const DRIFT: i64 = 1000;

/// What is known of each device's start, by its local number.
#[derive(Debug, Default)]
pub struct Starts(HashMap<u32, Start>);

#[derive(Debug, Clone, Copy)]
struct Start {
    boot: Option<u32>,
    mono_ms: i64,
    last_uptime: i64,
    last_arrival: i64,
}

impl Starts {
    /// Learns from a sample that arrived just now.
    pub fn observe(&mut self, device: u32, boot: Option<u32>, arrival: u64, uptime: u64) {
        let (arrival, uptime) = (signed(arrival), signed(uptime));
        let seen =
            Start { boot, mono_ms: arrival - uptime, last_uptime: uptime, last_arrival: arrival };
        let start = self.0.entry(device).or_insert(seen);
        let is_restarted = start.boot != boot || (boot.is_none() && uptime < start.last_uptime);
        if is_restarted {
            *start = seen;
        } else {
            let drift = (arrival - start.last_arrival).max(0) / DRIFT;
            start.mono_ms = seen.mono_ms.min(start.mono_ms + drift);
            start.last_uptime = start.last_uptime.max(uptime);
            start.last_arrival = arrival;
        }
    }

    /// Takes over what another table knows, whose devices have other numbers.
    pub fn absorb(&mut self, other: &Self, number: impl Fn(u32) -> u32) {
        self.0.extend(other.0.iter().map(|(&device, &start)| (number(device), start)));
    }

    /// When a sample was taken; not after its arrival.
    pub fn taken(&self, device: u32, boot: Option<u32>, arrival: u64, uptime: u64) -> u64 {
        match self.0.get(&device) {
            Some(start) if start.boot == boot => {
                (start.mono_ms + signed(uptime)).clamp(0, signed(arrival)).cast_unsigned()
            }
            _ => arrival,
        }
    }
}

/// Far beyond any uptime, and two of them still add up.
fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX).min(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_drained_late_keeps_its_times() {
        let mut starts = Starts::default();
        for uptime in (1_000..=60_000).step_by(1_000) {
            starts.observe(1, Some(9), 500_000, uptime);
        }

        assert_eq!(starts.taken(1, Some(9), 500_000, 60_000), 500_000);
        assert_eq!(starts.taken(1, Some(9), 500_000, 1_000), 441_000);
    }

    #[test]
    fn a_delay_on_the_way_is_taken_out() {
        let mut starts = Starts::default();
        starts.observe(1, Some(9), 10_010, 1_000);
        starts.observe(1, Some(9), 11_900, 2_000);

        assert_eq!(starts.taken(1, Some(9), 11_900, 2_000), 11_011);
    }

    #[test]
    fn a_restart_starts_anew_with_and_without_boot() {
        let mut starts = Starts::default();
        starts.observe(1, Some(9), 10_000, 9_000);
        starts.observe(1, Some(10), 20_000, 100);
        starts.observe(2, None, 10_000, 9_000);
        starts.observe(2, None, 20_000, 100);

        assert_eq!(starts.taken(1, Some(10), 20_000, 100), 20_000);
        assert_eq!(starts.taken(2, None, 20_000, 100), 20_000);
    }

    #[test]
    fn absurd_uptimes_hurt_nothing() {
        let mut starts = Starts::default();
        starts.observe(1, None, 5, u64::MAX);
        starts.observe(1, None, u64::MAX, 0);
        starts.observe(1, None, u64::MAX, u64::MAX);

        assert!(starts.taken(1, None, 5, u64::MAX) <= 5);
        assert_eq!(starts.taken(3, None, 5, 1), 5);
    }
}
