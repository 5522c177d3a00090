//! A door with a relay in memory: what is switched, when, and what is answered.

use super::*;
use crate::clock::Clock;
use crate::queue::{Outbox, Queue, QueueConfig};
use protocol::credential::Credential;
use protocol::ids::TapId;
use protocol::mqtt::payloads::{DecisionAction, parse_result};
use protocol::sync::entry::CommandResult;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use uuid::Uuid;

/// What a relay did, and when.
type Switched = Arc<Mutex<Vec<(bool, Duration)>>>;

/// A relay in memory.
#[derive(Debug, Clone)]
struct Memory {
    origin: Instant,
    switched: Switched,
    is_broken: Arc<AtomicBool>,
}

struct MemoryLine(Memory);

impl Wire for Memory {
    type Line = MemoryLine;

    async fn open(&self) -> io::Result<MemoryLine> {
        Ok(MemoryLine(self.clone()))
    }
}

impl Line for MemoryLine {
    async fn set(&mut self, is_on: bool) -> io::Result<()> {
        if self.0.is_broken.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.0.note(is_on);
        Ok(())
    }

    async fn gone(&mut self) -> io::Error {
        std::future::pending().await
    }
}

impl Drop for MemoryLine {
    fn drop(&mut self) {
        self.0.note(false);
    }
}

impl Memory {
    fn new() -> Self {
        Self { origin: Instant::now(), switched: Switched::default(), is_broken: Arc::default() }
    }

    /// Changes only: off twice is off.
    fn note(&self, is_on: bool) {
        let mut switched = self.switched.lock().unwrap();
        if switched.last().map_or(is_on, |(was_on, _)| *was_on != is_on) {
            switched.push((is_on, self.origin.elapsed()));
        }
    }

    fn changes(&self) -> Vec<(bool, u64)> {
        let switched = self.switched.lock().unwrap();
        let millis = |time: &Duration| u64::try_from(time.as_millis()).unwrap();
        switched.iter().map(|(is_on, at)| (*is_on, millis(at))).collect()
    }
}

struct Scene {
    folder: TempDir,
    desk: Desk,
    relay: Memory,
    green: Memory,
    stop: CancellationToken,
    task: JoinSet<()>,
}

impl Scene {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let config = QueueConfig { path: folder.path().join("queue"), max_bytes: 1 << 20 };
        let outbox = Outbox::start(Queue::open(&config).unwrap()).unwrap();
        let desk = Desk::new(Clock::manual(Uuid::from_u128(1), 100_000), outbox);
        let (relay, green) = (Memory::new(), Memory::new());
        let limits = Limits {
            open: Duration::from_secs(3),
            max_open: Duration::from_secs(10),
            hold: Duration::from_mins(1),
            max_hold: Duration::from_mins(10),
        };
        let wires = Wires {
            relay: ("relay".into(), relay.clone()),
            lamps: vec![(Lamp::Green, "green".into(), green.clone())],
        };
        let (stop, mut task) = (CancellationToken::new(), JoinSet::new());
        let (door, its_desk, its_stop) = (reader(), desk.clone(), stop.clone());
        task.spawn(async move { serve(&[door], limits, wires, its_desk, its_stop).await });
        // The door takes its mailbox and finds its relay.
        tokio::time::sleep(Duration::from_millis(1)).await;
        Self { folder, desk, relay, green, stop, task }
    }

    fn say(&self, word: Word, age_ms: u32) {
        let mail = Mail { word, arrived: self.desk.clock.now(), age_ms };
        assert_eq!(self.desk.inbox.post(&Place::reader(&reader()), mail), None);
    }

    async fn tap(&self) -> TapId {
        let qr = Credential::Qr { code: "G1".into() };
        self.desk.tap(&reader(), &qr, self.desk.clock.now()).await
    }

    /// Waits, on the paused clock, long enough for everything to be over.
    async fn minutes(&self, count: u64) {
        tokio::time::sleep(Duration::from_mins(count)).await;
    }

    /// The results in the queue, once there are so many.
    async fn results(&self, count: usize) -> Vec<CommandResult> {
        loop {
            let entries = self.desk.outbox.after(0, 100).await.unwrap();
            let results = entries.iter().filter(|entry| entry.topic.ends_with("/results"));
            let results: Vec<_> =
                results.map(|entry| parse_result(&entry.payload).unwrap()).collect();
            if results.len() >= count {
                return results;
            }
        }
    }
}

fn reader() -> Code {
    "door".parse().unwrap()
}

fn granted(tap_id: TapId) -> Word {
    Word::Decision(DecisionMessage {
        tap_id,
        outcome: DecisionOutcome::Granted,
        action: DecisionAction::CheckIn,
        reason: "granted".into(),
        display: "Hello".into(),
        open_door_ms: None,
        valid_ms: 2_000,
    })
}

