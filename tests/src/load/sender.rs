//! One device: what it sends, and what it keeps until it is acked.

use crate::ledger::Ledger;
use crate::mqtt::{Connection, Login};
use anyhow::{Result, ensure};
use protocol::machine::{Field, Sample};
use protocol::mqtt::payloads::telemetry_json;
use serde_json::json;
use std::collections::VecDeque;
use std::net::SocketAddr;
use uuid::Uuid;

/// Unacked messages at a time.
const WINDOW: usize = 50;
/// Every so many messages of a machine one is a finished set.
const SET_EVERY: u64 = 40;

/// What a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Sends samples, and sets between them.
    Machine,
    /// Sends taps.
    Reader,
}

/// A device with its memory of what is not acked.
#[derive(Debug)]
pub struct Sender {
    /// What it has sent and got acks for.
    pub ledger: Ledger,
    role: Role,
    login: Login,
    boot: u32,
    last_seq: u64,
    pending: VecDeque<u64>,
}

impl Sender {
    /// A device that has just booted.
    pub fn new(role: Role, login: Login, boot: u32) -> Self {
        let ledger = Ledger::default();
        Self { ledger, role, login, boot, last_seq: 0, pending: VecDeque::new() }
    }

    /// Messages that were sent and not acked.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Connects, sends again what was not acked, then up to `count` new messages, until all are acked or the
    /// connection is lost. `on_ack` is told of every ack.
    pub async fn run(
        &mut self,
        edge: SocketAddr,
        count: u64,
        mut on_ack: impl FnMut(),
    ) -> Result<()> {
        let mut connection = Connection::open(edge, &self.login).await?;
        for seq in self.pending.clone() {
            self.queue(&mut connection, seq, true);
        }
        let last = self.last_seq + count;
        loop {
            while self.last_seq < last && connection.unacked() < WINDOW {
                self.last_seq += 1;
                self.pending.push_back(self.last_seq);
                self.ledger.sent.add(&self.login.user, self.boot, self.last_seq);
                self.queue(&mut connection, self.last_seq, false);
            }
            if self.pending.is_empty() {
                return connection.close().await;
            }
            connection.flush().await?;
            for ack in connection.acks().await? {
                let first = self.pending.pop_front();
                ensure!(first == Some(ack.message), "{} was acked before {first:?}", ack.message);
                self.ledger.acked.add(&self.login.user, self.boot, ack.message);
                on_ack();
            }
        }
    }

    fn queue(&self, connection: &mut Connection, seq: u64, dup: bool) {
        let (leaf, payload) = match self.role {
            Role::Reader => ("tap", tap(self.boot, seq)),
            Role::Machine if seq.is_multiple_of(SET_EVERY) => ("set", set(self.boot, seq)),
            Role::Machine => ("telemetry", sample(self.boot, seq)),
        };
        let folder = if self.role == Role::Reader { "readers" } else { "machines" };
        let topic = format!("gymwire/v1/{folder}/{}/{leaf}", self.login.user);
        connection.queue(&topic, &payload, seq, dup);
    }
}

#[expect(clippy::cast_precision_loss, reason = "a small number")]
fn sample(boot: u32, seq: u64) -> Vec<u8> {
    let mut sample =
        Sample { seq, boot: Some(boot), uptime_ms: Some(seq * 10), ..Sample::default() };
    sample.fields.set(Field::PowerW, (seq % 400) as f64);
    sample.fields.set(Field::DistanceM, seq as f64 / 10.0);
    telemetry_json(&[sample])
}

fn set(boot: u32, seq: u64) -> Vec<u8> {
    json!({"seq": seq, "boot": boot, "reps": 10, "weight_kg": 42.5}).to_string().into_bytes()
}

/// The code holds boot and number, so that the ledger knows it again in the database.
fn tap(boot: u32, seq: u64) -> Vec<u8> {
    let tap_id = Uuid::from_u64_pair(u64::from(boot) << 32 | 0x7000, 0x8000_0000_0000_0000 | seq);
    json!({
        "tap_id": tap_id, "credential": {"kind": "qr", "code": format!("tap-{boot}-{seq}")}, "age_ms": 0,
    })
    .to_string()
    .into_bytes()
}
