//! What the agent is told of a board, and when the board may forget it: no I/O, no clock.
//!
//! A message of the board is settled when everything that was to be told of it, *and of all before it*, has been acked by
//! the agent. Travel is settled when no unfinished set needs it.

use crate::status;
use protocol::ids::{Code, CommandId};
use protocol::machine::reps::{self, Publication, Step, Tracker, Travel};
use protocol::machine::{FIELDS, Sample};
use protocol::mqtt::payloads::{MAX_NAME_CHARS, MAX_TEXT_CHARS, SetPayload};
use protocol::mqtt::topics::{Role, Topic};
use protocol::serial::board::link::{self, Link, Order, Output, Unanswered};
use protocol::serial::board::{BoardOutcome, BoardState, FirmwareMessage};
use protocol::sync::entry::{
    CommandResult, DeviceState, DeviceStatus, Maintenance, Outcome, Severity,
};
use std::collections::VecDeque;
use std::time::Duration;
use tracing::warn;
use uuid::Uuid;

/// Messages that wait for the agent's ack. More are not accepted: a board that floods fills its own memory.
const MOST_ON_THE_WAY: usize = 16;

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// To the line, or on it.
    Line(link::Input<'a>),
    /// The agent has acked what was told under this ticket.
    Delivered {
        /// Of [`Action::Deliver`].
        ticket: u64,
    },
}

/// What is to be done about it.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// To be written to the port.
    Write(Vec<u8>),
    /// To be told to the agent; [`Event::Delivered`] is expected.
    Deliver {
        /// Its number here.
        ticket: u64,
        /// Where it goes.
        topic: Topic,
        /// What it says.
        payload: Vec<u8>,
    },
    /// The board has answered a command; its answer is delivered too.
    Answered(CommandResult),
    /// A command ended without the board.
    Answer(CommandResult),
    /// How the machine is.
    Note(DeviceStatus),
}

/// What waits for the agent, in order.
#[derive(Debug)]
struct Parcel {
    /// `None`: there is nothing to wait for any more.
    ticket: Option<u64>,
    settles: Vec<(u32, u64)>,
}

/// The conversation with one board.
#[derive(Debug)]
pub struct Conversation {
    code: Code,
    link: Link,
    tracker: Tracker,
    parcels: VecDeque<Parcel>,
    next_ticket: u64,
    status: DeviceStatus,
    has_port: bool,
    implausible: u64,
    /// The number of lost messages that was told last.
    lost_told: u64,
}

impl Conversation {
    /// With the board of a machine. `session` is random, new at every start.
    pub fn new(code: Code, sets: reps::Settings, session: u32) -> Self {
        Self {
            link: Link::new(code.as_str(), session),
            tracker: Tracker::new(code.clone(), sets),
            code,
            parcels: VecDeque::new(),
            next_ticket: 0,
            status: status::idle(),
            has_port: false,
            implausible: 0,
            lost_told: 0,
        }
    }

    /// When a [`link::Input::Tick`] is due.
    pub fn wake_at(&self) -> Duration {
        self.link.wake_at()
    }

