//! Generated traces: what a person does is written down as moves, sampled, disturbed and counted.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "traces are short and small"
)]

use super::*;
use crate::machine::Field;
use proptest::prelude::*;

/// Positions with their times.
type Trace = Vec<(u64, i16)>;

/// A person at a machine, sampled at a rate.
#[derive(Clone)]
struct Exercise {
    every_ms: u64,
    now_ms: u64,
    mm: f64,
    trace: Vec<(u64, f64)>,
}

impl Exercise {
    fn at(every_ms: u64) -> Self {
        Self { every_ms, now_ms: 1_000, mm: 0.0, trace: Vec::new() }
    }

    /// Moves as people do: slow at both ends.
    fn go(mut self, to_mm: f64, ms: u64) -> Self {
        let (from_mm, end_ms) = (self.mm, self.now_ms + ms);
        let begin_ms = self.now_ms;
        while self.now_ms < end_ms {
            let done = (self.now_ms - begin_ms) as f64 / ms as f64;
            let eased = (1.0 - (done * std::f64::consts::PI).cos()) / 2.0;
            self.trace.push((self.now_ms, from_mm + (to_mm - from_mm) * eased));
            self.now_ms += self.every_ms;
        }
        Self { mm: to_mm, ..self }
    }

    fn rest(self, ms: u64) -> Self {
        let here = self.mm;
        self.go(here, ms)
    }

    fn rep(self, top_mm: f64) -> Self {
        let bottom = self.mm;
        self.go(bottom + top_mm, 900).go(bottom, 1_300)
    }

    fn reps(self, count: usize, top_mm: f64) -> Self {
        (0..count).fold(self, |exercise, _| exercise.rep(top_mm))
    }

    /// Seen by a sensor: disturbed, drifting, in whole millimetres.
    fn seen(&self, noise_mm: f64, drift_mm_per_s: f64, mut seed: u64) -> Trace {
        let mut noise = || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((seed >> 33) as f64 / f64::from(1_u32 << 31) * 2.0 - 1.0) * noise_mm
        };
        let see = |(at_ms, mm): &(u64, f64)| {
            (*at_ms, (mm + noise() + drift_mm_per_s * *at_ms as f64 / 1_000.0).round() as i16)
        };
        self.trace.iter().map(see).collect()
    }

    fn plain(&self) -> Trace {
        self.seen(0.0, 0.0, 0)
    }
}

fn sets(trace: &Trace) -> Vec<StrengthSet> {
    let mut detector = Detector::new(Settings::default());
    let mut found: Vec<StrengthSet> =
        trace.iter().filter_map(|(at_ms, mm)| detector.push(*at_ms, *mm)?.0).collect();
    found.extend(detector.finish());
    found
}

fn reps(trace: &Trace) -> Vec<u16> {
    sets(trace).iter().map(|set| set.reps).collect()
}

#[test]
fn ten_clean_repetitions_are_one_set() {
    let found = sets(&Exercise::at(50).rest(2_000).reps(10, 400.0).rest(12_000).plain());

    let [set] = found[..] else { panic!("{found:?}") };
    assert_eq!((set.reps, set.partial_reps), (10, 0));
    assert!(set.rom_mm.abs_diff(400) <= 4, "{set:?}");
    assert!((2_900..=3_200).contains(&set.started_ms), "{set:?}");
    assert!((24_500..=25_100).contains(&set.ended_ms), "{set:?}");
    assert!(set.out_ms.abs_diff(900) < 150 && set.back_ms.abs_diff(1_300) < 150, "{set:?}");
}

#[test]
fn the_direction_of_the_sensor_does_not_matter() {
    assert_eq!(reps(&Exercise::at(50).reps(7, -350.0).rest(12_000).plain()), [7]);
}

#[test]
fn noise_and_single_wild_values_are_no_repetitions() {
    let mut trace = Exercise::at(20).rest(3_000).reps(8, 300.0).rest(11_000).seen(9.0, 0.0, 7);
    for at in (13..trace.len()).step_by(61) {
        trace[at].1 = 2_000;
    }

    assert_eq!(reps(&trace), [8]);
}

#[test]
fn a_machine_at_rest_in_noise_has_no_set() {
    assert!(sets(&Exercise::at(20).rest(120_000).seen(9.0, 0.0, 3)).is_empty());
}

#[test]
fn partial_repetitions_are_told_apart_and_not_counted() {
    let exercise = Exercise::at(50).reps(8, 400.0).reps(3, 180.0).rest(12_000);

    let found = sets(&exercise.plain());

    assert_eq!(found.len(), 1);
    assert_eq!((found[0].reps, found[0].partial_reps), (8, 3));
}

#[test]
fn three_quarters_of_the_way_is_a_repetition() {
    assert_eq!(reps(&Exercise::at(50).reps(6, 400.0).reps(2, 300.0).rest(12_000).plain()), [8]);
}

