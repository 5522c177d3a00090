//! A board and the person at its machine, in whatever time it is told.

use protocol::serial::board::device::{Device, FinishedSet, Identity, Input, Order, Settings};
use protocol::serial::board::{BoardOutcome, BoardState};
use std::collections::VecDeque;

/// Between two positions.
const EVERY_MS: u64 = 50;
/// Up and down again.
const REP_MS: u64 = 2_000;
/// How far.
const ROM_MM: f64 = 400.0;

/// What somebody does at the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Repetitions, of which the board sends positions, and a rest after them.
    Lift {
        /// How many.
        reps: u16,
        /// With which load in hundredths of a kilogram.
        weight_cg: u32,
    },
    /// Cardio: a sample every second.
    Row {
        /// For how long.
        seconds: u16,
    },
    /// The board itself tells a finished set.
    Set {
        /// With how many repetitions.
        reps: u16,
    },
    /// The machine changes its state.
    State(BoardState),
    /// The power fails for a moment.
    Reboot,
}

/// Something that happens at a time.
#[derive(Debug, Clone, Copy)]
enum Step {
    Position(i16, u32),
    Stroke(u16),
    Deed(Deed),
}

/// The board on the bench.
#[derive(Debug)]
pub struct Bench {
    identity: Identity,
    device: Device,
    /// The core counts from its boot.
    booted_ms: u64,
    plan: VecDeque<(u64, Step)>,
    orders: Vec<Order>,
}

impl Bench {
    /// A board that has just booted.
    pub fn new(identity: Identity) -> Self {
        let device = Device::new(identity.clone(), Settings::default());
        Self { identity, device, booted_ms: 0, plan: VecDeque::new(), orders: Vec::new() }
    }

    /// The core.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Its present boot.
    pub fn boot(&self) -> u32 {
        self.identity.boot
    }

    /// Whether anything is planned.
    pub fn is_busy(&self) -> bool {
        !self.plan.is_empty()
    }

    /// The orders that came since it was last asked. All are carried out at once.
    pub fn take_orders(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.orders)
    }

    /// When it wants a [`Self::tick`].
    pub fn wake_at_ms(&self) -> u64 {
        let core_ms = self.booted_ms.saturating_add(self.device.wake_at_ms());
        self.plan.front().map_or(core_ms, |(at_ms, _)| core_ms.min(*at_ms))
    }

    /// Bytes from the host.
    pub fn hear(&mut self, bytes: &[u8], now_ms: u64) -> Vec<u8> {
        self.feed(Input::Bytes(bytes), now_ms)
    }

    /// Time has passed.
    pub fn tick(&mut self, now_ms: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some((at_ms, step)) = self.plan.pop_front_if(|(at_ms, _)| *at_ms <= now_ms) {
            bytes.extend(self.step(step, at_ms));
        }
        bytes.extend(self.feed(Input::Tick, now_ms));
        bytes
    }

    /// Plans a deed after everything that is planned, and does what is due at once.
    pub fn act(&mut self, deed: Deed, now_ms: u64) -> Vec<u8> {
        let begin_ms = self.plan.back().map_or(now_ms, |(at_ms, _)| at_ms + EVERY_MS);
        match deed {
            Deed::Lift { reps, weight_cg } => self.plan_lifting(reps, weight_cg, begin_ms),
            Deed::Row { seconds } => {
                let stroke =
                    |second: u16| (begin_ms + u64::from(second) * 1_000, Step::Stroke(second));
                self.plan.extend((0..seconds).map(stroke));
            }
            deed => self.plan.push_back((begin_ms, Step::Deed(deed))),
        }
        self.tick(now_ms)
    }

    /// The board loses power: everything that was not acked is gone.
    pub fn reboot(&mut self, now_ms: u64) {
        self.identity.boot = self.identity.boot.wrapping_add(1);
        self.device = Device::new(self.identity.clone(), Settings::default());
        self.booted_ms = now_ms;
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "small numbers"
    )]
    fn plan_lifting(&mut self, reps: u16, weight_cg: u32, begin_ms: u64) {
        let moving_ms = u64::from(reps) * REP_MS;
        // The rest is long enough for the pause that ends a set.
        for ms in (0..moving_ms + 16_000).step_by(EVERY_MS as usize) {
            let turn = ms.min(moving_ms) as f64 / REP_MS as f64 * std::f64::consts::TAU;
            let mm = ((1.0 - turn.cos()) / 2.0 * ROM_MM).round() as i16;
            self.plan.push_back((begin_ms + ms, Step::Position(mm, weight_cg)));
        }
    }

    fn step(&mut self, step: Step, now_ms: u64) -> Vec<u8> {
        match step {
            Step::Position(mm, weight_cg) => {
                self.feed(Input::Position { mm, weight_cg: Some(weight_cg) }, now_ms)
            }
            Step::Stroke(second) => {
                let second = i32::from(second);
                // Elapsed seconds, metres, watts and strokes a minute, scaled as the table of fields says.
                let values = [(0, second * 10), (1, second * 35), (9, 1_500), (8, 240)];
                self.feed(Input::Measured(&values), now_ms)
            }
            Step::Deed(Deed::Set { reps }) => {
                let set = FinishedSet { reps, ..FinishedSet::default() };
                self.feed(Input::SetFinished(set), now_ms)
            }
            Step::Deed(Deed::State(state)) => {
                self.feed(Input::State { state, error: None }, now_ms)
            }
            Step::Deed(Deed::Reboot) => {
                self.reboot(now_ms);
                Vec::new()
            }
            Step::Deed(Deed::Lift { .. } | Deed::Row { .. }) => Vec::new(),
        }
    }

    fn feed(&mut self, input: Input<'_>, now_ms: u64) -> Vec<u8> {
        let uptime_ms = now_ms.saturating_sub(self.booted_ms);
        let reaction = self.device.handle(input, uptime_ms);
        let mut bytes = reaction.bytes;
        for order in reaction.orders {
            let known = ["lock", "unlock", "reset", "display"].contains(&order.command.as_str());
            let outcome = if known { BoardOutcome::Done } else { BoardOutcome::Unknown };
            let ended = self.device.handle(Input::OrderEnded { id: order.id, outcome }, uptime_ms);
            bytes.extend(ended.bytes);
            self.orders.push(order);
        }
        bytes
    }
}

impl Deed {
    /// A deed as it is typed: `lift 10 40`, `row 60`, `set 8`, `state in_use`, `!reboot`.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let deed = match (words.next()?, words.next(), words.next()) {
            ("lift", Some(reps), weight_kg) => Self::Lift {
                reps: reps.parse().ok()?,
                weight_cg: weight_kg.unwrap_or("40").parse::<u32>().ok()?.checked_mul(100)?,
            },
            ("row", Some(seconds), None) => Self::Row { seconds: seconds.parse().ok()? },
            ("set", Some(reps), None) => Self::Set { reps: reps.parse().ok()? },
            ("state", Some(state), None) => Self::State(match state {
                "idle" => BoardState::Idle,
                "in_use" => BoardState::InUse,
                "paused" => BoardState::Paused,
                "finished" => BoardState::Finished,
                "out_of_order" => BoardState::OutOfOrder,
                _ => return None,
            }),
            ("!reboot", None, None) => Self::Reboot,
            _ => return None,
        };
        Some(deed)
    }
}
