//! A CSAFE console as a value: states, what is allowed in which, answers with units, and a person who presses keys.
//!
//! Time is a `Duration` since any origin. What it sends is due at [`Console::wake_at`].

use super::answers::{self, Units};
use super::workout::{Kind, Workout};
use protocol::serial::csafe::answer::{Item, Previous, State, Status, encode};
use protocol::serial::csafe::command;
use protocol::serial::csafe::frame::{self, ANY_CONSOLE, Addresses, Frame, FrameReader, STOP};
use std::collections::VecDeque;
use std::time::Duration;

/// From the end of a question to the beginning of its answer.
const THINKS_FOR: Duration = Duration::from_millis(15);
/// Somebody who has identified themselves but does nothing is forgotten.
const HAVE_ID_LASTS: Duration = Duration::from_secs(10);
/// A paused exercise ends.
const PAUSE_LASTS: Duration = Duration::from_secs(220);

/// How a console is made.
#[derive(Debug, Clone, Copy)]
pub struct Make {
    /// What it belongs to.
    pub kind: Kind,
    /// Metric or English.
    pub units: Units,
    /// Refuses a whole frame for one unknown command in it, instead of leaving the answer out.
    pub is_picky: bool,
    /// Tells its status unasked when that changes.
    pub tells_changes: bool,
}

impl Make {
    /// A metric console of this kind, as the standard wants it.
    pub fn of(kind: Kind) -> Self {
        Self { kind, units: Units::Metric, is_picky: false, tells_changes: kind != Kind::Pm }
    }
}

/// The console.
#[derive(Debug, Clone)]
pub struct Console {
    make: Make,
    reader: FrameReader,
    state: State,
    /// When the state began.
    since: Duration,
    toggle: bool,
    workout: Workout,
    now: Duration,
    due: VecDeque<(Duration, Vec<u8>)>,
}

impl Console {
    /// A console that was just switched on.
    pub fn new(make: Make) -> Self {
        Self {
            make,
            reader: FrameReader::default(),
            state: State::Ready,
            since: Duration::ZERO,
            toggle: false,
            workout: Workout::default(),
            now: Duration::ZERO,
            due: VecDeque::new(),
        }
    }

    /// What it is doing.
    pub fn state(&self) -> State {
        self.state
    }

    /// What the person has done so far.
    pub fn workout(&self) -> &Workout {
        &self.workout
    }

    /// When it wants to [`send`](Self::send) or to change its state by itself.
    pub fn wake_at(&self) -> Option<Duration> {
        let ends = match self.state {
            State::HaveId => Some(self.since + HAVE_ID_LASTS),
            State::Paused => Some(self.since + PAUSE_LASTS),
            _ => None,
        };
        self.due.front().map(|(at, _)| *at).into_iter().chain(ends).min()
    }

    /// What is due to be sent by now.
    pub fn send(&mut self, now: Duration) -> Vec<u8> {
        self.live(now);
        let mut bytes = Vec::new();
        while self.due.front().is_some_and(|(at, _)| *at <= now) {
            bytes.extend(self.due.pop_front().into_iter().flat_map(|(_, frame)| frame));
        }
        bytes
    }

    /// Bytes arrive.
    pub fn receive(&mut self, bytes: &[u8], now: Duration) {
        self.live(now);
        for byte in bytes {
            let damaged = self.reader.damaged();
            for frame in self.reader.push(&[*byte]) {
                self.obey(&frame);
            }
            if *byte == STOP && self.reader.damaged() > damaged {
                self.reply(Previous::Bad, &[], None);
            }
        }
    }

    /// Somebody identifies themselves and begins; who paused goes on.
    pub fn begin(&mut self, now: Duration) {
        self.live(now);
        if self.state != State::Paused {
            self.workout = Workout::default();
        }
        self.become_now(State::InUse);
    }

    /// Somebody just presses start, unknown to the master.
    pub fn press_start(&mut self, now: Duration) {
        self.live(now);
        let next = match self.state {
            State::Ready => State::Offline,
            State::Idle => State::Manual,
            State::HaveId | State::Paused => State::InUse,
            _ => return,
        };
        self.become_now(next);
    }

    /// The person stops for a moment.
    pub fn pause(&mut self, now: Duration) {
        self.live(now);
        if matches!(self.state, State::InUse | State::Manual | State::Offline) {
            self.workout.rest();
            self.become_now(State::Paused);
        }
    }

    /// The person has had enough.
    pub fn finish(&mut self, now: Duration) {
        self.live(now);
        self.workout.rest();
        self.become_now(State::Finished);
    }

    /// The person leaves: the next one finds it empty.
    pub fn leave(&mut self, now: Duration) {
        self.live(now);
        self.workout = Workout::default();
        self.become_now(if self.make.kind == Kind::Pm { State::Ready } else { State::Idle });
    }

