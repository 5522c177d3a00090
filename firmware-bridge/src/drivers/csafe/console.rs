//! One console between its link and the desk: what the link tells goes to the agent, what the agent orders to the link.

use crate::clock::Moment;
use crate::desk::Desk;
use crate::inbox::{Mail, Word};
use crate::place::Place;
use crate::status;
use anyhow::{Result, anyhow};
use protocol::ids::{Code, CommandId};
use protocol::machine::{Fields, Sample};
use protocol::mqtt::payloads::telemetry_json;
use protocol::mqtt::topics::Topic;
use protocol::serial::csafe::answer::{State, Version};
use protocol::serial::csafe::{Input, Link, OrderEnd, Output, Quirks, Reset};
use protocol::sync::entry::{DeviceState, DeviceStatus, Outcome};
use std::time::Duration;
use tokio::time::Instant;
use tracing::{error, info, warn};

/// A console and how far its samples are numbered.
pub(super) struct Console {
    code: Code,
    place: Place,
    desk: Desk,
    link: Link,
    origin: Instant,
    started: Moment,
    /// Consoles do not count their starts, so each start of the driver counts as one.
    boot: u32,
    seq: u64,
    version: Option<Version>,
    state: Option<State>,
    /// The command that is being carried out.
    order: Option<CommandId>,
}

impl Console {
    pub(super) fn new(code: Code, quirks: Quirks, desk: Desk) -> Result<Self> {
        let boot = getrandom::u32()
            .map_err(|error| anyhow!("the system has no random numbers: {error}"))?;
        Ok(Self {
            place: Place::machine(&code),
            code,
            link: Link::new(quirks),
            origin: Instant::now(),
            started: desk.clock.now(),
            boot,
            seq: 0,
            version: None,
            state: None,
            order: None,
            desk,
        })
    }

    pub(super) fn origin(&self) -> Instant {
        self.origin
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.link.wake_at().map(|at| self.origin + at)
    }

    /// Tells the link what happened. What is returned is to be written to the port.
    pub(super) async fn handle(&mut self, input: Input<'_>) -> Vec<Vec<u8>> {
        let outputs = self.link.handle(input, self.origin.elapsed());
        let mut writes = Vec::new();
        for output in outputs {
            match output {
                Output::Write(bytes) => writes.push(bytes),
                Output::Sample(fields) => self.tell(fields).await,
                Output::OrderEnded(end) => self.answer(end).await,
                other => self.note(&other),
            }
        }
        writes
    }

    /// The port is gone.
    pub(super) async fn lost(&mut self) {
        self.state = None;
        self.handle(Input::Closed).await;
    }