    /// Takes what happened and says what is to be done.
    pub fn handle(&mut self, event: Event<'_>, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Line(input) => {
                match input {
                    link::Input::Reopened => self.has_port = true,
                    link::Input::Closed => self.has_port = false,
                    _ => {}
                }
                self.line(input, now, &mut actions);
            }
            Event::Delivered { ticket } => {
                if let Some(parcel) =
                    self.parcels.iter_mut().find(|parcel| parcel.ticket == Some(ticket))
                {
                    parcel.ticket = None;
                }
            }
        }
        self.settle(now, &mut actions);
        actions
    }

    fn line(&mut self, input: link::Input<'_>, now: Duration, actions: &mut Vec<Action>) {
        for output in self.link.handle(input, now) {
            match output {
                Output::Write(bytes) => actions.push(Action::Write(bytes)),
                Output::Found { firmware, is_new_boot, .. } => {
                    if is_new_boot {
                        self.lost_told = 0;
                    }
                    self.status.firmware = Some(clip(&firmware, MAX_NAME_CHARS));
                    actions.push(Action::Note(self.status.clone()));
                }
                Output::Foreign { code } => {
                    let code = clip(&code, MAX_NAME_CHARS);
                    let why = format!("the board at this port says it is {code}");
                    actions.push(Action::Note(status::lost(why)));
                }
                Output::Silent => self.silent(actions),
                Output::Message { boot, message } => self.message(boot, message, actions),
                Output::Lost { total } => self.lost(total, actions),
                Output::Unanswered { id, why } => actions.push(Action::Answer(unanswered(id, why))),
            }
        }
    }

    /// A set under way will not go on.
    fn silent(&mut self, actions: &mut Vec<Action>) {
        if self.has_port {
            actions.push(Action::Note(status::lost("no board answers on this port")));
        }
        let boot = self.tracker.boot();
        let step = self.tracker.finish();
        self.step(boot.unwrap_or_default(), step, actions);
    }

    fn message(&mut self, boot: u32, message: FirmwareMessage, actions: &mut Vec<Action>) {
        match message {
            FirmwareMessage::Sample { seq, uptime_ms, values } => {
                let sample = sample(boot, seq, uptime_ms, &values);
                let payload = sample.to_json().to_string().into_bytes();
                let topic = Topic::MachineTelemetry(self.code.clone());
                self.deliver(topic, payload, vec![(boot, seq)], actions);
            }
            FirmwareMessage::Set {
                seq,
                uptime_ms,
                exercise,
                reps,
                weight_cg,
                duration_ms,
                rom_mm,
            } => {
                let set = SetPayload {
                    seq,
                    boot: Some(boot),
                    exercise: exercise.map(|name| clip(&name, MAX_NAME_CHARS)),
                    reps,
                    weight_cg,
                    duration_ms,
                    rom_mm,
                    uptime_ms: Some(uptime_ms),
                    ..SetPayload::default()
                };
                self.deliver_set(&set, vec![(boot, seq)], actions);
            }
            FirmwareMessage::Status { seq, uptime_ms, state, error } => {
                self.status.state = state_of(state);
                self.status.uptime_ms = Some(uptime_ms);
                self.status.error = error.map(|error| clip(&error, MAX_TEXT_CHARS));
                actions.push(Action::Note(self.status.clone()));
                // Only the newest counts, and a host that starts anew asks for it.
                self.parcels.push_back(Parcel { ticket: None, settles: vec![(boot, seq)] });
            }
            FirmwareMessage::CommandResult { seq, id, outcome } => {
                let result = result(id, outcome_of(outcome), None);
                let payload = result.to_json().to_string().into_bytes();
                actions.push(Action::Answered(result));
                let topic = Topic::Results(Role::Machine, self.code.clone());
                self.deliver(topic, payload, vec![(boot, seq)], actions);
            }
            FirmwareMessage::Travel { seq, uptime_ms, every_ms, position_mm, weight_cg } => {
                let former = self.tracker.boot().filter(|former| *former != boot);
                if let Some(former) = former {
                    let step = self.tracker.finish();
                    self.step(former, step, actions);
                }
                let position_mm = &position_mm;
                let travel = Travel { boot, seq, uptime_ms, every_ms, position_mm, weight_cg };
                let step = self.tracker.take(travel);
                self.step(boot, step, actions);
            }
            // The link gives no others.
            _ => {}
        }
    }

    fn step(&mut self, boot: u32, step: Step, actions: &mut Vec<Action>) {
        if step.is_implausible {
            self.implausible += 1;
            if self.implausible.is_power_of_two() {
                let (machine, messages) = (&self.code, self.implausible);
                warn!(%machine, messages, "positions of the board are no travel: ignored");
            }
        }
        for publication in step.publish {
            match publication {
                Publication::Set(set) => self.deliver_set(&set, vec![], actions),
                Publication::Live(sample) => {
                    let payload = sample.to_json().to_string().into_bytes();
                    let topic = Topic::MachineTelemetry(self.code.clone());
                    self.deliver(topic, payload, vec![], actions);
                }
            }
        }
        let settles = step.settled.into_iter().map(|seq| (boot, seq)).collect();
        self.parcels.push_back(Parcel { ticket: None, settles });
    }

    fn deliver_set(
        &mut self,
        set: &SetPayload,
        settles: Vec<(u32, u64)>,
        actions: &mut Vec<Action>,
    ) {
        let payload = set.to_json().to_string().into_bytes();
        self.deliver(Topic::MachineSet(self.code.clone()), payload, settles, actions);
    }

    /// Told at first, and then whenever it has doubled.
    fn lost(&mut self, total: u64, actions: &mut Vec<Action>) {
        if total < self.lost_told.saturating_mul(2) {
            return;
        }
        self.lost_told = total;
        let message = format!(
            "the board's memory was full: {total} messages were dropped since its start, samples first"
        );
        let report =
            Maintenance { code: "board_memory_full".into(), severity: Severity::Warning, message };
        let payload = report.to_json().to_string().into_bytes();
        self.deliver(Topic::MachineMaintenance(self.code.clone()), payload, vec![], actions);
    }

    fn deliver(
        &mut self,
        topic: Topic,
        payload: Vec<u8>,
        settles: Vec<(u32, u64)>,
        actions: &mut Vec<Action>,
    ) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.parcels.push_back(Parcel { ticket: Some(ticket), settles });
        actions.push(Action::Deliver { ticket, topic, payload });
    }

    /// Lets the board forget what is on disk together with everything before it.
    fn settle(&mut self, now: Duration, actions: &mut Vec<Action>) {
        while self.parcels.front().is_some_and(|parcel| parcel.ticket.is_none()) {
            for (boot, seq) in
                self.parcels.pop_front().into_iter().flat_map(|parcel| parcel.settles)
            {
                self.line(link::Input::Settled { boot, seq }, now, actions);
            }
        }
        let on_the_way = self.parcels.iter().filter(|parcel| parcel.ticket.is_some()).count();
        self.link.set_full(on_the_way >= MOST_ON_THE_WAY);
    }
}