    /// The power fails and comes back.
    pub fn reboot(&mut self, now: Duration) {
        *self = Self { now, since: now, ..Self::new(self.make) };
    }

    /// Time passes for the person too.
    fn live(&mut self, now: Duration) {
        let time = now.saturating_sub(self.now);
        self.now = self.now.max(now);
        if matches!(self.state, State::InUse | State::Manual | State::Offline) {
            self.workout.advance(self.make.kind, time);
        }
        let lasted = now.saturating_sub(self.since);
        match self.state {
            State::HaveId if lasted >= HAVE_ID_LASTS => self.become_now(State::Idle),
            State::Paused if lasted >= PAUSE_LASTS => self.become_now(State::Finished),
            _ => {}
        }
    }

    fn become_now(&mut self, state: State) {
        if self.state == state {
            return;
        }
        self.state = state;
        self.since = self.now;
        if self.make.tells_changes {
            self.reply(Previous::Accepted, &[], None);
        }
    }

    fn obey(&mut self, frame: &Frame) {
        let answer_to = match frame.addresses {
            Some(Addresses { destination: ANY_CONSOLE | 0xFF, source }) => {
                Some(Addresses { destination: source, source: ANY_CONSOLE })
            }
            // For another console on the line.
            Some(_) => return,
            None => None,
        };
        let Some(commands) = commands(&frame.contents) else {
            return self.reply(Previous::Bad, &[], answer_to);
        };
        let answers: Vec<(u8, Option<Vec<u8>>)> = commands
            .iter()
            .filter(|(command, _)| is_get(*command))
            .map(|(command, _)| (*command, answers::data(self.make, &self.workout, *command)))
            .collect();
        let is_unknown = self.make.is_picky && answers.iter().any(|(_, data)| data.is_none());
        let is_allowed = commands.iter().all(|(command, _)| self.allows(*command));
        if is_unknown || !is_allowed {
            return self.reply(Previous::Rejected, &[], answer_to);
        }
        self.toggle = !self.toggle;
        for (command, _) in &commands {
            self.carry_out(*command);
        }
        let items: Vec<_> = answers
            .iter()
            .filter_map(|(command, data)| Some(Item { command: *command, data: data.as_deref()? }))
            .collect();
        self.reply(Previous::Accepted, &items, answer_to);
    }

    fn allows(&self, command: u8) -> bool {
        use State::{Finished, HaveId, Idle, InUse, Paused, Ready};
        let states: &[State] = match command {
            command::GO_IDLE | command::GO_READY => &[Ready, Idle, HaveId, Finished],
            command::GO_HAVE_ID => &[Idle],
            command::GO_IN_USE if self.make.kind == Kind::Pm => {
                &[Ready, Idle, HaveId, InUse, Paused]
            }
            command::GO_IN_USE => &[Idle, HaveId, InUse, Paused],
            command::GO_FINISHED => &[InUse, Paused],
            command::BAD_ID => &[HaveId],
            0x10..=0x13 => &[Ready],
            0x02 | 0x34 => &[Ready, Idle],
            0x20..=0x2D => &[Ready, Idle, HaveId],
            _ => return true,
        };
        states.contains(&self.state)
    }

    fn carry_out(&mut self, command: u8) {
        let next = match command {
            command::RESET => {
                self.toggle = false;
                State::Ready
            }
            command::GO_IDLE if self.make.kind == Kind::Pm && self.state == State::Finished => {
                State::Ready
            }
            command::GO_IDLE | command::BAD_ID => State::Idle,
            command::GO_READY => State::Ready,
            command::GO_HAVE_ID => State::HaveId,
            command::GO_IN_USE => State::InUse,
            command::GO_FINISHED => State::Finished,
            _ => return,
        };
        match next {
            State::Ready | State::Idle => self.workout = Workout::default(),
            State::Finished => self.workout.rest(),
            _ => {}
        }
        self.state = next;
        self.since = self.now;
    }

    fn reply(&mut self, previous: Previous, items: &[Item<'_>], to: Option<Addresses>) {
        let status = Status { toggle: self.toggle, previous, state: self.state };
        let bytes = frame::encode(&encode(status, items), to);
        self.due.push_back((self.now + THINKS_FOR, bytes));
    }
}

/// Whether a command asks for something.
fn is_get(command: u8) -> bool {
    command > command::BAD_ID
}

/// The commands of a frame with their data; none if it is cut off.
fn commands(mut contents: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut commands = Vec::new();
    while let Some((&command, rest)) = contents.split_first() {
        if command >= 0x80 {
            commands.push((command, &[][..]));
            contents = rest;
            continue;
        }
        let (&length, rest) = rest.split_first()?;
        let (data, rest) = rest.split_at_checked(length.into())?;
        commands.push((command, data));
        contents = rest;
    }
    Some(commands)
}
