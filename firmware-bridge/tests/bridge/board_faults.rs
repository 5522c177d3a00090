//! A board and the bridge's side of it in simulated time: a fault at every place of the line, a kill at every moment.
//! Whatever happens, everything that the board measured is at the agent once.

use firmware_bridge::drivers::board::conversation::{Action, Conversation, Event};
use firmware_bridge::emulators::board::bench::{Bench, Deed};
use firmware_bridge::emulators::board::line::{Arrival, Fault, FaultyLine};
use protocol::machine::reps;
use protocol::mqtt::payloads::{parse_set, parse_telemetry};
use protocol::mqtt::topics::Topic;
use protocol::serial::board::BoardState;
use protocol::serial::board::device::Identity;
use protocol::serial::board::link::Input;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const LATENCY_MS: u64 = 3;
const COMMIT_MS: u64 = 5;
const ACK_MS: u64 = 10;

/// A working line delivers within this time.
const RECOVERED_MS: u64 = 5_000;

const MACHINE: &str = "press-1";

/// Something that will happen.
#[derive(Debug, Clone)]
enum Coming {
    ToHost(Vec<u8>),
    ToBoard(Vec<u8>),
    Event(Fault),
    PlugBack,
    Commit(Topic, Vec<u8>),
    Acked { life: u32, ticket: u64 },
}

/// What the agent has kept.
#[derive(Debug, Default)]
struct Agent {
    seen: BTreeSet<(u32, u64)>,
    set_ids: BTreeSet<String>,
    /// Metres and how late they came.
    samples: Vec<(u64, u64)>,
    /// Repetitions of finished sets.
    sets: Vec<u16>,
}

impl Agent {
    fn commit(&mut self, topic: &Topic, payload: &[u8], now_ms: u64, booted_ms: u64) {
        match topic {
            Topic::MachineTelemetry(_) => {
                for sample in parse_telemetry(payload).unwrap() {
                    if !self.seen.insert((sample.boot.unwrap(), sample.seq)) {
                        continue;
                    }
                    let metres = sample.fields.scaled(protocol::machine::Field::DistanceM);
                    if let Some(metres) = metres {
                        let taken_ms = booted_ms + sample.uptime_ms.unwrap();
                        let late_ms = now_ms.saturating_sub(taken_ms);
                        self.samples.push((metres.unsigned_abs().into(), late_ms));
                    }
                }
            }
            Topic::MachineSet(_) => {
                let set = parse_set(payload).unwrap();
                let is_new_id =
                    set.set_id.is_none_or(|set_id| self.set_ids.insert(set_id.to_string()));
                if self.seen.insert((set.boot.unwrap(), set.seq)) && is_new_id {
                    self.sets.push(set.reps);
                }
            }
            _ => {}
        }
    }
}

struct Scene {
    now_ms: u64,
    bench: Bench,
    host: Conversation,
    life: u32,
    lines: [FaultyLine; 2],
    /// Nothing arrives before this time, by direction.
    free_ms: [u64; 2],
    is_plugged: bool,
    coming: BTreeMap<(u64, u64), Coming>,
    order: u64,
    agent: Agent,
    booted_ms: u64,
    lost_at_reboot: usize,
    happenings: u64,
    /// When bytes got lost, from the first to the last.
    losing_ms: Option<(u64, u64)>,
}

impl Scene {
    fn new(lines: [FaultyLine; 2]) -> Self {
        let identity = Identity { code: MACHINE.into(), firmware: "1".into(), boot: 70 };
        let mut scene = Self {
            now_ms: 0,
            bench: Bench::new(identity),
            host: host(0),
            life: 0,
            lines,
            free_ms: [0; 2],
            is_plugged: true,
            coming: BTreeMap::new(),
            order: 0,
            agent: Agent::default(),
            booted_ms: 0,
            lost_at_reboot: 0,
            happenings: 0,
            losing_ms: None,
        };
        let opened = scene.host.handle(Event::Line(Input::Reopened), Duration::ZERO);
        scene.carry_out(opened);
        let deeds = [
            Deed::State(BoardState::InUse),
            Deed::Row { seconds: 4 },
            Deed::Set { reps: 8 },
            Deed::Lift { reps: 2, weight_cg: 4_000 },
            Deed::Row { seconds: 3 },
        ];
        for deed in deeds {
            let bytes = scene.bench.act(deed, 0);
            scene.write(0, &bytes);
        }
        scene
    }

    fn at(&mut self, ms: u64, coming: Coming) {
        self.order += 1;
        self.coming.insert((ms, self.order), coming);
    }

