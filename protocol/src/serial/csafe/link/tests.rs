//! The conversation, move by move, with a clock that the tests set.

use super::super::answer::{Item, Status};
use super::super::command::{GO_IDLE, Get, RESET};
use super::*;
use crate::machine::Field;
use crate::serial::csafe::frame;
use proptest::prelude::*;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A link and what it did, with a clock.
struct Talk {
    link: Link,
    now: Duration,
    written: Vec<Vec<u8>>,
    told: Vec<Output>,
}

impl Talk {
    fn with(quirks: Quirks) -> Self {
        let mut talk =
            Self { link: Link::new(quirks), now: ms(1_000), written: Vec::new(), told: Vec::new() };
        talk.give(Input::Opened);
        talk
    }

    fn of(commands: &[Get]) -> Self {
        Self::with(Quirks::standard(commands.to_vec()))
    }

    fn give(&mut self, input: Input<'_>) {
        for output in self.link.handle(input, self.now) {
            match output {
                Output::Write(bytes) => {
                    let frames = FrameReader::default().push(&bytes);
                    self.written.push(frames[0].contents.clone());
                }
                other => self.told.push(other),
            }
        }
    }

    /// Lets time pass up to the next thing that the link wants to do.
    fn wait(&mut self) {
        self.now = self.link.wake_at().unwrap().max(self.now);
        self.give(Input::Tick);
    }

    /// Waits until the link asks something, and says what.
    fn asked(&mut self) -> Vec<u8> {
        let before = self.written.len();
        while self.written.len() == before {
            self.wait();
        }
        self.written[before].clone()
    }

    fn answer(&mut self, status: u8, items: &[(u8, &[u8])]) {
        let items: Vec<_> =
            items.iter().map(|(command, data)| Item { command: *command, data }).collect();
        let contents = answer::encode(Status::of_byte(status), &items);
        self.now += ms(20);
        self.give(Input::Bytes(&frame::encode(&contents, None)));
    }

    /// Gets past the question for the version.
    fn known(mut self) -> Self {
        assert_eq!(self.asked(), [GET_VERSION]);
        self.answer(0x05, &[(GET_VERSION, &[14, 1, 42, 1, 3])]);
        self.told.clear();
        self
    }

    fn told(&mut self) -> Vec<Output> {
        mem::take(&mut self.told)
    }
}

const TIME: u8 = Get::WorkTime.command();
const DISTANCE: u8 = Get::Distance.command();
const POWER: u8 = Get::Power.command();

fn sample(values: &[(Field, f64)]) -> Output {
    let mut fields = Fields::default();
    for (field, value) in values {
        fields.set(*field, *value);
    }
    Output::Sample(fields)
}

#[test]
fn a_console_is_asked_who_it_is_and_then_every_second() {
    let mut talk = Talk::of(&[Get::WorkTime, Get::Power]);

    assert_eq!(talk.asked(), [GET_VERSION]);
    talk.answer(0x05, &[(GET_VERSION, &[14, 1, 42, 1, 3])]);
    let mut at = Vec::new();
    for second in 0..3 {
        assert_eq!(talk.asked(), [TIME, POWER]);
        at.push(talk.now);
        talk.answer(0x85, &[(POWER, &[200, 0, 0x58]), (TIME, &[0, 0, second])]);
    }

    assert_eq!(at[2].saturating_sub(at[1]), ms(1_000));
    let version = Version { maker: 14, class: 1, model: 42, version: 1, release: 3 };
    assert_eq!(
        talk.told(),
        [
            Output::State(State::InUse),
            Output::Version(version),
            sample(&[(Field::ElapsedS, 0.0), (Field::PowerW, 200.0)]),
            sample(&[(Field::ElapsedS, 1.0), (Field::PowerW, 200.0)]),
            sample(&[(Field::ElapsedS, 2.0), (Field::PowerW, 200.0)]),
        ]
    );
}

#[test]
fn frames_keep_their_distance() {
    let mut quirks = Quirks::standard(vec![Get::WorkTime, Get::Power]);
    quirks.commands_per_frame = 1;
    let mut talk = Talk::with(quirks).known();

    assert_eq!(talk.asked(), [TIME]);
    talk.answer(0x85, &[(TIME, &[0, 0, 1])]);
    let answered = talk.now;
    assert_eq!(talk.asked(), [POWER]);

    assert_eq!(talk.now.saturating_sub(answered), ms(50));
}

