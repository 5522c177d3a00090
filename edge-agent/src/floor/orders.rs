//! Orders of staff to devices: given once, for a few seconds, and answered.

use super::request::FloorRefusal;
use crate::front_door::Publisher;
use crate::journal::{Item, Publish, What};
use crate::registry::{Device, Registry};
use protocol::ids::{CommandId, DeviceId};
use protocol::mqtt::payloads::CommandMessage;
use protocol::mqtt::topics::{Role, Topic};
use protocol::sync::entry::{Body, CommandResult, Outcome};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use uuid::Uuid;

/// An order is void after this time; nothing old moves a door.
const TIME_TO_LIVE: Duration = Duration::from_secs(5);

type Waiting = HashMap<CommandId, (DeviceId, oneshot::Sender<CommandResult>)>;

/// Those that are being carried out.
pub struct Orders {
    registry: Registry,
    publisher: Publisher,
    waiting: Mutex<Waiting>,
}

impl Orders {
    pub fn new(registry: Registry, publisher: Publisher) -> Self {
        Self { registry, publisher, waiting: Mutex::default() }
    }

    /// Whether a device would hear an order now.
    pub fn hears(&self, device: DeviceId) -> Result<(Arc<Device>, String), FloorRefusal> {
        let device = self.registry.by_id(device).ok_or(FloorRefusal::UnknownDevice)?;
        let role = Role::of(device.kind).ok_or(FloorRefusal::UnknownDevice)?;
        let topic = Topic::Commands(role, device.code.clone()).to_string();
        let speakers = [Some(device.id), device.bridge];
        let mut speakers = speakers.into_iter().flatten();
        if speakers.any(|speaker| self.publisher.hears(speaker, &topic)) {
            Ok((device, topic))
        } else {
            Err(FloorRefusal::NotConnected)
        }
    }

    /// Gives an order and waits for what comes of it.
    pub async fn give(&self, device: DeviceId, command: &str) -> Result<(), FloorRefusal> {
        let (device, topic) = self.hears(device)?;
        let id = CommandId(Uuid::new_v4());
        let message = CommandMessage {
            id,
            command: command.to_owned(),
            args: serde_json::Map::new(),
            ttl_ms: u64::try_from(TIME_TO_LIVE.as_millis()).unwrap_or(0),
        };
        let failed = |why: &str| FloorRefusal::Failed(why.to_owned());
        let payload = serde_json::to_vec(&message).map_err(|error| failed(&error.to_string()))?;
        let (done, result) = oneshot::channel();
        self.lock().insert(id, (device.id, done));
        let publish = Publish { topic, payload: payload.into(), retain: false };
        let answered = match self.publisher.publish(publish).await {
            Ok(()) => tokio::time::timeout(TIME_TO_LIVE, result).await.ok().and_then(Result::ok),
            Err(_) => None,
        };
        self.lock().remove(&id);
        match answered {
            Some(CommandResult { outcome: Outcome::Done, .. }) => Ok(()),
            Some(CommandResult { outcome, detail, .. }) => {
                Err(failed(&detail.unwrap_or_else(|| format!("{outcome:?}").to_lowercase())))
            }
            None => Err(failed("no answer")),
        }
    }

    /// Takes in what devices answered.
    pub fn take_in(&self, items: &[Item]) {
        for item in items {
            let What::Event(Body::CommandResult(result)) = &item.what else { continue };
            let mut waiting = self.lock();
            let is_asked = |(device, _): &(DeviceId, _)| Some(*device) == item.source.device();
            if waiting.get(&result.id).is_some_and(is_asked)
                && let Some((_, done)) = waiting.remove(&result.id)
            {
                let _ = done.send(result.clone());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
