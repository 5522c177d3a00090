//! From emulated consoles on their pseudo terminals to the broker, through everything that `run` starts.

use crate::broker::{Broker, OK};
use crate::{agent, until};
use firmware_bridge::emulators::csafe::{Happening, Kind, Make, serve};
use firmware_bridge::supervisor;
use protocol::machine::{Field, Sample};
use protocol::mqtt::payloads::parse_telemetry;
use protocol::sync::entry::Outcome;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const COMMANDS: &str = "gymwire/v1/machines/row-1/commands";

/// A bridge with one console.
struct Gym {
    folder: TempDir,
    broker: Broker,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Gym {
    /// The console is asked five times a second, so that tests need not wait.
    async fn open(quirks: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let broker = Broker::start(|_| OK).await;
        let built_in = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("src/drivers/csafe/quirks/{quirks}.toml"));
        let text = std::fs::read_to_string(built_in).unwrap();
        let file = folder.path().join("hasty.toml");
        std::fs::write(&file, format!("{text}\npoll_ms = 200\n")).unwrap();
        let keys = json!({
            "agent": agent(folder.path(), broker.port),
            "queue": { "path": folder.path().join("queue") },
            "csafe": [{ "code": "row-1", "port": port(folder.path()), "quirks": file }],
        });
        let config = serde_json::from_value(keys).unwrap();
        let tasks = supervisor::start(config, &CancellationToken::new()).unwrap();
        Self { folder, broker, tasks }
    }

    fn plug_in(&mut self, make: Make) -> mpsc::Sender<Happening> {
        let (happen, happenings) = mpsc::channel(8);
        let link = port(self.folder.path());
        self.tasks.spawn(async move { Ok(serve(&link, make, happenings).await?) });
        happen
    }

    fn samples(&self) -> Vec<Sample> {
        let log = self.broker.log.lock().unwrap();
        let telemetry =
            log.publishes.iter().filter(|publish| publish.topic.ends_with("row-1/telemetry"));
        telemetry.flat_map(|publish| parse_telemetry(&publish.payload).unwrap()).collect()
    }

    async fn has(&self, count: usize) {
        until("samples", || self.samples().len() >= count).await;
    }

    async fn is(&self, state: &str) {
        let is = || self.status().is_some_and(|status| status["state"] == state);
        until(state, is).await;
    }

    fn status(&self) -> Option<Value> {
        self.broker.retained("gymwire/v1/machines/row-1/status")
    }
}

fn port(folder: &Path) -> PathBuf {
    folder.join("usb-console")
}

fn command(id: u128, word: &str, ttl_ms: u64) -> Value {
    json!({ "id": Uuid::from_u128(id), "command": word, "args": {}, "ttl_ms": ttl_ms })
}

#[tokio::test]
async fn what_a_console_measures_becomes_numbered_samples_of_its_machine() {
    let mut gym = Gym::open("rower").await;
    let happen = gym.plug_in(Make::of(Kind::Rower));
    gym.is("idle").await;

    happen.send(Happening::Begin).await.unwrap();
    gym.is("in_use").await;
    let before = gym.samples().len();
    gym.has(before + 5).await;

    let samples = gym.samples();
    let numbers: Vec<u64> = samples.iter().map(|sample| sample.seq).collect();
    assert_eq!(numbers, (1..=samples.len() as u64).collect::<Vec<_>>());
    assert!(samples.iter().all(|sample| sample.boot == samples[0].boot && sample.boot.is_some()));
    assert!(samples.is_sorted_by_key(|sample| sample.uptime_ms.unwrap()));
    let last = samples.last().unwrap().fields;
    assert!(last.value(Field::StrokeRateSpm).unwrap() > 10.0);
    assert!(
        last.value(Field::SpeedMps).unwrap() > 1.0 && last.value(Field::PowerW).unwrap() > 20.0
    );
    assert_eq!(gym.status().unwrap()["firmware"], "CSAFE 14/1/42 1.3");
}

#[tokio::test]
async fn a_pause_the_end_and_the_next_member_are_seen_without_touching_anything() {
    let mut gym = Gym::open("bike").await;
    let happen = gym.plug_in(Make::of(Kind::Bike));
    gym.is("idle").await;

    for (happening, state) in [
        (Happening::Begin, "in_use"),
        (Happening::Pause, "paused"),
        (Happening::Finish, "finished"),
        (Happening::Leave, "idle"),
        (Happening::Press, "in_use"),
    ] {
        happen.send(happening).await.unwrap();
        gym.is(state).await;
    }
    gym.has(1).await;

    let boots: BTreeSet<_> = gym.samples().iter().map(|sample| sample.boot).collect();
    assert_eq!(boots.len(), 1);
}

#[tokio::test]
async fn a_console_that_is_pulled_out_and_put_back_goes_on() {
    let mut gym = Gym::open("rower").await;
    gym.is("offline").await;
    let happen = gym.plug_in(Make::of(Kind::Rower));
    happen.send(Happening::Begin).await.unwrap();
    gym.is("in_use").await;
    gym.has(2).await;

    happen.send(Happening::Unplug).await.unwrap();
    gym.is("offline").await;
    let before = gym.samples().len();
    happen.send(Happening::Plug).await.unwrap();
    gym.is("in_use").await;
    gym.has(before + 2).await;

    let numbers: Vec<u64> = gym.samples().iter().map(|sample| sample.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_reset_is_carried_out_once_and_what_a_console_cannot_do_is_unknown() {
    let mut gym = Gym::open("treadmill").await;
    let happen = gym.plug_in(Make::of(Kind::Treadmill));
    happen.send(Happening::Begin).await.unwrap();
    gym.is("in_use").await;
    gym.broker.hears(COMMANDS).await;

    gym.broker.say(COMMANDS, command(1, "lock", 5_000)).await;
    gym.broker.say(COMMANDS, command(2, "reset", 5_000)).await;
    until("both results", || gym.broker.results().len() == 2).await;
    gym.is("idle").await;

    let outcome = |id| {
        let results = gym.broker.results();
        results.iter().find(|result| result.id.0 == Uuid::from_u128(id)).unwrap().outcome
    };
    assert_eq!((outcome(1), outcome(2)), (Outcome::Unknown, Outcome::Done));
}

#[tokio::test]
async fn a_reset_without_a_console_fails() {
    let gym = Gym::open("treadmill").await;
    gym.is("offline").await;
    gym.broker.hears(COMMANDS).await;

    gym.broker.say(COMMANDS, command(1, "reset", 5_000)).await;
    until("the result", || !gym.broker.results().is_empty()).await;

    let result = gym.broker.results().remove(0);
    assert_eq!(result.outcome, Outcome::Failed);
    assert_eq!(result.detail.as_deref(), Some("the console does not answer"));
}
