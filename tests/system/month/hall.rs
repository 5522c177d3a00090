//! The bridges of the gym: they publish for its readers and machines, and keep what is not acked over whatever happens to
//! the agent.

use super::script::{Act, CLOSES_MIN, DAY_MIN, OPENS_MIN, Scale};
use anyhow::{Result, ensure};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::SocketAddr;
use tests::mqtt::{Connection, Login};
use uuid::Uuid;

/// Samples of one message.
const MESSAGE: u32 = 300;
/// The number of the boot of every machine: they have batteries.
const BOOT: u32 = 7;
/// Messages of one bridge on their way; the agent takes up to 1 000.
const WINDOW: usize = 400;

/// One bridge, with what is not acked.
struct Bridge {
    login: Login,
    line: Option<Connection>,
    pending: VecDeque<(u64, String, Vec<u8>)>,
}

/// All of them.
pub struct Hall {
    scale: Scale,
    bridges: Vec<Bridge>,
    next: u64,
    /// The last sample of every machine; they are the same for all.
    pub samples: u64,
    set_seqs: Vec<u64>,
}

impl Hall {
    pub fn new(scale: Scale, logins: Vec<Login>) -> Self {
        let bridge = |login| Bridge { login, line: None, pending: VecDeque::new() };
        let bridges = logins.into_iter().map(bridge).collect();
        let set_seqs = vec![0; scale.machines as usize];
        Self { scale, bridges, next: 0, samples: 0, set_seqs }
    }

    /// Which bridge speaks for a machine and its reader.
    pub fn bridge_of(machine: u32, scale: Scale, bridges: u32) -> u32 {
        machine * bridges / scale.machines
    }

    /// Connects, and sends again what was not acked.
    pub async fn connect(&mut self, agent: SocketAddr) -> Result<()> {
        for bridge in &mut self.bridges {
            let mut line = Connection::open(agent, &bridge.login).await?;
            for (number, topic, payload) in &bridge.pending {
                line.queue(topic, payload, *number, true);
            }
            bridge.line = Some(line);
        }
        self.settle().await
    }

    /// The lines are dead.
    pub fn cut(&mut self) {
        for bridge in &mut self.bridges {
            bridge.line = None;
        }
    }

    /// Hands the acts of a minute to the bridges.
    pub fn act(&mut self, act: Act) {
        match act {
            Act::Door { member, tap } => self.publish(0, "readers/door/tap", tap_of(member, tap)),
            Act::Machine { member, machine, tap } => {
                let topic = format!("readers/at-{}/tap", code(machine));
                self.publish(self.of(machine), &topic, tap_of(member, tap));
            }
            Act::Set { machine, set } => {
                let seq = &mut self.set_seqs[machine as usize];
                *seq += 1;
                let set = format!(
                    "{{\"seq\":{seq},\"boot\":{},\"set_id\":\"{set}\",\"reps\":10}}",
                    BOOT + 1
                );
                let topic = format!("machines/{}/set", code(machine));
                self.publish(self.of(machine), &topic, set.into_bytes());
            }
        }
    }

    /// At the end of an hour of the day, the samples of that hour of every machine.
    pub async fn measure(&mut self, minute: u32) -> Result<()> {
        let of_day = minute % DAY_MIN;
        if !of_day.is_multiple_of(60) || of_day <= OPENS_MIN || of_day > CLOSES_MIN {
            return Ok(());
        }
        let count = 60 * self.scale.samples_a_minute;
        let gap_ms = 60_000 / u64::from(self.scale.samples_a_minute);
        let hour_ms = u64::from(minute - 60) * 60_000;
        for first in (0..count).step_by(MESSAGE as usize) {
            let last = count.min(first + MESSAGE);
            let begun_ms = hour_ms + u64::from(first) * gap_ms;
            let text = samples(self.samples + u64::from(first), begun_ms, last - first, gap_ms);
            for machine in 0..self.scale.machines {
                let topic = format!("machines/{}/telemetry", code(machine));
                self.publish(self.of(machine), &topic, text.clone());
            }
            self.settle().await?;
        }
        self.samples += u64::from(count);
        Ok(())
    }

    /// Sends everything.
    pub async fn flush(&mut self) -> Result<()> {
        for bridge in &mut self.bridges {
            if let Some(line) = &mut bridge.line {
                line.flush().await?;
            }
        }
        Ok(())
    }

    /// Sends everything, and waits until all of it is acked.
    pub async fn settle(&mut self) -> Result<()> {
        self.flush().await?;
        for bridge in &mut self.bridges {
            bridge.take_acks(0).await?;
        }
        Ok(())
    }

    /// Waits for some acks of those that are on their way, and leaves the rest.
    pub async fn settle_some(&mut self, left: usize) -> Result<()> {
        self.flush().await?;
        for bridge in &mut self.bridges {
            bridge.take_acks(left).await?;
        }
        Ok(())
    }

    fn of(&self, machine: u32) -> usize {
        let bridges = u32::try_from(self.bridges.len()).unwrap_or(1);
        Self::bridge_of(machine, self.scale, bridges) as usize
    }

    fn publish(&mut self, bridge: usize, topic: &str, payload: Vec<u8>) {
        self.next += 1;
        let (number, topic) = (self.next, format!("gymwire/v1/{topic}"));
        let bridge = &mut self.bridges[bridge];
        if let Some(line) = &mut bridge.line {
            line.queue(&topic, &payload, number, false);
        }
        bridge.pending.push_back((number, topic, payload));
    }
}

impl Bridge {
    async fn take_acks(&mut self, left: usize) -> Result<()> {
        let Some(line) = &mut self.line else { return Ok(()) };
        ensure!(self.pending.len() <= WINDOW, "{} messages at once", self.pending.len());
        while self.pending.len() > left {
            for ack in line.acks().await? {
                let first = self.pending.pop_front().map(|(number, ..)| number);
                ensure!(first == Some(ack.message), "{} was acked before {first:?}", ack.message);
            }
        }
        Ok(())
    }
}

/// What a machine is called.
pub fn code(machine: u32) -> String {
    format!("m-{machine:03}")
}

/// The number of a member's card.
pub fn card(member: u32) -> [u8; 7] {
    let [a, b, c, d] = member.to_be_bytes();
    [4, 1, 2, a, b, c, d]
}

fn tap_of(member: u32, tap: Uuid) -> Vec<u8> {
    let uid = hex::encode(card(member));
    format!(
        "{{\"tap_id\":\"{tap}\",\"credential\":{{\"kind\":\"nfc_uid\",\"uid\":\"{uid}\"}},\"age_ms\":0}}"
    )
    .into_bytes()
}

/// So many samples after those that were sent before, one at the end of each gap of time.
fn samples(before: u64, begun_ms: u64, count: u32, gap_ms: u64) -> Vec<u8> {
    let mut text = String::from("[");
    for number in 1..=u64::from(count) {
        let (seq, uptime_ms) = (before + number, begun_ms + number * gap_ms);
        let (comma, power_w) = (if number == 1 { "" } else { "," }, 50 + seq * 7 % 150);
        // Writing into a string cannot fail.
        let _ = write!(
            text,
            "{comma}{{\"seq\":{seq},\"boot\":{BOOT},\"uptime_ms\":{uptime_ms},\"power_w\":{power_w}}}"
        );
    }
    text.push(']');
    text.into_bytes()
}
