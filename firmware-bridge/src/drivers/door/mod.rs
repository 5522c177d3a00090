//! Doors: decisions and orders for the readers of a door move its relay, never late and never for long.
//!
//! [`state`] is what a door does, `relay` the task that owns the relay and its timer, `wire` what the relay hangs
//! on. This file brings the mail to the state and its outputs to the relay.

mod lamp;
mod relay;
pub mod state;
mod wire;

pub use lamp::Lamp;
pub use wire::{Line, Wire, WireName};

use crate::config::DoorConfig;
use crate::desk::Desk;
use crate::inbox::{Mail, Mailbox, Word};
use crate::place::Place;
use futures_util::stream::{SelectAll, StreamExt, select_all, unfold};
use protocol::ids::{Code, CommandId};
use protocol::mqtt::payloads::{CommandMessage, DecisionMessage, DecisionOutcome};
use protocol::sync::entry::Outcome;
use relay::{Pulse, Undone};
use state::{Decision, Door, Input, Limits, Order, Output, Refusal, Signal, What};
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

/// What a door carries out.
const COMMANDS: &[&str] = &["open", "hold_open", "lock"];

/// The relay's task answers at once, or something is badly wrong.
const SWITCHED_WITHIN: Duration = Duration::from_secs(1);

/// What a door is connected to.
#[derive(Debug, Clone)]
pub struct Wires<W> {
    /// The strike or magnet; its name is for the log.
    pub relay: (String, W),
    /// Lamps and buzzer.
    pub lamps: Vec<(Lamp, String, W)>,
}

/// Serves one door until it is stopped.
pub async fn run(config: DoorConfig, desk: Desk, stop: CancellationToken) -> anyhow::Result<()> {
    let named = |name: &WireName| (name.to_string(), name.clone());
    let lamps =
        [(Lamp::Green, &config.green), (Lamp::Red, &config.red), (Lamp::Buzzer, &config.buzzer)];
    let lamps = lamps.into_iter().filter_map(|(lamp, name)| {
        let (text, name) = named(name.as_ref()?);
        Some((lamp, text, name))
    });
    let wires = Wires { relay: named(&config.line), lamps: lamps.collect() };
    serve(&config.readers, config.limits(), wires, desk, stop).await;
    Ok(())
}

/// Serves a door with any kind of wires.
pub async fn serve<W: Wire>(
    readers: &[Code],
    limits: Limits,
    wires: Wires<W>,
    desk: Desk,
    stop: CancellationToken,
) {
    let origin = Instant::now();
    let mut letters = letters(readers, &desk);
    // One at a time: the relay's task answers before the next.
    let (pulses, pulses_in) = mpsc::channel(1);
    let (working, mut is_working) = watch::channel(Err(String::new()));
    let (signals, shown) = watch::channel(None);
    let mut tasks = JoinSet::new();
    let (name, wire) = wires.relay;
    let trouble = format!("relay {name}");
    tasks.spawn(relay::run(wire, name, origin, pulses_in, working));
    for (lamp, name, wire) in wires.lamps {
        tasks.spawn(lamp::run(lamp, wire, name, shown.clone(), stop.clone()));
    }
    let mut keeper = Keeper { door: Door::new(limits), desk, origin, pulses, signals };
    loop {
        let wake = keeper.door.wake_at();
        tokio::select! {
            () = stop.cancelled() => break,
            changed = is_working.changed() => {
                if changed.is_err() {
                    break;
                }
                // It may have been lost and found since the last look, and is off in any case.
                let state = is_working.borrow_and_update().clone();
                keeper.relay_changed(state.is_ok());
                keeper.desk.trouble(&trouble, state.err());
            }
            Some((place, mail)) = letters.next() => keeper.receive(&place, mail).await,
            () = sleep_until(origin + wake.unwrap_or_default()), if wake.is_some() => {
                keeper.door.handle(Input::Tick, origin.elapsed());
            }
        }
    }
    // The end of its orders switches the relay off.
    drop(keeper);
    while tasks.join_next().await.is_some() {}
}

type Letters = SelectAll<Pin<Box<dyn futures_util::Stream<Item = (Place, Mail)> + Send>>>;

/// The mail of all readers of the door.
fn letters(readers: &[Code], desk: &Desk) -> Letters {
    select_all(readers.iter().map(|code| {
        let place = Place::reader(code);
        let mailbox = desk.inbox.mailbox(place.clone(), COMMANDS);
        Box::pin(unfold((place, mailbox), next)) as Pin<Box<_>>
    }))
}