#[test]
fn a_halt_or_a_hitch_on_the_way_is_one_repetition() {
    let hitch = |exercise: Exercise| {
        exercise.go(250.0, 600).rest(800).go(120.0, 300).go(400.0, 500).go(0.0, 1_200)
    };

    let found = sets(&hitch(hitch(Exercise::at(50).reps(4, 400.0))).rest(12_000).plain());

    assert_eq!((found[0].reps, found[0].partial_reps), (6, 2));
}

#[test]
fn a_short_pause_goes_on_and_a_long_one_ends_the_set() {
    let short = Exercise::at(50).reps(5, 400.0).rest(9_000).reps(5, 400.0).rest(12_000);
    let long = Exercise::at(50).reps(5, 400.0).rest(12_000).reps(3, 400.0).rest(12_000);

    assert_eq!(reps(&short.plain()), [10]);
    assert_eq!(reps(&long.plain()), [5, 3]);
}

#[test]
fn a_drifting_sensor_counts_all_the_same() {
    let exercise = Exercise::at(50).rest(30_000).reps(12, 300.0).rest(11_000).reps(4, 300.0);

    assert_eq!(reps(&exercise.rest(20_000).seen(3.0, 1.0, 5)), [12, 4]);
}

#[test]
fn taking_hold_of_the_machine_is_no_set() {
    assert!(sets(&Exercise::at(50).reps(3, 70.0).rest(12_000).plain()).is_empty());
}

#[test]
fn one_heavy_repetition_counts() {
    assert_eq!(reps(&Exercise::at(50).rest(3_000).rep(500.0).rest(12_000).plain()), [1]);
}

#[test]
fn a_gap_in_the_data_longer_than_a_pause_ends_the_set() {
    let before = Exercise::at(50).reps(4, 400.0);
    let mut after = Exercise { trace: Vec::new(), ..before.clone() };
    after.now_ms += 30_000;

    let trace: Trace = [before.plain(), after.reps(2, 400.0).plain()].concat();

    assert_eq!(reps(&trace), [4, 2]);
}

proptest! {
    #[test]
    fn the_count_does_not_depend_on_rate_size_or_small_noise(
        count in 1..20_usize,
        size in 150.0..1_500.0,
        every_ms in prop::sample::select(vec![10_u64, 20, 40, 50, 80]),
        noise in 0.0..8.0,
        drift in -1.0..1.0,
        seed in any::<u64>(),
    ) {
        let exercise = Exercise::at(every_ms).rest(1_000).reps(count, size).rest(11_000);

        prop_assert_eq!(reps(&exercise.seen(noise, drift, seed)), [count as u16]);
    }

    #[test]
    fn dropped_positions_do_not_change_the_count(
        count in 1..15_usize,
        size in 200.0..800.0,
        drops in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let mut trace = Exercise::at(40).rest(1_000).reps(count, size).rest(11_000).plain();
        for drop in drops {
            trace.remove(drop.index(trace.len()));
        }

        prop_assert_eq!(reps(&trace), [count as u16]);
    }

    #[test]
    fn any_positions_at_any_times_do_not_panic(
        positions in prop::collection::vec((0..3_000_u64, any::<i16>()), 0..400),
    ) {
        let mut now_ms = 0;
        let trace = positions.into_iter().map(|(gap_ms, mm)| {
            now_ms += gap_ms;
            (now_ms, mm)
        });

        sets(&trace.collect());
    }
}

/// A trace as a board would send it.
fn messages(trace: &Trace, per_message: usize, every_ms: u16) -> Vec<(u64, u64, Vec<i16>)> {
    let message = |(index, chunk): (usize, &[(u64, i16)])| {
        (index as u64 + 1, chunk[0].0, chunk.iter().map(|(_, mm)| *mm).collect())
    };
    assert!(usize::from(every_ms) * per_message < 5_000);
    trace.chunks(per_message).enumerate().map(message).collect()
}

fn travel(message: &(u64, u64, Vec<i16>), every_ms: u16) -> Travel<'_> {
    let (seq, uptime_ms, position_mm) = message;
    let (seq, uptime_ms) = (*seq, *uptime_ms);
    Travel { boot: 7, seq, uptime_ms, every_ms, position_mm, weight_cg: Some(4_000) }
}

fn tracker() -> Tracker {
    Tracker::new("press-1".parse().unwrap(), Settings::default())
}

fn payloads(steps: &[Step]) -> Vec<crate::mqtt::payloads::SetPayload> {
    let set = |publication: &Publication| match publication {
        Publication::Set(set) => Some(set.clone()),
        Publication::Live(_) => None,
    };
    steps.iter().flat_map(|step| &step.publish).filter_map(set).collect()
}