#[test]
fn outside_an_exercise_only_changes_are_told() {
    let mut talk = Talk::of(&[Get::Distance]).known();

    for (status, metres) in [(0x07, 900), (0x07, 900), (0x01, 900), (0x01, 0), (0x02, 0), (0x02, 0)]
    {
        talk.asked();
        let [low, high] = u16::to_le_bytes(metres);
        talk.answer(status, &[(DISTANCE, &[low, high, 0x24])]);
    }

    assert_eq!(
        talk.told(),
        [
            Output::State(State::Finished),
            sample(&[(Field::DistanceM, 900.0)]),
            Output::State(State::Ready),
            sample(&[(Field::DistanceM, 0.0)]),
            Output::State(State::Idle),
        ]
    );
}

#[test]
fn a_status_that_comes_unasked_is_no_answer() {
    let mut talk = Talk::of(&[Get::WorkTime]).known();

    talk.asked();
    talk.answer(0x06, &[]);
    talk.answer(0x85, &[]);
    talk.answer(0x85, &[(TIME, &[0, 1, 0])]);

    assert_eq!(
        talk.told(),
        [
            Output::State(State::Paused),
            Output::State(State::InUse),
            sample(&[(Field::ElapsedS, 60.0)]),
        ]
    );
}

#[test]
fn a_console_that_has_nothing_to_tell_is_not_silent() {
    let mut talk = Talk::of(&[Get::WorkTime]).known();

    for _ in 0..10 {
        assert_eq!(talk.asked(), [TIME]);
        talk.answer(0x01, &[]);
    }

    assert_eq!(talk.told(), [Output::State(State::Ready)]);
}

#[test]
fn a_damaged_answer_is_asked_for_again_and_told_once_a_minute() {
    let mut talk = Talk::of(&[Get::WorkTime]).known();

    for second in 0..100 {
        talk.asked();
        talk.give(Input::Bytes(&[0xF1, 0x85, TIME, 3, 0, 0, 9, 0x11, 0xF2]));
        assert_eq!(talk.asked(), [TIME]);
        talk.answer(0x85, &[(TIME, &[0, second / 60, second % 60])]);
    }

    let told = talk.told();
    let disturbed = |damaged| Output::Disturbed(Disturbance { damaged, ..Disturbance::default() });
    let lines: Vec<_> =
        told.iter().filter(|output| matches!(output, Output::Disturbed(_))).collect();
    assert_eq!(lines, [&disturbed(1), &disturbed(61)]);
    assert_eq!(told.len(), 102);
}

#[test]
fn a_frame_that_the_console_got_damaged_is_sent_again() {
    let mut talk = Talk::of(&[Get::WorkTime]).known();

    talk.asked();
    talk.answer(0x25, &[]);
    assert_eq!(talk.asked(), [TIME]);
    talk.answer(0x85, &[(TIME, &[0, 0, 1])]);

    let misheard = Disturbance { misheard: 1, ..Disturbance::default() };
    assert_eq!(talk.told(), [Output::Disturbed(misheard), sample(&[(Field::ElapsedS, 1.0)])]);
}

#[test]
fn a_silent_console_is_told_once_and_its_return_too() {
    let mut talk = Talk::of(&[Get::WorkTime]).known();

    while talk.now < ms(20_000) {
        talk.wait();
    }
    let silence = talk.told();
    talk.asked();
    talk.answer(0x85, &[(TIME, &[0, 0, 1])]);

    assert!(
        matches!(silence.as_slice(), [Output::Silent(Disturbance { damaged: 0, .. })]),
        "{silence:?}"
    );
    assert_eq!(
        talk.told(),
        [Output::Back, Output::State(State::InUse), sample(&[(Field::ElapsedS, 1.0)]),]
    );
}