async fn next((place, mut mailbox): (Place, Mailbox)) -> Option<((Place, Mail), (Place, Mailbox))> {
    let mail = mailbox.recv().await?;
    Some(((place.clone(), mail), (place, mailbox)))
}

/// A door with everything around it.
struct Keeper {
    door: Door,
    desk: Desk,
    origin: Instant,
    pulses: mpsc::Sender<Pulse>,
    signals: watch::Sender<Option<Signal>>,
}

impl Keeper {
    async fn receive(&mut self, place: &Place, mail: Mail) {
        let age = millis(mail.age_ms(&self.desk.clock));
        let input = match mail.word {
            Word::Decision(message) => Input::Decision(self.decision(&message, age)),
            Word::Command(message) => match order(&message, age) {
                Ok(order) => Input::Order(order),
                Err(why) => {
                    let why = Some(why.to_owned());
                    return self.desk.answer(place, message.id, Outcome::Failed, why).await;
                }
            },
            _ => return,
        };
        let outputs = self.door.handle(input, self.origin.elapsed());
        if outputs.is_empty() {
            debug!(%place, ?age, "a decision is late or not for a tap of this bridge: nothing moves");
        }
        for output in outputs {
            self.carry_out(place, output).await;
        }
    }

    fn decision(&self, message: &DecisionMessage, age: Duration) -> Decision {
        Decision {
            tap: message.tap_id,
            is_granted: message.outcome == DecisionOutcome::Granted,
            open_for: message.open_door_ms.map(millis),
            age,
            valid: millis(message.valid_ms),
            presented_ago: self.desk.presented_ago_ms(message.tap_id).map(millis),
        }
    }

    async fn carry_out(&mut self, place: &Place, output: Output) {
        match output {
            Output::Show(signal) => drop(self.signals.send_replace(Some(signal))),
            Output::Answer(id, Refusal::Expired) => {
                self.desk.answer(place, id, Outcome::Expired, None).await;
            }
            Output::Answer(id, Refusal::NoRelay) => {
                self.answer(place, id, Err(Undone::NoRelay), None).await;
            }
            Output::Relay { until, not_after, answers } => {
                let switched = self.switch(until, not_after).await;
                if switched.is_err() {
                    self.relay_changed(switched == Err(Undone::Late));
                }
                let open_for = until.map(|until| until.saturating_sub(self.origin.elapsed()));
                info!(%place, open_ms = open_for.map(|time| time.as_millis()), ?switched, "relay");
                if let Some(id) = answers {
                    self.answer(place, id, switched, open_for).await;
                }
            }
        }
    }

    async fn switch(&self, until: Option<Duration>, not_after: Duration) -> Result<(), Undone> {
        let (done, answered) = oneshot::channel();
        let asked = async {
            self.pulses.send(Pulse { until, not_after, done }).await.ok()?;
            answered.await.ok()
        };
        let answer = timeout(SWITCHED_WITHIN, asked).await.ok().flatten();
        answer.unwrap_or(Err(Undone::NoRelay))
    }

    /// The relay is off, and works or not.
    fn relay_changed(&mut self, is_ready: bool) {
        let now = self.origin.elapsed();
        self.door.handle(Input::RelayLost, now);
        if is_ready {
            self.door.handle(Input::RelayReady, now);
        }
    }

    async fn answer(
        &self,
        place: &Place,
        id: CommandId,
        switched: Result<(), Undone>,
        open_for: Option<Duration>,
    ) {
        let (outcome, detail) = match switched {
            Ok(()) => {
                let seconds = |time: Duration| format!("open for {:.1} s", time.as_secs_f64());
                (Outcome::Done, open_for.map(seconds))
            }
            Err(Undone::Late) => (Outcome::Expired, None),
            Err(Undone::NoRelay) => {
                (Outcome::Failed, Some("the relay cannot be switched".to_owned()))
            }
        };
        self.desk.answer(place, id, outcome, detail).await;
    }
}

fn order(message: &CommandMessage, age: Duration) -> Result<Order, &'static str> {
    let what = match message.command.as_str() {
        "open" => What::Open,
        "hold_open" => What::HoldOpen,
        _ => What::Lock,
    };
    let time = match message.args.get("for_ms") {
        None => None,
        Some(time) => Some(time.as_u64().ok_or("args.for_ms is no number of milliseconds")?),
    };
    Ok(Order {
        id: message.id,
        what,
        time: time.map(Duration::from_millis),
        age,
        ttl: Duration::from_millis(message.ttl_ms),
    })
}

fn millis(ms: u32) -> Duration {
    Duration::from_millis(ms.into())
}

#[cfg(test)]
mod tests;
