//! When a sample was taken, for devices that have no clock but count milliseconds since their boot.
//!
//! The smallest difference between arrival and uptime that a boot ever showed is the one with the least delay on the
//! way, so it dates all others: samples that waited in a queue get the time they were taken.

use std::collections::HashMap;
use std::hash::Hash;

/// The differences seen so far, of few boots per device. `K` is what a device is known by.
#[derive(Debug)]
pub struct DeviceTimes<K>(HashMap<K, Vec<Boot>>);

impl<K> Default for DeviceTimes<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

#[derive(Debug, Clone)]
struct Boot {
    number: Option<u32>,
    /// Smallest arrival − uptime, raised slowly for clocks that run slow.
    offset_ms: i64,
    /// When `offset_ms` was last looked at.
    at_ms: u64,
    last_uptime_ms: u64,
}

/// Boots remembered per device: the running one, and those whose samples a bridge may still hold.
const BOOTS: usize = 4;
/// The offset may grow by one in this many: a device's clock that is 100 ppm slow is followed.
const DRIFT: u64 = 10_000;
/// Half of what 32 bits of milliseconds can count.
const HALF_TURN_MS: i64 = 1 << 31;

impl<K: Eq + Hash + Copy> DeviceTimes<K> {
    /// Learns from what arrived now, and dates it.
    pub fn taken_ms(
        &mut self,
        device: K,
        boot: Option<u32>,
        uptime_ms: Option<u64>,
        now_ms: u64,
    ) -> u64 {
        let Some(uptime_ms) = uptime_ms else { return now_ms };
        self.observe(device, boot, uptime_ms, now_ms);
        self.date(device, boot, uptime_ms, now_ms)
    }

    /// Learns from what arrived now.
    pub fn observe(&mut self, device: K, boot: Option<u32>, uptime_ms: u64, now_ms: u64) {
        let seen = difference(now_ms, uptime_ms);
        let boots = self.0.entry(device).or_default();
        let place = boots.iter().position(|known| known.number == boot);
        let known = match place {
            Some(place) => &mut boots[place],
            None => remember(
                boots,
                Boot { number: boot, offset_ms: seen, at_ms: now_ms, last_uptime_ms: 0 },
            ),
        };
        known.see(seen, uptime_ms, now_ms);
    }

    /// The edge's monotonic time at which something was measured; not after its arrival.
    pub fn date(&self, device: K, boot: Option<u32>, uptime_ms: u64, arrival_ms: u64) -> u64 {
        let known = self.boots(device).iter().find(|known| known.number == boot);
        known.map_or(arrival_ms, |known| {
            let at = known.offset_ms.saturating_add_unsigned(uptime_ms);
            u64::try_from(at).unwrap_or(0).min(arrival_ms)
        })
    }

    /// Takes over what another table knows, whose devices have other names.
    pub fn absorb(&mut self, other: &Self, name: impl Fn(K) -> K) {
        self.0.extend(other.0.iter().map(|(&device, boots)| (name(device), boots.clone())));
    }

    fn boots(&self, device: K) -> &[Boot] {
        self.0.get(&device).map_or(&[], Vec::as_slice)
    }

    /// The uptime of a device whose 32 bits start anew every 49 days, counted on: the one that is nearest to what its
    /// boot is known to have reached by now. `None` for one from before everything that is known of the boot.
    pub fn unwrapped_ms(
        &self,
        device: K,
        boot: Option<u32>,
        uptime_ms: u32,
        now_ms: u64,
    ) -> Option<u64> {
        let Some(known) = self.boots(device).iter().find(|known| known.number == boot) else {
            return Some(uptime_ms.into());
        };
        let reached = difference(now_ms, 0).saturating_sub(known.offset_ms);
        let ahead = i64::from(uptime_ms).saturating_sub(reached);
        // How often it has started anew, rounded to the nearest.
        let turns = HALF_TURN_MS.saturating_sub(ahead).div_euclid(2 * HALF_TURN_MS);
        let whole = turns.saturating_mul(2 * HALF_TURN_MS).saturating_add(uptime_ms.into());
        u64::try_from(whole).ok()
    }
}

impl Boot {
    fn see(&mut self, seen: i64, uptime_ms: u64, now_ms: u64) {
        // A device that names no boot and counts from the start again has booted.
        let has_booted = self.number.is_none() && uptime_ms < self.last_uptime_ms;
        let drifted =
            self.offset_ms.saturating_add_unsigned(now_ms.saturating_sub(self.at_ms) / DRIFT);
        if has_booted || seen <= drifted {
            self.offset_ms = seen;
            self.at_ms = now_ms;
        }
        self.last_uptime_ms =
            if has_booted { uptime_ms } else { self.last_uptime_ms.max(uptime_ms) };
    }
}

fn remember(boots: &mut Vec<Boot>, new: Boot) -> &mut Boot {
    if boots.len() == BOOTS {
        boots.remove(0);
    }
    boots.push(new);
    boots.last_mut().expect("one was just pushed")
}

