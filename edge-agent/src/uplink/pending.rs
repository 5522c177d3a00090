//! Commands that are being carried out. Pure: time and who listens come in, messages and reports go out.
//!
//! A command is published once, when its device hears it, with the time to live that is left; counted
//! monotonically, so that no clock jump makes an old one move a door.

use crate::journal::Publish;
use crate::registry::Device;
use protocol::ids::{CommandId, DeviceId};
use protocol::mqtt::payloads::CommandMessage;
use protocol::mqtt::topics::{Role, Topic};
use protocol::sync::commands::{Command, CommandReport, Target};
use protocol::sync::entry::{CommandResult, Outcome};
use std::collections::HashMap;
use std::sync::Arc;

/// All that are being carried out.
#[derive(Debug, Default)]
pub(super) struct Pending {
    waiting: HashMap<CommandId, Waiting>,
}

#[derive(Debug)]
struct Waiting {
    command: Command,
    /// Monotonic time at which it is void.
    void_at_ms: u64,
    state: State,
    answer: Option<CommandReport>,
}

#[derive(Debug, PartialEq)]
enum State {
    /// Not published yet.
    Fetched,
    /// Published to this device.
    Published(DeviceId),
    /// The edge itself is at it. An order that was begun in time may end late.
    Begun,
    /// Answered; kept until it is void so that the same command, told again, is not carried out again.
    Reported,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Tell the device.
    Publish(Publish),
    /// Carry it out ourselves.
    CarryOut(Command),
    /// Tell the cloud.
    Report(CommandId, CommandReport),
}

/// The cloud tells a command again until it has the result; remember that long past its life.
const REMEMBER_MS: u64 = 600_000;
const MAX_WAITING: usize = 10_000;

impl Pending {
    /// Takes in a command of an answer that was made at `told_ms`. One that is known already stays as it is.
    pub(super) fn add(&mut self, command: Command, told_ms: u64) {
        if self.waiting.len() >= MAX_WAITING {
            return; // It is told again.
        }
        let void_at_ms = told_ms.saturating_add(command.ttl_ms);
        self.waiting.entry(command.id).or_insert(Waiting {
            command,
            void_at_ms,
            state: State::Fetched,
            answer: None,
        });
    }

    /// Takes in a device's answer; another device's answer counts nothing.
    pub(super) fn answered(&mut self, device: DeviceId, result: CommandResult) {
        if let Some(waiting) = self.waiting.get_mut(&result.id)
            && waiting.state == State::Published(device)
        {
            waiting.answer = Some(CommandReport { outcome: result.outcome, detail: result.detail });
        }
    }

    /// Takes in what became of an order to the edge itself.
    pub(super) fn carried_out(&mut self, id: CommandId, report: CommandReport) {
        if let Some(waiting) = self.waiting.get_mut(&id)
            && waiting.state == State::Begun
        {
            waiting.answer = Some(report);
        }
    }

    /// What is to be done now.
    pub(super) fn steps(
        &mut self,
        now_ms: u64,
        find: impl Fn(&Target) -> Option<Arc<Device>>,
        hears: impl Fn(DeviceId, &str) -> bool,
    ) -> Vec<Step> {
        self.waiting.retain(|_, waiting| {
            waiting.state != State::Reported || now_ms < waiting.void_at_ms + REMEMBER_MS
        });
        let mut waiting: Vec<_> = self.waiting.values_mut().collect();
        // UUIDv7: in the order they were given.
        waiting.sort_by_key(|waiting| waiting.command.id);
        waiting.into_iter().filter_map(|one| one.step(now_ms, &find, &hears)).collect()
    }
}

impl Waiting {
    fn step(
        &mut self,
        now_ms: u64,
        find: &impl Fn(&Target) -> Option<Arc<Device>>,
        hears: &impl Fn(DeviceId, &str) -> bool,
    ) -> Option<Step> {
        if self.state == State::Reported {
            return None;
        }
        if let Some(answer) = self.answer.take() {
            return Some(self.report(answer.outcome, answer.detail));
        }
        if self.state != State::Begun && now_ms >= self.void_at_ms {
            return Some(self.report(Outcome::Expired, None));
        }
        if self.state != State::Fetched {
            return None;
        }
        let Some(target) = &self.command.target else {
            self.state = State::Begun;
            return Some(Step::CarryOut(self.command.clone()));
        };
        let role = Role::of(target.kind);
        let (Some(device), Some(role)) = (find(target), role) else {
            let detail = format!("the branch has no such device: {}", target.code);
            return Some(self.report(Outcome::Unknown, Some(detail)));
        };
        let topic = Topic::Commands(role, device.code.clone()).to_string();
        let speakers = [Some(device.id), device.bridge];
        let is_heard = speakers.into_iter().flatten().any(|speaker| hears(speaker, &topic));
        is_heard.then(|| self.publish(&device, topic, now_ms))
    }

