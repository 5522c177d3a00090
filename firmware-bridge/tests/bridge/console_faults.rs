//! Every fault of a console's line at every byte of every exchange, in simulated time: five seconds later the console is
//! polled again, nothing false was told, and there was one line about it.

use firmware_bridge::drivers::csafe::load_quirks;
use firmware_bridge::emulators::csafe::{
    Console, FAULTS, Fault, GONE, KINDS, Kind, Line, Make, Passed, Units, Workout,
};
use protocol::machine::{FIELDS, Field, Fields};
use protocol::serial::csafe::answer::State;
use protocol::serial::csafe::{Input, Link, OrderEnd, Output, Reset};
use std::collections::VecDeque;
use std::time::Duration;

const BYTE_TIME: Duration = Duration::from_micros(1_042);
/// Time for the exchanges of every sort: who are you, some rounds, a reset, rounds again.
const SCRIPT: Duration = Duration::from_millis(5_500);
const RESET_AT: Duration = Duration::from_millis(2_300);
const HEALED_WITHIN: Duration = Duration::from_secs(5);
/// No answer is older than a stall and a repetition.
const OLDEST: Duration = Duration::from_secs(4);

/// A console, its line and the link at the other end.
struct Floor {
    link: Link,
    console: Console,
    line: Line,
    now: Duration,
    to_console: VecDeque<(Duration, Vec<u8>)>,
    to_link: VecDeque<(Duration, Vec<u8>)>,
    back_at: Option<Duration>,
    noise: bool,
    is_reset_ordered: bool,
    /// What was true, each time the console was asked.
    truth: Vec<(Duration, Workout)>,
    samples: Vec<(Duration, Fields)>,
    lines: Vec<Output>,
    ends: Vec<OrderEnd>,
}

/// A picky console is asked for what it does not know, too.
fn quirks_of(make: Make) -> &'static str {
    match make.kind {
        _ if make.is_picky => "bike",
        Kind::Treadmill => "treadmill",
        Kind::Bike => "bike",
        Kind::Elliptical => "elliptical",
        Kind::Rower => "rower",
        Kind::Climber => "climber",
        Kind::Pm => "pm",
    }
}

impl Floor {
    fn new(make: Make, line: Line) -> Self {
        let mut floor = Self {
            link: Link::new(load_quirks(quirks_of(make)).unwrap()),
            console: Console::new(make),
            line,
            now: Duration::ZERO,
            to_console: VecDeque::new(),
            to_link: VecDeque::new(),
            back_at: None,
            noise: false,
            is_reset_ordered: false,
            truth: Vec::new(),
            samples: Vec::new(),
            lines: Vec::new(),
            ends: Vec::new(),
        };
        floor.console.begin(floor.now);
        floor.tell(Input::Opened);
        floor
    }

