//! An emulated board on its pseudo terminal, through everything that `run` starts, to the broker.

use crate::broker::{Answer, Broker, OK};
use crate::{bare, until};
use firmware_bridge::config::{BoardConfig, Config};
use firmware_bridge::emulators::board::Board;
use firmware_bridge::emulators::board::bench::Deed;
use firmware_bridge::supervisor;
use protocol::mqtt::payloads::{SetPayload, parse_set};
use protocol::serial::board::BoardState;
use protocol::serial::board::device::Identity;
use protocol::sync::entry::Outcome;
use rumqttc::v5::mqttbytes::v5::Publish;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const STATUS: &str = "gymwire/v1/machines/press-1/status";
const SET: &str = "gymwire/v1/machines/press-1/set";
const COMMANDS: &str = "gymwire/v1/machines/press-1/commands";

struct Branch {
    folder: TempDir,
    broker: Broker,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Branch {
    async fn open(decide: impl FnMut(&Publish) -> Answer + Send + 'static) -> Self {
        let folder = TempDir::new().unwrap();
        let broker = Broker::start(decide).await;
        let tasks = bridge(&port(folder.path()), folder.path(), broker.port);
        Self { folder, broker, tasks }
    }

    fn plug_in(&self, code: &str) -> Board {
        let identity = Identity { code: code.into(), firmware: "1.2.3".into(), boot: 99 };
        Board::plug_in(&port(self.folder.path()), identity).unwrap()
    }

    async fn status_is(&self, what: &str, is: impl Fn(&Value) -> bool) {
        until(what, || self.broker.retained(STATUS).is_some_and(|status| is(&status))).await;
    }

    fn sets(&self) -> Vec<SetPayload> {
        let log = self.broker.log.lock().unwrap();
        let sets = log.publishes.iter().filter(|publish| publish.topic == SET);
        sets.map(|publish| parse_set(&publish.payload).unwrap()).collect()
    }
}

fn port(folder: &Path) -> PathBuf {
    folder.join("usb-press")
}

fn bridge(port: &Path, folder: &Path, broker: u16) -> JoinSet<anyhow::Result<()>> {
    let board = BoardConfig {
        code: "press-1".parse().unwrap(),
        port: port.to_owned(),
        baud: 115_200,
        set_pause_s: 10,
        min_rom_mm: 100,
    };
    let config = Config { board: vec![board], ..bare(folder, broker) };
    supervisor::start(config, &CancellationToken::new()).unwrap()
}

fn command(id: u128, command: &str, args: &Value) -> Value {
    json!({ "id": Uuid::from_u128(id), "command": command, "args": args, "ttl_ms": 10_000 })
}

#[tokio::test]
async fn what_a_board_measures_and_how_it_is_reach_the_agent_and_leave_its_memory() {
    let branch = Branch::open(|_| OK).await;
    let board = branch.plug_in("press-1");

    board.act(Deed::State(BoardState::InUse)).await;
    board.act(Deed::Row { seconds: 2 }).await;
    board.act(Deed::Set { reps: 12 }).await;
    let mut shown = board.shown();
    until("the set", || branch.sets().len() == 1).await;
    shown.wait_for(|shown| shown.unacked == 0 && !shown.is_busy).await.unwrap();

    let set = &branch.sets()[0];
    assert_eq!((set.reps, set.boot), (12, Some(99)));
    branch
        .status_is("the state", |status| {
            status["state"] == "in_use" && status["firmware"] == "1.2.3"
        })
        .await;
    let log = branch.broker.log.lock().unwrap();
    let samples = log.publishes.iter().filter(|publish| publish.topic.ends_with("/telemetry"));
    assert_eq!(samples.count(), 2);
}

#[tokio::test]
async fn the_board_keeps_a_set_until_the_agent_has_acked_it_also_over_a_kill_of_the_bridge() {
    let is_ready = Arc::new(AtomicBool::new(false));
    let ready = is_ready.clone();
    let decide = move |publish: &Publish| {
        let is_set = publish.topic.ends_with(b"/set");
        if is_set && !ready.load(Ordering::Relaxed) { Answer::Nothing } else { OK }
    };
    let mut branch = Branch::open(decide).await;
    let board = branch.plug_in("press-1");
    board.act(Deed::Set { reps: 5 }).await;
    until("the set", || branch.sets().len() == 1).await;
    board.shown().wait_for(|shown| shown.unacked == 1).await.unwrap();

    branch.tasks.shutdown().await;
    is_ready.store(true, Ordering::Relaxed);
    let second = TempDir::new().unwrap();
    let port = port(branch.folder.path());
    branch.tasks = bridge(&port, second.path(), branch.broker.port);
    board.shown().wait_for(|shown| shown.unacked == 0).await.unwrap();

    let sets: Vec<_> = branch.sets().iter().map(|set| (set.boot, set.seq, set.reps)).collect();
    assert_eq!(sets, [(Some(99), 1, 5); 2]);
}

#[tokio::test]
async fn a_board_with_another_code_is_refused_and_staff_are_told() {
    let branch = Branch::open(|_| OK).await;
    let board = branch.plug_in("row-7");
    board.act(Deed::Set { reps: 5 }).await;

    branch
        .status_is("the refusal", |status| {
            status["state"] == "offline"
                && status["error"].as_str().is_some_and(|error| error.contains("row-7"))
        })
        .await;

    board.shown().wait_for(|shown| shown.unacked == 1).await.unwrap();
    assert!(branch.sets().is_empty());
}

#[tokio::test]
async fn a_command_reaches_the_board_once_and_its_result_the_agent() {
    let branch = Branch::open(|_| OK).await;
    let board = branch.plug_in("press-1");
    branch.broker.hears(COMMANDS).await;
    branch.status_is("the board", |status| status["state"] == "idle").await;

    branch.broker.say(COMMANDS, command(1, "lock", &json!({}))).await;
    branch.broker.say(COMMANDS, command(2, "display", &json!({ "text": "Hello, Ada" }))).await;
    until("both results", || branch.broker.results().len() == 2).await;

    let outcomes: Vec<Outcome> =
        branch.broker.results().iter().map(|result| result.outcome).collect();
    assert_eq!(outcomes, [Outcome::Done, Outcome::Done]);
    let commands = board.shown().borrow().commands.clone();
    assert_eq!(
        commands,
        [("lock".to_owned(), None), ("display".to_owned(), Some("Hello, Ada".to_owned()))]
    );
}

#[tokio::test]
async fn a_board_that_is_pulled_out_and_put_back_goes_on_where_it_was() {
    let branch = Branch::open(|_| OK).await;
    let board = branch.plug_in("press-1");
    branch.status_is("the board", |status| status["state"] == "idle").await;

    board.unplug().await;
    branch.status_is("its absence", |status| status["state"] == "offline").await;
    board.act(Deed::Set { reps: 6 }).await;
    board.plug_back().await;
    board.shown().wait_for(|shown| shown.unacked == 0 && !shown.is_busy).await.unwrap();
    until("the set", || branch.sets().len() == 1).await;

    assert_eq!(branch.sets()[0].reps, 6);
    branch.status_is("the board again", |status| status["state"] == "idle").await;
}