    fn publish(&mut self, device: &Device, topic: String, now_ms: u64) -> Step {
        self.state = State::Published(device.id);
        let message = CommandMessage {
            id: self.command.id,
            command: self.command.command.clone(),
            args: self.command.args.clone(),
            ttl_ms: self.void_at_ms - now_ms,
        };
        Step::Publish(Publish {
            topic,
            payload: serde_json::to_vec(&message).expect("a command is plain JSON").into(),
            retain: false,
        })
    }

    fn report(&mut self, outcome: Outcome, detail: Option<String>) -> Step {
        self.state = State::Reported;
        Step::Report(self.command.id, CommandReport { outcome, detail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::sync::entry::DeviceKind;
    use uuid::Uuid;

    const LOCK: CommandId = CommandId(Uuid::from_u128(1));
    const BIKE: DeviceId = DeviceId(Uuid::from_u128(7));

    fn bike() -> Arc<Device> {
        Arc::new(Device {
            id: BIKE,
            code: "bike-1".parse().unwrap(),
            kind: DeviceKind::Machine,
            name: "Bike 1".to_owned(),
            secret_sha256: None,
            bridge: None,
            topics: Vec::new(),
            enabled: true,
        })
    }

    fn lock(target: Option<DeviceKind>) -> Command {
        Command {
            id: LOCK,
            target: target.map(|kind| Target { kind, code: "bike-1".parse().unwrap() }),
            command: "lock".to_owned(),
            args: serde_json::Map::new(),
            ttl_ms: 10_000,
        }
    }

    fn steps(pending: &mut Pending, now_ms: u64, is_online: bool) -> Vec<Step> {
        let find = |target: &Target| (target.code.as_str() == "bike-1").then(bike);
        pending.steps(now_ms, find, |_, _| is_online)
    }

    fn reported(outcome: Outcome) -> Vec<Step> {
        vec![Step::Report(LOCK, CommandReport { outcome, detail: None })]
    }

    #[test]
    fn a_command_waits_for_its_device_and_loses_that_time() {
        let mut pending = Pending::default();
        pending.add(lock(Some(DeviceKind::Machine)), 1_000);

        assert_eq!(steps(&mut pending, 2_000, false), vec![]);
        let published = steps(&mut pending, 4_000, true);

        let [Step::Publish(publish)] = published.as_slice() else { panic!("{published:?}") };
        let message: CommandMessage = serde_json::from_slice(&publish.payload).unwrap();
        assert_eq!(publish.topic, "gymwire/v1/machines/bike-1/commands");
        assert_eq!((message.id, message.ttl_ms, publish.retain), (LOCK, 7_000, false));
    }

    #[test]
    fn a_command_past_its_time_is_never_delivered() {
        let mut pending = Pending::default();
        pending.add(lock(Some(DeviceKind::Machine)), 1_000);

        assert_eq!(steps(&mut pending, 11_000, true), reported(Outcome::Expired));
        assert_eq!(steps(&mut pending, 11_001, true), vec![]);
    }

    #[test]
    fn a_command_that_is_told_again_is_carried_out_once() {
        let mut pending = Pending::default();
        pending.add(lock(Some(DeviceKind::Machine)), 0);
        assert_eq!(steps(&mut pending, 1, true).len(), 1);
        let result = CommandResult { id: LOCK, outcome: Outcome::Done, detail: None };
        pending.answered(BIKE, result);

        let first = steps(&mut pending, 2, true);
        pending.add(lock(Some(DeviceKind::Machine)), 3);
        let again = steps(&mut pending, 4, true);

        assert_eq!(first, reported(Outcome::Done));
        assert_eq!(again, vec![]);
    }

    #[test]
    fn another_device_cannot_answer() {
        let mut pending = Pending::default();
        pending.add(lock(Some(DeviceKind::Machine)), 0);
        steps(&mut pending, 1, true);

        let result = CommandResult { id: LOCK, outcome: Outcome::Done, detail: None };
        pending.answered(DeviceId(Uuid::from_u128(8)), result);

        assert_eq!(steps(&mut pending, 2, true), vec![]);
    }

    #[test]
    fn an_order_to_the_edge_is_carried_out_once_and_may_end_late() {
        let mut pending = Pending::default();
        pending.add(lock(None), 0);
        let begun = steps(&mut pending, 1, true);
        pending.add(lock(None), 2);
        let late = steps(&mut pending, 60_000, true);

        let done = CommandReport { outcome: Outcome::Done, detail: None };
        pending.carried_out(LOCK, done);

        assert_eq!((begun, late), (vec![Step::CarryOut(lock(None))], vec![]));
        assert_eq!(steps(&mut pending, 60_001, true), reported(Outcome::Done));
    }

    #[test]
    fn a_device_that_is_not_there_is_said_so() {
        let mut pending = Pending::default();
        pending.add(lock(Some(DeviceKind::Observer)), 0);
        let said = steps(&mut pending, 1, true);
        assert!(
            matches!(&said[..], [Step::Report(LOCK, report)] if report.outcome == Outcome::Unknown)
        );
    }
}