    /// Puts bytes on the line: 0 to the host, 1 to the board.
    fn write(&mut self, direction: usize, bytes: &[u8]) {
        if !self.is_plugged {
            return;
        }
        let was_losing = self.lines[direction].is_losing();
        let arrivals = self.lines[direction].pass(bytes);
        if was_losing || self.lines[direction].is_losing() {
            let (since_ms, _) = self.losing_ms.unwrap_or((self.now_ms, 0));
            self.losing_ms = Some((since_ms, self.now_ms));
        }
        for arrival in arrivals {
            if let Arrival::Event(Fault::Stall(time)) = arrival {
                self.free_ms[direction] = self.now_ms + millis(time);
                continue;
            }
            let ms = (self.now_ms + LATENCY_MS).max(self.free_ms[direction]);
            let coming = match arrival {
                Arrival::Event(fault) => Coming::Event(fault),
                Arrival::Bytes(bytes) if direction == 0 => Coming::ToHost(bytes),
                Arrival::Bytes(bytes) => Coming::ToBoard(bytes),
            };
            self.at(ms, coming);
        }
    }

    fn host_sees(&mut self, event: Event<'_>) {
        let actions = self.host.handle(event, Duration::from_millis(self.now_ms));
        self.carry_out(actions);
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Write(bytes) => self.write(1, &bytes),
                Action::Deliver { ticket, topic, payload } => {
                    let life = self.life;
                    self.at(self.now_ms + COMMIT_MS, Coming::Commit(topic, payload));
                    self.at(self.now_ms + ACK_MS, Coming::Acked { life, ticket });
                }
                Action::Answered(_) | Action::Answer(_) | Action::Note(_) => {}
            }
        }
    }

    /// Lets the next thing happen.
    fn step(&mut self) {
        self.happenings += 1;
        let wake_ms = millis(self.host.wake_at()).min(self.bench.wake_at_ms()).max(self.now_ms);
        match self.coming.first_key_value() {
            Some((&(ms, _), _)) if ms <= wake_ms => {
                let ((ms, _), coming) = self.coming.pop_first().unwrap();
                self.now_ms = self.now_ms.max(ms);
                self.happen(coming);
            }
            _ => {
                self.now_ms = wake_ms;
                let bytes = self.bench.tick(self.now_ms);
                self.write(0, &bytes);
                self.host_sees(Event::Line(Input::Tick));
            }
        }
    }

    fn happen(&mut self, coming: Coming) {
        match coming {
            Coming::ToHost(bytes) => self.host_sees(Event::Line(Input::Bytes(&bytes))),
            Coming::ToBoard(bytes) => {
                let bytes = self.bench.hear(&bytes, self.now_ms);
                self.write(0, &bytes);
            }
            Coming::Commit(topic, payload) => {
                self.agent.commit(&topic, &payload, self.now_ms, self.booted_ms);
            }
            Coming::Acked { life, ticket } if life == self.life => {
                self.host_sees(Event::Delivered { ticket });
            }
            Coming::PlugBack => self.plug_back(),
            Coming::Event(Fault::Vanish(time)) => {
                self.unplug();
                self.at(self.now_ms + millis(time), Coming::PlugBack);
            }
            Coming::Event(Fault::Reenumerate) => {
                self.unplug();
                self.plug_back();
            }
            Coming::Event(Fault::Reboot) => {
                self.lost_at_reboot = self.bench.device().unacked();
                self.bench.reboot(self.now_ms);
                self.booted_ms = self.now_ms;
            }
            // Of a bridge that was killed; or a fault that is in the bytes.
            Coming::Acked { .. } | Coming::Event(_) => {}
        }
    }

    fn unplug(&mut self) {
        self.is_plugged = false;
        self.coming.retain(|_, coming| !matches!(coming, Coming::ToHost(_) | Coming::ToBoard(_)));
        self.host_sees(Event::Line(Input::Closed));
    }

    fn plug_back(&mut self) {
        self.is_plugged = true;
        self.host_sees(Event::Line(Input::Reopened));
    }

    /// The bridge is killed and starts again; what it had told the agent may have been committed.
    fn kill_bridge(&mut self) {
        self.life += 1;
        self.coming.retain(|_, coming| !matches!(coming, Coming::ToHost(_)));
        self.host = host(self.life);
        self.host_sees(Event::Line(Input::Reopened));
    }

    /// Until everything was done and acked.
    fn run(&mut self) {
        while self.bench.is_busy() || self.bench.device().unacked() > 0 {
            self.step();
            assert!(self.now_ms < 90_000, "unacked after {} ms", self.now_ms);
        }
    }

    fn expect_everything_once(&self, fault_ms: u64, what: &str) {
        let mut metres: Vec<u64> = self.agent.samples.iter().map(|(metres, _)| *metres).collect();
        metres.sort_unstable();
        assert_eq!(metres, [0, 0, 35, 35, 70, 70, 105], "{what}");
        assert_eq!(self.agent.sets, [8, 2], "{what}");
        let latest_ms = self.agent.samples.iter().map(|(_, late_ms)| *late_ms).max().unwrap();
        // On a quiet line it takes a while until so many bytes are lost.
        let losing_ms = self.losing_ms.map_or(0, |(since_ms, until_ms)| until_ms - since_ms);
        let due_ms = RECOVERED_MS + fault_ms + losing_ms;
        assert!(latest_ms <= due_ms, "{what}: {latest_ms} ms late, not {due_ms}");
    }
}

