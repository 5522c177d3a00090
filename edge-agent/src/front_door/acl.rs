//! The closed list of topics: what an authenticated device may publish and subscribe. Everything else is refused.

use crate::registry::{Device, Registry};
use protocol::ids::DeviceId;
use protocol::mqtt::topics::{Role, Topic};
use protocol::sync::entry::{DeviceKind, Source};
use std::sync::Arc;

/// What a login may do, as the registry says now.
#[derive(Clone)]
pub struct Rights {
    device: Arc<Device>,
    registry: Registry,
}

/// Leave to publish on a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The topic.
    pub topic: Topic,
    /// Who speaks, and for whom.
    pub source: Source,
}

impl Rights {
    pub fn new(device: Arc<Device>, registry: Registry) -> Self {
        Self { device, registry }
    }

    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// The rights of the same login after the registry changed; `None`: it may not stay connected.
    pub fn renewed(&self) -> Option<Self> {
        let now = self.registry.by_id(self.device.id)?;
        let is_same = now.enabled
            && now.code == self.device.code
            && now.kind == self.device.kind
            && now.secret_sha256 == self.device.secret_sha256;
        is_same.then(|| Self { device: now, registry: self.registry.clone() })
    }

    /// May it publish on this topic, and as whom?
    pub fn publish(&self, topic: &str) -> Option<Grant> {
        let topic = Topic::parse(topic)?;
        let about = topic.is_inbound().then(|| self.spoken_for(&topic))??;
        let source = if about == self.device.id {
            Source::Device(about)
        } else {
            Source::Bridged { device: about, bridge: self.device.id }
        };
        Some(Grant { topic, source })
    }

    /// May it leave this as its last will? Only its own status, never that of a device behind it.
    pub fn will(&self, topic: &str) -> Option<Grant> {
        self.publish(topic).filter(|grant| {
            grant.source == Source::Device(self.device.id) && is_status(&grant.topic)
        })
    }

    /// May it subscribe this filter?
    pub fn subscribe(&self, filter: &str) -> bool {
        if self.device.kind == DeviceKind::Observer {
            return self.observe(filter);
        }
        Topic::parse(filter)
            .is_some_and(|topic| topic.is_outbound() && self.spoken_for(&topic).is_some())
    }

    /// The device a topic belongs to, if it is this one or one behind this bridge.
    fn spoken_for(&self, topic: &Topic) -> Option<DeviceId> {
        let me = &self.device;
        if *topic.code() == me.code {
            return (Role::of(me.kind) == Some(topic.role())).then_some(me.id);
        }
        if me.kind != DeviceKind::Bridge {
            return None;
        }
        let behind = self.registry.by_code(topic.code().as_str())?;
        let is_mine = behind.enabled
            && behind.bridge == Some(me.id)
            && Role::of(behind.kind) == Some(topic.role());
        is_mine.then_some(behind.id)
    }

    /// A listed filter as it stands, or a topic of a known device that a listed filter covers.
    fn observe(&self, filter: &str) -> bool {
        let listed = |filter: &str| {
            self.device.topics.iter().any(|topic| is_observable(topic) && covers(topic, filter))
        };
        if filter.contains(['+', '#']) {
            return is_observable(filter) && self.device.topics.iter().any(|topic| topic == filter);
        }
        let Some(topic) = Topic::parse(filter) else { return false };
        is_observable(filter)
            && listed(filter)
            && self
                .registry
                .by_code(topic.code().as_str())
                .is_some_and(|device| Role::of(device.kind) == Some(topic.role()))
    }
}

fn is_status(topic: &Topic) -> bool {
    matches!(topic, Topic::MachineStatus(_) | Topic::ReaderStatus(_) | Topic::BridgeStatus(_))
}

/// Whether a filter can only match telemetry, statuses or sets: `gymwire/v1/FOLDER/CODE or +/KIND`.
fn is_observable(filter: &str) -> bool {
    let Some(rest) = filter.strip_prefix("gymwire/v1/") else { return false };
    let mut levels = rest.split('/');
    let (folder, _, kind) = (levels.next(), levels.next(), levels.next());
    levels.next().is_none()
        && match folder {
            Some("machines") => matches!(kind, Some("telemetry" | "status" | "set")),
            Some("readers" | "bridges") => kind == Some("status"),
            _ => false,
        }
        && !filter.contains('#')
}

/// Whether a filter without `#` matches a topic.
pub fn covers(filter: &str, topic: &str) -> bool {
    let mut levels = topic.split('/');
    filter
        .split('/')
        .all(|wanted| levels.next().is_some_and(|level| wanted == "+" || wanted == level))
        && levels.next().is_none()
}