#[test]
fn the_command_that_a_console_minds_is_found_and_left_out() {
    let gets = [Get::WorkTime, Get::Distance, Get::Calories, Get::Speed, Get::Power];
    let mut talk = Talk::of(&gets).known();
    let answer_all = |talk: &mut Talk, asked: &[u8]| {
        if asked.contains(&Get::Speed.command()) {
            return talk.answer(0x15, &[]);
        }
        let data = |command| match command {
            TIME => [0, 0, 1].to_vec(),
            DISTANCE => [100, 0, 0x24].to_vec(),
            POWER => [100, 0, 0x58].to_vec(),
            _ => [7, 0].to_vec(),
        };
        let items: Vec<_> = asked.iter().map(|command| (*command, data(*command))).collect();
        let items: Vec<_> =
            items.iter().map(|(command, data)| (*command, data.as_slice())).collect();
        talk.answer(0x85, &items);
    };

    let mut rounds = Vec::new();
    while talk.now < ms(5_000) {
        let asked = talk.asked();
        answer_all(&mut talk, &asked);
        rounds.push(asked);
    }

    let without_speed = [TIME, DISTANCE, Get::Calories.command(), POWER];
    assert_eq!(rounds[0].len(), 5);
    assert_eq!(rounds.last().unwrap(), &without_speed);
    let whole = sample(&[
        (Field::ElapsedS, 1.0),
        (Field::DistanceM, 100.0),
        (Field::EnergyKcal, 7.0),
        (Field::PowerW, 100.0),
    ]);
    assert!(talk.told().iter().all(|output| *output == whole));
}

#[test]
fn a_console_that_takes_only_short_frames_gets_short_frames() {
    let gets = [Get::WorkTime, Get::Distance, Get::Power, Get::Calories];
    let mut talk = Talk::of(&gets).known();

    let mut longest = Vec::new();
    while talk.now < ms(6_000) {
        let asked = talk.asked();
        longest.push(asked.len());
        match asked.as_slice() {
            &[command] => talk.answer(0x85, &[(command, &[0, 0, 0x24])]),
            _ => talk.answer(0x15, &[]),
        }
    }

    assert_eq!(longest[0], 4);
    assert!(longest.iter().rev().take(8).all(|length| *length == 1), "{longest:?}");
}

#[test]
fn what_cannot_be_used_is_told_once() {
    let mut talk = Talk::of(&[Get::WorkTime, Get::Distance]).known();

    for second in 0..5 {
        talk.asked();
        talk.answer(0x85, &[(TIME, &[0, 0, second]), (DISTANCE, &[1, 0, 0x99])]);
    }

    let told = talk.told();
    let unusable: Vec<_> =
        told.iter().filter(|output| matches!(output, Output::Unusable(_))).collect();
    assert_eq!(unusable.len(), 1);
    assert_eq!(told.len(), 6);
}

#[test]
fn extended_frames_are_sent_where_they_are_wanted_and_read_everywhere() {
    let mut quirks = Quirks::standard(vec![Get::WorkTime]);
    quirks.extended = true;
    let mut link = Link::new(quirks);

    link.handle(Input::Opened, ms(0));
    let outputs = link.handle(Input::Tick, ms(50));
    let Some(Output::Write(bytes)) = outputs.first() else { panic!("{outputs:?}") };
    let told = link.handle(Input::Bytes(&[0xF0, 0x00, 0xFD, 0x01, 0x01, 0xF2]), ms(80));

    assert_eq!(bytes, &[0xF0, 0xFD, 0x00, 0x91, 0x91, 0xF2]);
    assert_eq!(told, [Output::State(State::Ready)]);
}

fn reset(until: u64) -> Input<'static> {
    Input::Reset(Reset { until: ms(until) })
}

fn ends(talk: &mut Talk) -> Vec<OrderEnd> {
    let told = talk.told();
    let end = |output: &Output| match output {
        Output::OrderEnded(end) => Some(*end),
        _ => None,
    };
    told.iter().filter_map(end).collect()
}

#[test]
fn a_reset_goes_between_the_questions() {
    let mut talk = Talk::of(&[Get::WorkTime]).known();
    talk.asked();

    talk.give(reset(9_000));
    talk.answer(0x85, &[(TIME, &[0, 9, 0])]);
    assert_eq!(talk.asked(), [RESET]);
    talk.answer(0x01, &[]);

    assert_eq!(ends(&mut talk), [OrderEnd::Done]);
    assert_eq!(talk.asked(), [TIME]);
}

#[test]
fn where_a_reset_is_refused_the_exercise_is_ended() {
    let mut talk = Talk::of(&[Get::WorkTime]).known();

    talk.give(reset(9_000));
    assert_eq!(talk.asked(), [RESET]);
    talk.answer(0x17, &[]);
    assert_eq!(talk.asked(), [GO_IDLE]);
    talk.answer(0x82, &[]);
    let first = ends(&mut talk);
    talk.give(reset(9_000));
    talk.asked();
    talk.answer(0x15, &[]);
    talk.asked();
    talk.answer(0x15, &[]);

    assert_eq!(first, [OrderEnd::Done]);
    assert_eq!(ends(&mut talk), [OrderEnd::Refused]);
}