/// A command of the agent, as it is said to a board.
pub fn order(
    id: CommandId,
    command: &str,
    args: &serde_json::Map<String, serde_json::Value>,
) -> Order {
    let text = || args.get("text").and_then(|text| text.as_str()).unwrap_or_default().to_owned();
    let text = (command == "display").then(text);
    Order { id: id.0.into_bytes(), command: command.to_owned(), text }
}

/// Fields that this version does not know are left out; values out of range are for the agent to refuse.
fn sample(boot: u32, seq: u64, uptime_ms: u64, values: &[(u8, i32)]) -> Sample {
    let mut sample =
        Sample { seq, boot: Some(boot), uptime_ms: Some(uptime_ms), ..Sample::default() };
    for (number, scaled) in values {
        if let Some(spec) = FIELDS.get(usize::from(*number)) {
            sample.fields.set_scaled(spec.field, *scaled);
        }
    }
    sample
}

fn unanswered(id: [u8; 16], why: Unanswered) -> CommandResult {
    let (outcome, detail) = match why {
        Unanswered::Expired => (Outcome::Expired, "the board could not be reached in time"),
        Unanswered::TooMany => (Outcome::Failed, "too many commands are under way"),
        Unanswered::TooLong => (Outcome::Failed, "the command is too long for the board"),
        Unanswered::Silent => (Outcome::Unknown, "the board was told and has not answered"),
        Unanswered::Restarted => (Outcome::Unknown, "the board was told and has restarted since"),
    };
    result(id, outcome, Some(detail.to_owned()))
}

fn result(id: [u8; 16], outcome: Outcome, detail: Option<String>) -> CommandResult {
    CommandResult { id: CommandId(Uuid::from_bytes(id)), outcome, detail }
}

fn state_of(state: BoardState) -> DeviceState {
    match state {
        BoardState::Idle => DeviceState::Idle,
        BoardState::InUse => DeviceState::InUse,
        BoardState::Paused => DeviceState::Paused,
        BoardState::Finished => DeviceState::Finished,
        BoardState::OutOfOrder => DeviceState::OutOfOrder,
    }
}

fn outcome_of(outcome: BoardOutcome) -> Outcome {
    match outcome {
        BoardOutcome::Done => Outcome::Done,
        BoardOutcome::Failed => Outcome::Failed,
        BoardOutcome::Expired => Outcome::Expired,
        BoardOutcome::Unknown => Outcome::Unknown,
    }
}

fn clip(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}
