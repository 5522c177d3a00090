//! What every driver is given: the clock, a way to the agent for each kind of message, and the mail that comes back.
//!
//! A driver never talks MQTT. It says that a credential was presented, what a machine measured, how its device is;
//! and it asks once, at its start, for the mailbox of the place that its device stands for.

use crate::clock::{Clock, Moment};
use crate::inbox::Inbox;
use crate::place::Place;
use crate::queue::{Class, Message, Outbox, Refused};
use crate::{status, tap};
use protocol::credential::Credential;
use protocol::ids::{Code, CommandId, TapId};
use protocol::mqtt::topics::Topic;
use protocol::sync::entry::{CommandResult, DeviceStatus, Outcome};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use tracing::{error, warn};

pub use crate::place::Statuses;

/// Taps that are remembered; at a busy door that is minutes, and only the last five seconds count.
const REMEMBERED_TAPS: usize = 256;

/// What every driver is given. Clones share everything.
#[derive(Debug, Clone)]
pub struct Desk {
    /// Tells how old things are.
    pub clock: Clock,
    /// What waits for the agent.
    pub outbox: Outbox,
    /// How the devices are.
    pub statuses: watch::Sender<Statuses>,
    /// What the agent says to them.
    pub inbox: Inbox,
    presented: Arc<Mutex<VecDeque<(TapId, Moment)>>>,
    /// What is wrong with the bridge itself, each under a name.
    troubles: watch::Sender<BTreeMap<String, String>>,
}

impl Desk {
    /// A desk of a bridge.
    pub fn new(clock: Clock, outbox: Outbox) -> Self {
        let statuses = watch::Sender::new(Statuses::new());
        let inbox = Inbox::default();
        let troubles = watch::Sender::new(BTreeMap::new());
        Self { clock, outbox, statuses, inbox, presented: Arc::default(), troubles }
    }

    /// A credential was presented: one event per presentation. Returns when it is on disk, with the name of the
    /// presentation.
    pub async fn tap(&self, reader: &Code, credential: &Credential, taken: Moment) -> TapId {
        let (tap_id, message) = tap::message(reader, credential, taken);
        self.remember(tap_id, taken);
        if let Err(refused) = self.outbox.push(message).await {
            error!(%reader, %refused, "tap is lost");
        }
        tap_id
    }

    /// Something that is worth keeping and does not hurry, such as a console's frame. It survives a restart of the
    /// bridge; a power cut may take what is younger than 5 s.
    pub async fn tell(&self, topic: Topic, payload: Vec<u8>) -> Result<(), Refused> {
        self.outbox.push(self.message(Class::Other, &topic, payload)).await.map(drop)
    }

    /// Something that the device itself keeps until it hears of the ack: returns when the agent has committed it.
    /// It is sent again when a connection breaks, and lost with this process.
    pub async fn deliver(&self, topic: Topic, payload: Vec<u8>) -> Result<(), Refused> {
        self.outbox.deliver(self.message(Class::Lent, &topic, payload)).await
    }

    /// How a device is; the agent retains it.
    pub fn note(&self, place: &Place, status: DeviceStatus) {
        status::note(&self.statuses, place, status);
    }

    /// Something that belongs to no device of the registry, such as a relay, works (`None`) or does not; told with
    /// the status of the bridge.
    pub fn trouble(&self, name: &str, trouble: Option<String>) {
        self.troubles.send_if_modified(|known| match trouble {
            None => known.remove(name).is_some(),
            Some(now) => known.insert(name.to_owned(), now.clone()).as_ref() != Some(&now),
        });
    }

    /// What is wrong with the bridge itself, whenever that changes.
    pub fn troubles(&self) -> watch::Receiver<BTreeMap<String, String>> {
        self.troubles.subscribe()
    }

    /// How long ago this bridge presented a tap; `None`: it did not, or so long ago that it does not matter.
    pub fn presented_ago_ms(&self, tap_id: TapId) -> Option<u32> {
        let presented = self.presented.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, taken) = presented.iter().rfind(|(known, _)| *known == tap_id)?;
        Some(self.clock.age_ms(*taken))
    }

    /// Answers a command. The answer to the same command, should it come again, is the same.
    pub async fn answer(
        &self,
        place: &Place,
        id: CommandId,
        outcome: Outcome,
        detail: Option<String>,
    ) {
        let result = CommandResult { id, outcome, detail };
        self.inbox.answered(place, &result);
        self.send_result(place, &result).await;
    }

    pub(crate) async fn send_result(&self, place: &Place, result: &CommandResult) {
        let Some(role) = place.role() else { return };
        let topic = Topic::Results(role, place.code.clone());
        let payload = result.to_json().to_string().into_bytes();
        if let Err(refused) = self.tell(topic, payload).await {
            warn!(%place, id = %result.id, %refused, "a command's result is lost");
        }
    }

    fn message(&self, class: Class, topic: &Topic, payload: Vec<u8>) -> Message {
        Message { class, topic: topic.to_string(), taken: self.clock.now(), payload }
    }

    fn remember(&self, tap_id: TapId, taken: Moment) {
        let mut presented = self.presented.lock().unwrap_or_else(PoisonError::into_inner);
        if presented.len() >= REMEMBERED_TAPS {
            presented.pop_front();
        }
        presented.push_back((tap_id, taken));
    }
}