#[test]
fn an_order_ends_when_its_time_is_over_the_console_is_silent_or_the_port_is_gone() {
    let mut talk = Talk::of(&[Get::WorkTime]).known();

    talk.give(reset(1_500));
    while talk.now < ms(1_500) {
        talk.wait();
    }
    let expired = ends(&mut talk);
    let resets = talk.written.iter().filter(|frame| frame.as_slice() == [RESET]).count();
    talk.give(reset(60_000));
    while talk.now < ms(6_000) {
        talk.wait();
    }
    let silent = ends(&mut talk);
    talk.give(reset(60_000));
    talk.give(Input::Closed);
    let closed = ends(&mut talk);
    talk.give(reset(60_000));

    assert_eq!((expired, resets), (vec![OrderEnd::Expired], 1));
    assert_eq!(silent, [OrderEnd::NoAnswer]);
    assert_eq!(closed, [OrderEnd::NoAnswer]);
    assert_eq!(ends(&mut talk), [OrderEnd::NoAnswer]);
    assert_eq!(talk.link.wake_at(), None);
}

#[test]
fn the_late_answer_to_a_question_is_not_taken_for_an_order_carried_out() {
    let mut talk = Talk::of(&[Get::WorkTime]).known();

    talk.give(reset(9_000));
    assert_eq!(talk.asked(), [RESET]);
    talk.answer(0x85, &[(TIME, &[0, 9, 0])]);
    talk.answer(0x05, &[]);

    assert_eq!(ends(&mut talk), []);
}

/// Bytes of a console that is asked the usual questions.
fn chatter() -> impl Strategy<Value = Vec<u8>> {
    let answers =
        (any::<u8>(), any::<[u8; 3]>(), any::<bool>()).prop_map(|(status, data, known)| {
            let items = [Item { command: TIME, data: &data }, Item { command: POWER, data: &data }];
            let items = if known { &items[..] } else { &[] };
            frame::encode(&answer::encode(Status::of_byte(status), items), None)
        });
    prop_oneof![3 => answers, 1 => prop::collection::vec(any::<u8>(), 0..30)]
}

proptest! {
    #[test]
    fn any_chunking_tells_the_same(
        stretches in prop::collection::vec((chatter(), 0..900_u64), 1..12),
        size in 1..9_usize,
    ) {
        let quirks = Quirks::standard(vec![Get::WorkTime, Get::Power]);
        let mut whole = Link::new(quirks.clone());
        let mut pieces = Link::new(quirks);
        let mut now = ms(0);
        prop_assert_eq!(whole.handle(Input::Opened, now), pieces.handle(Input::Opened, now));

        for (stretch, gap) in stretches {
            now += ms(gap);
            prop_assert_eq!(whole.handle(Input::Tick, now), pieces.handle(Input::Tick, now));
            let mut expected = whole.handle(Input::Bytes(&stretch), now);
            expected.extend(whole.handle(Input::Tick, now));
            let mut found = Vec::new();
            for piece in stretch.chunks(size) {
                found.extend(pieces.handle(Input::Bytes(piece), now));
            }
            found.extend(pieces.handle(Input::Tick, now));
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn no_bytes_at_no_time_panic_stop_or_flood_the_link(
        inputs in prop::collection::vec((chatter(), 0..3_000_u64, 0..12_u8), 0..60),
    ) {
        let mut link = Link::new(Quirks::standard(vec![Get::WorkTime, Get::Power]));
        let mut now = ms(0);
        link.handle(Input::Opened, now);
        for (bytes, gap, what) in inputs {
            now += ms(gap);
            let input = match what {
                0 => Input::Opened,
                1 => Input::Closed,
                2 => reset(0),
                3 => Input::Reset(Reset { until: now + ms(700) }),
                _ => Input::Bytes(&bytes),
            };
            let written = link
                .handle(input, now)
                .into_iter()
                .filter(|output| matches!(output, Output::Write(_)))
                .count();
            prop_assert!(written <= 1);
            prop_assert!(link.told_troubles.len() <= MAX_TOLD);
            prop_assert_eq!(link.wake_at().is_some(), link.is_open);
        }
    }
}