    fn run(&mut self, end: Duration) {
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    fn next(&self) -> Option<Duration> {
        let reset = (!self.is_reset_ordered).then_some(RESET_AT);
        let at = |queue: &VecDeque<(Duration, Vec<u8>)>| queue.front().map(|(at, _)| *at);
        let times = [
            reset,
            self.link.wake_at(),
            self.console.wake_at(),
            at(&self.to_console),
            at(&self.to_link),
            self.back_at,
        ];
        times.into_iter().flatten().min()
    }

    fn step(&mut self) {
        let now = self.now;
        if !self.is_reset_ordered && now >= RESET_AT {
            self.is_reset_ordered = true;
            self.tell(Input::Reset(Reset { until: now + Duration::from_secs(3) }));
        }
        if self.back_at.is_some_and(|at| at <= now) {
            self.back_at = None;
            self.tell(Input::Opened);
            if std::mem::take(&mut self.noise) {
                self.to_link.push_back((now, b"\0\xFFBOOT\xF1\xF2\r\n".to_vec()));
            }
        }
        // The next member comes as soon as the console is free.
        if self.console.state() == State::Ready && self.back_at.is_none() {
            self.console.begin(now);
        }
        if let Some((_, bytes)) = self.to_console.pop_front_if(|(at, _)| *at <= now) {
            self.console.receive(&bytes, now);
            self.truth.push((now, *self.console.workout()));
        }
        let bytes = self.console.send(now);
        if !bytes.is_empty() && self.back_at.is_none() {
            let pieces = self.pass(&bytes);
            self.to_link.extend(pieces);
        }
        if let Some((_, bytes)) = self.to_link.pop_front_if(|(at, _)| *at <= now) {
            self.tell(Input::Bytes(&bytes));
        }
        if self.link.wake_at().is_some_and(|at| at <= now) {
            self.tell(Input::Tick);
        }
    }

    fn pass(&mut self, bytes: &[u8]) -> Vec<(Duration, Vec<u8>)> {
        let on_the_line = BYTE_TIME * u32::try_from(bytes.len()).unwrap();
        let Passed { pieces, gone_for, is_rebooted } =
            self.line.pass(bytes, self.now, self.now + on_the_line);
        if let Some(gone_for) = gone_for {
            assert_eq!(gone_for, GONE);
            self.to_console.clear();
            self.to_link.clear();
            self.back_at = Some(self.now + gone_for);
            self.noise = is_rebooted;
            if is_rebooted {
                self.console.reboot(self.now);
            }
            self.tell(Input::Closed);
        }
        pieces
    }

    fn tell(&mut self, input: Input<'_>) {
        for output in self.link.handle(input, self.now) {
            match output {
                Output::Write(bytes) => {
                    let pieces = self.pass(&bytes);
                    self.to_console.extend(pieces);
                }
                Output::Sample(fields) => self.samples.push((self.now, fields)),
                Output::OrderEnded(end) => self.ends.push(end),
                Output::Disturbed(_) | Output::Silent(_) | Output::Unusable(_) => {
                    self.lines.push(output);
                }
                Output::State(_) | Output::Version(_) | Output::Back => {}
            }
        }
    }

    /// The fields of samples that were never true.
    fn lies(&self) -> Vec<(Duration, Field, f64)> {
        let mut lies = Vec::new();
        for (at, fields) in &self.samples {
            for spec in &FIELDS {
                let Some(value) = fields.value(spec.field) else { continue };
                let recent = self.truth.iter().filter(|(then, _)| *then + OLDEST >= *at);
                let mut true_values = recent.map(|(_, workout)| true_value(workout, spec.field));
                if !true_values.any(|(truth, step)| (truth - value).abs() <= step) {
                    lies.push((*at, spec.field, value));
                }
            }
        }
        lies
    }
}

/// What a field should say, and how far off it may be by the resolution of the console's unit.
fn true_value(workout: &Workout, field: Field) -> (f64, f64) {
    match field {
        Field::ElapsedS => (workout.elapsed_s, 1.0),
        Field::DistanceM => (workout.distance_m, 16.2),
        Field::EnergyKcal => (workout.energy_kcal, 1.0),
        Field::SpeedMps => (workout.speed_mps, 0.05),
        Field::InclinePct => (workout.grade_pct, 0.1),
        Field::Resistance => (f64::from(workout.gear), 0.0),
        Field::CadenceRpm | Field::StrokeRateSpm => (workout.cadence, 1.0),
        Field::PowerW => (workout.power_w, 1.0),
        Field::HeartRateBpm => (workout.heart_rate_bpm, 1.0),
        Field::Reps | Field::WeightKg => (f64::NAN, 0.0),
    }
}

/// How many bytes pass in the script when nothing goes wrong.
fn bytes_of(make: Make) -> usize {
    let mut floor = Floor::new(make, Line::default());
    floor.run(SCRIPT);
    assert_eq!(floor.lies(), []);
    assert_eq!((floor.lines.len(), floor.ends.as_slice()), (0, &[OrderEnd::Done][..]));
    floor.line.passed()
}

fn suffer(make: Make, fault: Fault, at: usize) {
    let mut floor = Floor::new(make, Line::with(fault, at));
    while floor.line.passed() <= at {
        let next = floor.next().unwrap();
        floor.run(next);
    }
    let end = floor.now + HEALED_WITHIN;
    floor.run(end.max(RESET_AT + HEALED_WITHIN));

    let case = format!("{:?} {:?} {fault:?} at byte {at}", make.kind, make.units);
    let last = floor.samples.last().map_or(Duration::ZERO, |(at, _)| *at);
    let quiet = floor.now.saturating_sub(last);
    assert!(quiet < Duration::from_millis(1_500), "{case}: quiet for {quiet:?}");
    assert!(floor.lines.len() <= 1, "{case}: {:?}", floor.lines);
    assert_eq!(floor.ends.len(), 1, "{case}: {:?}", floor.ends);
    assert_eq!(floor.lies(), [], "{case}");
}

fn suffer_all(make: Make) {
    let bytes = bytes_of(make);
    assert!(bytes > 150, "{bytes}");
    for fault in FAULTS {
        for at in 0..bytes {
            suffer(make, fault, at);
        }
    }
}

#[test]
fn whatever_happens_to_the_line_of_a_treadmill_it_is_polled_again() {
    suffer_all(Make::of(Kind::Treadmill));
}

#[test]
fn whatever_happens_to_the_line_of_a_bike_it_is_polled_again() {
    suffer_all(Make::of(Kind::Bike));
}

#[test]
fn whatever_happens_to_the_line_of_an_elliptical_it_is_polled_again() {
    suffer_all(Make { units: Units::English, ..Make::of(Kind::Elliptical) });
}

#[test]
fn whatever_happens_to_the_line_of_a_rower_it_is_polled_again() {
    suffer_all(Make { units: Units::English, ..Make::of(Kind::Rower) });
}

#[test]
fn whatever_happens_to_the_line_of_a_climber_it_is_polled_again() {
    suffer_all(Make { is_picky: true, ..Make::of(Kind::Climber) });
}

#[test]
fn whatever_happens_to_the_line_of_a_rowers_monitor_it_is_polled_again() {
    suffer_all(Make::of(Kind::Pm));
}

#[test]
fn between_two_members_the_counters_start_anew() {
    for kind in KINDS {
        let mut floor = Floor::new(Make::of(kind), Line::default());

        floor.run(SCRIPT);

        let elapsed: Vec<f64> =
            floor.samples.iter().filter_map(|(_, fields)| fields.value(Field::ElapsedS)).collect();
        let falls = elapsed.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert_eq!(falls, 1, "{kind:?}: {elapsed:?}");
        assert!(elapsed.iter().all(|elapsed| *elapsed < 4.0), "{kind:?}: {elapsed:?}");
    }
}
