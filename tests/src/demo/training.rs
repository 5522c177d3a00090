//! Members who train: let in at the gate, they hold their card to the reader on a machine, and again when they leave it.
//! The readers speak MQTT themselves.

use super::members;
use super::seeded::{Member, Seeded};
use super::system::System;
use super::tally::Tally;
use crate::cloud::Cloud;
use crate::edge::Ports;
use crate::gym::Kind;
use crate::mqtt::{Connection, Login};
use crate::seed::Seed;
use anyhow::{Context as _, Result, ensure};
use protocol::credential::Credential;
use protocol::ids::TapId;
use protocol::mqtt::payloads::{DecisionAction, DecisionMessage, tap_json};
use protocol::rules::{DOOR_REPEAT_MS, MACHINE_REPEAT_MS};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The reader that those who train come in by.
const GATE: &str = "gate-1";
/// So many members train, each at a machine of their own.
pub const COUNT: usize = 6;
/// How long the branch may take to answer a tap.
const PATIENCE: Duration = Duration::from_secs(10);

/// Readers at the gate and on machines.
#[derive(Debug, Clone)]
pub struct Readers {
    gate: Login,
    /// Machine, and the reader on it.
    on_machines: Vec<(String, Login)>,
}

/// Adds the readers to the cloud's registry: at the gate, and on machines where sets are done.
pub async fn register(cloud: &Cloud, seeded: &Seeded) -> Result<Readers> {
    let gate = register_one(cloud, GATE, &[]).await?;
    let machines = seeded.machines().filter(|device| device.simulated() == Kind::Strength);
    let mut on_machines = Vec::new();
    for machine in machines.take(COUNT) {
        let code = format!("at-{}", machine.code);
        let login = register_one(cloud, &code, &["--machine", &machine.code]).await?;
        on_machines.push((machine.code.clone(), login));
    }
    Ok(Readers { gate, on_machines })
}

async fn register_one(cloud: &Cloud, code: &str, more: &[&str]) -> Result<Login> {
    let arguments = [&["create-reader", code, "--json"], more].concat();
    let made: Value = serde_json::from_str(&cloud.admin(&arguments).await?)?;
    let secret = made["secret"].as_str().context("create-reader prints no secret")?;
    Ok(Login { user: code.to_owned(), password: Some(secret.to_owned()) })
}

/// Everybody who trains, until the gym closes; nobody keeps a machine then.
pub async fn train(
    system: &System,
    tally: &Arc<Tally>,
    seed: &Seed,
    closed: &CancellationToken,
) -> Result<()> {
    let ports = system.edge.ports();
    let mut gate = Reader::connect(ports, &system.readers.gate).await?;
    let mut training = JoinSet::new();
    for (number, (member, (machine, login))) in (0..).zip(pairs(system)) {
        let card = member.card_number()?;
        gate.tap(tally, &card, DecisionAction::CheckIn).await?;
        let reader = Reader::connect(ports, login).await?;
        let trainer = Trainer { card, machine: machine.clone(), reader, came: Instant::now() };
        training.spawn(trainer.work_out(Arc::clone(tally), seed.part(number), closed.clone()));
    }
    while let Some(ended) = training.join_next().await {
        let trainer = ended??;
        // Who has come in just now would be taken for having tapped twice.
        if trainer.came.elapsed() > milliseconds(DOOR_REPEAT_MS) {
            gate.tap(tally, &trainer.card, DecisionAction::CheckOut).await?;
        }
    }
    Ok(())
}

fn pairs(system: &System) -> impl Iterator<Item = (&Member, &(String, Login))> {
    system.seeded.trainers().zip(&system.readers.on_machines)
}

/// Somebody inside, with a machine of their own.
struct Trainer {
    card: Vec<u8>,
    machine: String,
    reader: Reader,
    came: Instant,
}

impl Trainer {
    /// Takes the machine, trains, leaves it, rests, and so on until the gym closes.
    async fn work_out(
        mut self,
        tally: Arc<Tally>,
        mut seed: Seed,
        closed: CancellationToken,
    ) -> Result<Self> {
        let repeat_ms = MACHINE_REPEAT_MS.unsigned_abs();
        let mut pause = Duration::from_millis(seed.between(100, 1_500));
        loop {
            tokio::select! {
                () = closed.cancelled() => return Ok(self),
                () = sleep(pause) => {}
            }
            self.reader.tap(&tally, &self.card, DecisionAction::Link).await?;
            tally.lent(&self.machine);
            let earliest = Instant::now() + Duration::from_millis(repeat_ms + 500);
            let leaves = earliest + Duration::from_millis(seed.between(500, 8_000));
            tokio::select! {
                () = closed.cancelled() => {}
                () = sleep_until(leaves) => {}
            }
            // A second tap too soon would be taken for the first one.
            sleep_until(earliest).await;
            tally.leaves(&self.machine);
            self.reader.tap(&tally, &self.card, DecisionAction::Unlink).await?;
            pause = Duration::from_millis(repeat_ms + seed.between(500, 3_000));
        }
    }
}

/// A reader's connection.
struct Reader {
    code: String,
    connection: Connection,
    ops: SocketAddr,
}

impl Reader {
    async fn connect(ports: Ports, login: &Login) -> Result<Self> {
        let mut connection = Connection::open(ports.mqtt, login).await.context("a reader")?;
        let code = login.user.clone();
        connection.subscribe(&format!("gymwire/v1/readers/{code}/decision")).await?;
        Ok(Self { code, connection, ops: ports.ops })
    }

    /// Somebody holds a card to it, and it has to come to this.
    async fn tap(&mut self, tally: &Tally, card: &[u8], wanted: DecisionAction) -> Result<()> {
        let _turn = tally.turn().await;
        let before = members::decisions(self.ops).await;
        let tap_id = TapId(Uuid::new_v4());
        let payload = tap_json(tap_id, &Credential::NfcUid { uid: card.to_vec() }, 0);
        let topic = format!("gymwire/v1/readers/{}/tap", self.code);
        self.connection.queue(&topic, &payload, 1, false);
        self.connection.flush().await?;
        self.connection.acks().await?;
        tally.let_in();
        loop {
            let told = timeout(PATIENCE, self.connection.receive()).await;
            let told = told.with_context(|| format!("{} got no decision", self.code))??;
            let decision: DecisionMessage = serde_json::from_slice(&told.payload)?;
            if decision.tap_id == tap_id {
                let (action, reason) = (decision.action, decision.reason);
                ensure!(action == wanted, "{}: {action:?} ({reason}), not {wanted:?}", self.code);
                members::decided(self.ops, before).await;
                return Ok(());
            }
        }
    }
}

fn milliseconds(ms: i64) -> Duration {
    Duration::from_millis(ms.unsigned_abs())
}