fn two_sets() -> Trace {
    let first = Exercise::at(50).rest(5_000).reps(6, 400.0).rest(20_000);
    first.reps(4, 380.0).rest(20_000).seen(4.0, 0.3, 11)
}

#[test]
fn a_set_has_the_number_of_its_last_moving_message_and_no_other_has_it() {
    let messages = messages(&two_sets(), 10, 50);
    let mut tracker = tracker();

    let steps: Vec<Step> = messages.iter().map(|one| tracker.take(travel(one, 50))).collect();

    let sets = payloads(&steps);
    let told: Vec<_> = sets.iter().map(|set| (set.reps, set.weight_cg, set.boot)).collect();
    assert_eq!(told, [(6, Some(4_000), Some(7)), (4, Some(4_000), Some(7))]);
    let mut numbers: Vec<u64> = steps
        .iter()
        .flat_map(|step| &step.publish)
        .map(|publication| match publication {
            Publication::Live(sample) => sample.seq,
            Publication::Set(set) => set.seq,
        })
        .collect();
    let told = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), told);
    let settled: Vec<u64> = steps.iter().flat_map(|step| step.settled.clone()).collect();
    assert_eq!(settled, (1..=messages.len() as u64).collect::<Vec<_>>());
}

#[test]
fn the_live_count_climbs_to_what_the_set_says() {
    let messages = messages(&Exercise::at(50).reps(5, 400.0).rest(12_000).plain(), 10, 50);
    let mut tracker = tracker();

    let counts: Vec<i32> = messages
        .iter()
        .flat_map(|one| tracker.take(travel(one, 50)).publish)
        .filter_map(|publication| match publication {
            Publication::Live(sample) => sample.fields.scaled(Field::Reps),
            Publication::Set(_) => None,
        })
        .collect();

    assert!(counts.is_sorted(), "{counts:?}");
    assert_eq!(counts.first(), Some(&1));
    assert!(counts.last().is_some_and(|last| *last >= 4), "{counts:?}");
}

#[test]
fn another_load_is_another_set() {
    let messages = messages(&Exercise::at(50).reps(8, 400.0).rest(12_000).plain(), 10, 50);
    let mut tracker = tracker();

    let steps: Vec<Step> = messages
        .iter()
        .map(|one| {
            let weight_cg = Some(if one.1 < 9_800 { 5_000 } else { 3_000 });
            tracker.take(Travel { weight_cg, ..travel(one, 50) })
        })
        .collect();

    let told: Vec<_> = payloads(&steps).iter().map(|set| (set.reps, set.weight_cg)).collect();
    assert_eq!(told, [(4, Some(5_000)), (4, Some(3_000))]);
}

#[test]
fn a_restart_of_the_board_ends_the_set_with_its_former_boot() {
    let messages = messages(&Exercise::at(50).reps(3, 400.0).plain(), 10, 50);
    let mut tracker = tracker();
    for one in &messages {
        tracker.take(travel(one, 50));
    }

    let step = tracker.take(Travel { boot: 8, seq: 1, ..travel(&messages[0], 50) });

    let sets = payloads(&[step]);
    assert_eq!(sets.iter().map(|set| (set.boot, set.reps)).collect::<Vec<_>>(), [(Some(7), 3)]);
}

#[test]
fn what_is_no_travel_is_settled_and_said_to_be_implausible() {
    let mut tracker = tracker();
    let travel = |every_ms, position_mm| Travel {
        boot: 1,
        seq: 9,
        uptime_ms: 0,
        every_ms,
        position_mm,
        weight_cg: None,
    };

    let steps = [travel(0, &[1]), travel(50, &[]), travel(500, &[1; 10])]
        .map(|travel| tracker.take(travel));

    assert!(steps.iter().all(|step| step.is_implausible && step.settled == [9]));
}

proptest! {
    /// The host is killed after any message; the board sends again what was not acked.
    #[test]
    fn a_kill_at_any_moment_changes_no_set(
        kill in any::<prop::sample::Index>(),
        per_message in 5..20_usize,
    ) {
        let messages = messages(&two_sets(), per_message, 50);
        let mut whole = tracker();
        let expected =
            payloads(&messages.iter().map(|one| whole.take(travel(one, 50))).collect::<Vec<_>>());

        let kill = kill.index(messages.len());
        let mut killed = tracker();
        let mut steps: Vec<Step> =
            messages[..kill].iter().map(|one| killed.take(travel(one, 50))).collect();
        let settled: Vec<u64> = steps.iter().flat_map(|step| step.settled.clone()).collect();
        let mut restarted = tracker();
        let again = messages.iter().filter(|one| !settled.contains(&one.0));
        steps.extend(again.map(|one| restarted.take(travel(one, 50))));

        prop_assert_eq!(payloads(&steps), expected);
    }
}