fn host(life: u32) -> Conversation {
    let sets = reps::Settings { pause_ms: 6_000, ..reps::Settings::default() };
    Conversation::new(MACHINE.parse().unwrap(), sets, 1_000 + life)
}

fn millis(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap()
}

/// Bytes that pass in each direction when nothing goes wrong.
fn undisturbed() -> [u64; 2] {
    let mut scene = Scene::new([FaultyLine::default(), FaultyLine::default()]);
    scene.run();
    scene.expect_everything_once(0, "undisturbed");
    scene.lines.map(|line| line.passed())
}

/// Places all over the line; the step has no common factor with the length of any frame. `SOAK` takes every place.
fn places() -> Vec<(usize, u64)> {
    let step = if std::env::var_os("SOAK").is_some() { 1 } else { 11 };
    let lengths = undisturbed();
    let of =
        |direction: usize| (0..lengths[direction]).step_by(step).map(move |at| (direction, at));
    of(0).chain(of(1)).collect()
}

fn with_fault(direction: usize, at: u64, fault: Fault) -> Scene {
    let mut lines = [FaultyLine::default(), FaultyLine::default()];
    lines[direction] = FaultyLine::new([(at, fault)]);
    let mut scene = Scene::new(lines);
    scene.run();
    scene
}

fn everywhere(fault: Fault, fault_ms: u64) {
    for (direction, at) in places() {
        let scene = with_fault(direction, at, fault);
        scene.expect_everything_once(fault_ms, &format!("{fault:?} at {at} of line {direction}"));
    }
}

#[test]
fn bytes_that_get_lost_anywhere_lose_and_double_nothing() {
    everywhere(Fault::Drop(1), 0);
}

#[test]
fn many_bytes_that_get_lost_anywhere_lose_and_double_nothing() {
    everywhere(Fault::Drop(150), 0);
}

#[test]
fn flipped_bits_anywhere_lose_and_double_nothing() {
    everywhere(Fault::Corrupt(0x21), 0);
}

#[test]
fn garbage_anywhere_loses_and_doubles_nothing() {
    everywhere(Fault::Garbage(40), 0);
}

#[test]
fn a_line_that_stalls_anywhere_loses_and_doubles_nothing() {
    everywhere(Fault::Stall(Duration::from_millis(2_500)), 2_500);
}

#[test]
fn a_port_that_vanishes_anywhere_loses_and_doubles_nothing() {
    everywhere(Fault::Vanish(Duration::from_secs(2)), 2_000);
}

#[test]
fn a_port_that_is_enumerated_anew_anywhere_loses_and_doubles_nothing() {
    everywhere(Fault::Reenumerate, 0);
}

#[test]
fn a_board_that_restarts_anywhere_loses_only_what_it_had_not_got_rid_of() {
    for (direction, at) in places() {
        let scene = with_fault(direction, at, Fault::Reboot);
        let what = format!("reboot at {at} of line {direction}");
        let samples = scene.agent.samples.len();
        assert!(samples <= 7 && samples + scene.lost_at_reboot >= 7, "{what}: {samples}");
        let reps: u16 = scene.agent.sets.iter().sum();
        assert!(reps <= 10, "{what}: {:?}", scene.agent.sets);
        let told = scene.agent.sets.iter().filter(|reps| **reps == 8).count();
        assert!(told + scene.lost_at_reboot >= 1, "{what}");
    }
}

#[test]
fn a_bridge_that_is_killed_at_any_moment_loses_and_doubles_nothing() {
    let mut undisturbed = Scene::new([FaultyLine::default(), FaultyLine::default()]);
    undisturbed.run();

    for kill in (0..undisturbed.happenings).step_by(7) {
        let mut scene = Scene::new([FaultyLine::default(), FaultyLine::default()]);
        for _ in 0..kill {
            scene.step();
        }
        scene.kill_bridge();
        scene.run();
        scene.expect_everything_once(0, &format!("killed at {kill}"));
    }
}