fn difference(now_ms: u64, uptime_ms: u64) -> i64 {
    i64::try_from(now_ms).unwrap_or(i64::MAX).saturating_sub_unsigned(uptime_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICE: u32 = 7;

    #[test]
    fn without_uptime_it_is_the_arrival() {
        assert_eq!(DeviceTimes::default().taken_ms(DEVICE, Some(1), None, 77), 77);
    }

    #[test]
    fn a_sample_that_waited_is_dated_by_the_quickest_one() {
        let mut times = DeviceTimes::default();

        times.taken_ms(DEVICE, Some(1), Some(1_000), 501_000);
        let late = times.taken_ms(DEVICE, Some(1), Some(2_000), 507_000);

        assert_eq!(late, 502_000);
    }

    #[test]
    fn a_quicker_one_corrects_the_difference() {
        let mut times = DeviceTimes::default();

        times.taken_ms(DEVICE, Some(1), Some(1_000), 501_000);
        times.taken_ms(DEVICE, Some(1), Some(2_000), 501_200);
        let next = times.taken_ms(DEVICE, Some(1), Some(3_000), 503_000);

        assert_eq!(next, 502_200);
    }

    #[test]
    fn what_comes_together_is_dated_by_the_quickest_of_it() {
        let mut times = DeviceTimes::default();

        for uptime_ms in (1_000..=60_000).step_by(1_000) {
            times.observe(DEVICE, Some(9), uptime_ms, 500_000);
        }

        assert_eq!(times.date(DEVICE, Some(9), 60_000, 500_000), 500_000);
        assert_eq!(times.date(DEVICE, Some(9), 1_000, 500_000), 441_000);
        assert_eq!(times.date(DEVICE, Some(8), 1_000, 500_000), 500_000);
    }

    #[test]
    fn boots_do_not_mix() {
        let mut times = DeviceTimes::default();

        times.taken_ms(DEVICE, Some(1), Some(1_000), 501_000);
        let other = times.taken_ms(DEVICE, Some(2), Some(10), 600_000);
        let old = times.taken_ms(DEVICE, Some(1), Some(2_000), 600_100);

        assert_eq!((other, old), (600_000, 502_000));
    }

    #[test]
    fn a_device_that_names_no_boot_starts_anew_when_its_uptime_falls() {
        let mut times = DeviceTimes::default();

        times.taken_ms(DEVICE, None, Some(90_000), 100_000);
        let after = times.taken_ms(DEVICE, None, Some(500), 200_000);

        assert_eq!(after, 200_000);
    }

    #[test]
    fn a_slow_clock_is_followed() {
        let mut times = DeviceTimes::default();
        let day_ms = 86_400_000;

        times.taken_ms(DEVICE, Some(1), Some(0), 1_000);
        let next_day = times.taken_ms(DEVICE, Some(1), Some(day_ms - 5_000), day_ms + 1_000);

        assert_eq!(next_day, day_ms + 1_000);
    }

    #[test]
    fn an_uptime_of_32_bits_counts_on_when_it_starts_anew() {
        let mut times = DeviceTimes::default();
        let turn = u64::from(u32::MAX) + 1;
        let unwrap = |times: &DeviceTimes<u32>, uptime, now| {
            times.unwrapped_ms(DEVICE, Some(1), uptime, now)
        };

        let first = unwrap(&times, u32::MAX - 999, 70_000);
        times.taken_ms(DEVICE, Some(1), first, 70_000);
        let after = unwrap(&times, 500, 71_500);
        let late = unwrap(&times, u32::MAX - 499, 90_000);
        let next_turn = unwrap(&times, 700, 71_700 + turn);
        let other_boot = times.unwrapped_ms(DEVICE, Some(2), 12, 90_000);

        assert_eq!(first, Some(turn - 1_000));
        assert_eq!(after, Some(turn + 500));
        assert_eq!(late, Some(turn - 500));
        assert_eq!(next_turn, Some(2 * turn + 700));
        assert_eq!(other_boot, Some(12));
        assert_eq!(times.taken_ms(DEVICE, Some(1), after, 71_500), 71_500);
    }

    #[test]
    fn an_uptime_from_before_the_turn_that_is_known_first_dates_nothing() {
        let mut times = DeviceTimes::default();
        times.taken_ms(DEVICE, Some(1), Some(300), 70_000);

        assert_eq!(times.unwrapped_ms(DEVICE, Some(1), u32::MAX - 99, 70_100), None);
        assert_eq!(times.taken_ms(DEVICE, Some(1), Some(500), 70_200), 70_200);
    }

    #[test]
    fn a_queue_that_drains_after_days_is_not_taken_for_a_turn() {
        let mut times = DeviceTimes::default();
        let days = |days: u64| days * 86_400_000;
        times.taken_ms(DEVICE, Some(1), Some(1_000), days(20));

        let newest = times.unwrapped_ms(DEVICE, Some(1), 1_728_000_000, days(20) + 500);

        assert_eq!(newest, Some(days(20)));
    }

    #[test]
    fn no_uptime_dates_a_sample_into_the_future_or_overflows() {
        let mut times = DeviceTimes::default();

        times.taken_ms(DEVICE, Some(1), Some(u64::MAX), 1_000);
        let taken = times.taken_ms(DEVICE, Some(1), Some(u64::MAX), 2_000);

        assert!(taken <= 2_000);
    }
}