    /// Mail from the agent.
    pub(super) async fn read(&mut self, mail: Mail) -> Vec<Vec<u8>> {
        match &mail.word {
            Word::Command(command) => {
                let left = mail.left_of(command.ttl_ms, &self.desk.clock);
                self.obey(command.id, left).await
            }
            Word::Error(report) => {
                let (reason, field) = (&report.code, &report.field);
                warn!(machine = %self.code, reason, field, "the agent refuses a sample");
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    async fn obey(&mut self, id: CommandId, left: Duration) -> Vec<Vec<u8>> {
        if left.is_zero() {
            self.desk.answer(&self.place, id, Outcome::Expired, None).await;
            return Vec::new();
        }
        if self.order.is_some() {
            let detail = Some("another reset is being carried out".to_owned());
            self.desk.answer(&self.place, id, Outcome::Failed, detail).await;
            return Vec::new();
        }
        self.order = Some(id);
        let until = self.origin.elapsed() + left;
        self.handle(Input::Reset(Reset { until })).await
    }

    async fn answer(&mut self, end: OrderEnd) {
        let Some(id) = self.order.take() else { return };
        let (outcome, detail) = match end {
            OrderEnd::Done => (Outcome::Done, None),
            OrderEnd::Expired => (Outcome::Expired, None),
            OrderEnd::Refused => (Outcome::Failed, Some("the console does not allow it now")),
            OrderEnd::NoAnswer => (Outcome::Failed, Some("the console does not answer")),
        };
        self.desk.answer(&self.place, id, outcome, detail.map(str::to_owned)).await;
    }

    async fn tell(&mut self, fields: Fields) {
        self.seq += 1;
        let uptime_ms = self.desk.clock.now().at_ms.saturating_sub(self.started.at_ms);
        let sample = Sample {
            seq: self.seq,
            boot: Some(self.boot),
            at_ms: None,
            uptime_ms: Some(uptime_ms),
            fields,
        };
        let topic = Topic::MachineTelemetry(self.code.clone());
        if let Err(refused) = self.desk.tell(topic, telemetry_json(&[sample])).await {
            error!(machine = %self.code, %refused, "sample is lost");
        }
    }

    /// One line in the log for each, and the status where it follows from it.
    fn note(&mut self, output: &Output) {
        let machine = &self.code;
        match output {
            Output::State(state) => {
                info!(%machine, ?state, "console has changed its state");
                self.state = Some(*state);
                self.note_status();
            }
            Output::Version(version) => {
                info!(%machine, %version, "console has told its make");
                self.version = Some(*version);
                self.note_status();
            }
            Output::Unusable(trouble) => {
                warn!(%machine, %trouble, "console says something that cannot be used: left out");
            }
            Output::Disturbed(d) => {
                let (damaged, late, misheard) = (d.damaged, d.late, d.misheard);
                warn!(%machine, damaged, late, misheard, "line to the console was disturbed: asked again");
            }
            Output::Silent(d) => {
                let (damaged, late, misheard) = (d.damaged, d.late, d.misheard);
                warn!(%machine, damaged, late, misheard, "console does not answer: asking on");
                self.state = None;
                self.desk.note(&self.place, status::lost("the console does not answer"));
            }
            Output::Back => info!(%machine, "console answers again"),
            Output::Write(_) | Output::Sample(_) | Output::OrderEnded(_) => {}
        }
    }

    fn note_status(&self) {
        let Some(state) = self.state else { return };
        let error = (state == State::Error).then(|| "the console reports an error".to_owned());
        let firmware = self.version.map(|version| version.to_string());
        let status = DeviceStatus { state: device_state(state), firmware, uptime_ms: None, error };
        self.desk.note(&self.place, status);
    }
}

/// What a console's state means to the floor. An exercise that was begun at the console is one too.
fn device_state(state: State) -> DeviceState {
    match state {
        State::Error => DeviceState::OutOfOrder,
        State::Ready | State::Idle | State::HaveId | State::Other(_) => DeviceState::Idle,
        State::InUse | State::Manual | State::Offline => DeviceState::InUse,
        State::Paused => DeviceState::Paused,
        State::Finished => DeviceState::Finished,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::queue::{Outbox, Queue, QueueConfig};
    use protocol::mqtt::payloads::{CommandMessage, parse_result};
    use uuid::Uuid;

    #[tokio::test]
    async fn a_reset_that_has_waited_for_longer_than_it_counts_has_expired() {
        let folder = tempfile::TempDir::new().unwrap();
        let config = QueueConfig { path: folder.path().join("queue"), max_bytes: 1 << 20 };
        let outbox = Outbox::start(Queue::open(&config).unwrap()).unwrap();
        let desk = Desk::new(Clock::manual(Uuid::from_u128(1), 10_000), outbox);
        let mut console =
            Console::new("bike".parse().unwrap(), Quirks::standard(Vec::new()), desk.clone())
                .unwrap();
        let command = CommandMessage {
            id: CommandId(Uuid::from_u128(1)),
            command: "reset".into(),
            args: serde_json::Map::new(),
            ttl_ms: 2_000,
        };
        let mail = Mail { word: Word::Command(command), arrived: desk.clock.now(), age_ms: 500 };

        desk.clock.set(11_500);
        let writes = console.read(mail).await;

        assert_eq!(writes, Vec::<Vec<u8>>::new());
        let told = desk.outbox.after(0, 10).await.unwrap();
        let ends: Vec<_> =
            told.iter().map(|entry| parse_result(&entry.payload).unwrap().outcome).collect();
        assert_eq!(ends, [Outcome::Expired]);
    }
}