fn command(id: u128, word: &str, for_ms: Option<u64>) -> Word {
    let args = for_ms.map(|ms| ("for_ms".to_owned(), ms.into())).into_iter().collect();
    let id = CommandId(Uuid::from_u128(id));
    Word::Command(CommandMessage { id, command: word.into(), args, ttl_ms: 5_000 })
}

#[tokio::test(start_paused = true)]
async fn a_granted_tap_opens_for_its_time_and_shows_green() {
    let scene = Scene::start().await;
    let tap = scene.tap().await;
    let began = u64::try_from(scene.relay.origin.elapsed().as_millis()).unwrap();

    scene.say(granted(tap), 100);
    scene.minutes(1).await;

    assert_eq!(scene.relay.changes(), [(true, began), (false, began + 3_000)]);
    assert_eq!(scene.green.changes(), [(true, began), (false, began + 2_000)]);
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_is_late_or_not_for_our_tap_never_moves_the_relay() {
    let scene = Scene::start().await;
    let tap = scene.tap().await;

    scene.say(granted(tap), 2_001);
    scene.say(granted(TapId(Uuid::from_u128(5))), 0);
    let second = scene.tap().await;
    scene.desk.clock.set(105_001);
    scene.say(granted(second), 0);
    scene.minutes(1).await;

    assert_eq!(scene.relay.changes(), []);
    assert_eq!(scene.green.changes(), []);
}

#[tokio::test(start_paused = true)]
async fn orders_are_carried_out_and_answered() {
    let scene = Scene::start().await;
    let at = || u64::try_from(scene.relay.origin.elapsed().as_millis()).unwrap();

    let began = at();
    scene.say(command(1, "hold_open", Some(30_000)), 0);
    let held = scene.results(1).await;
    let closed = at();
    scene.say(command(2, "lock", None), 0);
    let locked = scene.results(2).await;
    scene.minutes(1).await;

    assert_eq!(scene.relay.changes(), [(true, began), (false, closed)]);
    assert_eq!(held[0].outcome, Outcome::Done);
    assert_eq!(held[0].detail.as_deref(), Some("open for 30.0 s"));
    assert_eq!(locked[1].outcome, Outcome::Done);
}

#[tokio::test(start_paused = true)]
async fn a_bad_argument_fails_and_moves_nothing() {
    let scene = Scene::start().await;
    let Word::Command(mut bad) = command(1, "open", None) else { panic!("no command") };
    bad.args.insert("for_ms".into(), "long".into());

    scene.say(Word::Command(bad), 0);
    let results = scene.results(1).await;

    assert_eq!(results[0].outcome, Outcome::Failed);
    assert_eq!(scene.relay.changes(), []);
}

#[tokio::test(start_paused = true)]
async fn a_stop_switches_an_open_door_off() {
    let mut scene = Scene::start().await;
    scene.say(command(1, "hold_open", None), 0);
    scene.results(1).await;

    scene.stop.cancel();
    scene.task.join_next().await.unwrap().unwrap();

    assert_eq!(scene.relay.changes().last().map(|(is_on, _)| *is_on), Some(false));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_dies_leaves_the_relay_off() {
    let mut scene = Scene::start().await;
    scene.say(command(1, "hold_open", None), 0);
    scene.results(1).await;

    scene.task.shutdown().await;
    scene.minutes(1).await;

    assert_eq!(scene.relay.changes().last().map(|(is_on, _)| *is_on), Some(false));
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_fails_is_off_and_orders_fail_until_it_is_back() {
    let scene = Scene::start().await;
    scene.relay.is_broken.store(true, Ordering::Relaxed);
    scene.say(command(1, "open", None), 0);
    let failed = scene.results(1).await;
    scene.relay.is_broken.store(false, Ordering::Relaxed);
    scene.minutes(1).await;

    scene.say(command(2, "open", None), 0);
    let done = scene.results(2).await;

    assert_eq!(failed[0].outcome, Outcome::Failed);
    assert_eq!(done[1].outcome, Outcome::Done);
    assert!(scene.folder.path().exists());
}

#[tokio::test(start_paused = true)]
async fn what_comes_to_the_relay_after_its_time_switches_nothing() {
    let memory = Memory::new();
    let (pulses, asked) = mpsc::channel(1);
    let (working, _is_working) = watch::channel(Err(String::new()));
    let mut task = JoinSet::new();
    task.spawn(relay::run(memory.clone(), "relay".into(), memory.origin, asked, working));
    tokio::time::sleep(Duration::from_millis(101)).await;
    let ask = async |not_after_ms| {
        let (done, answered) = oneshot::channel();
        let (until, not_after) =
            (Some(Duration::from_secs(3)), Duration::from_millis(not_after_ms));
        pulses.send(Pulse { until, not_after, done }).await.unwrap();
        answered.await.unwrap()
    };

    assert_eq!(ask(100).await, Err(Undone::Late));
    assert_eq!(memory.changes(), []);
    assert_eq!(ask(101).await, Ok(()));
    assert_eq!(memory.changes(), [(true, 101)]);
}
