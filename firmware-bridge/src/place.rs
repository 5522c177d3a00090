//! What a device at a port stands for: a machine, a reader or the bridge itself, by the code of the registry.

use protocol::ids::Code;
use protocol::mqtt::topics::{Role, Topic};
use protocol::sync::entry::{DeviceKind, DeviceStatus};
use std::collections::BTreeMap;
use std::fmt;

/// A device of the registry that this bridge speaks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Machine, reader or bridge.
    pub kind: DeviceKind,
    /// Its code.
    pub code: Code,
}

/// How the devices are, as far as it is known; each has a retained topic.
pub type Statuses = BTreeMap<Place, DeviceStatus>;

impl Place {
    /// A machine.
    pub fn machine(code: &Code) -> Self {
        Self { kind: DeviceKind::Machine, code: code.clone() }
    }

    /// A reader.
    pub fn reader(code: &Code) -> Self {
        Self { kind: DeviceKind::Reader, code: code.clone() }
    }

    /// A bridge.
    pub fn bridge(code: &Code) -> Self {
        Self { kind: DeviceKind::Bridge, code: code.clone() }
    }

    /// The place that a topic belongs to.
    pub fn of(topic: &Topic) -> Self {
        Self { kind: topic.role().kind(), code: topic.code().clone() }
    }

    /// Its folder of topics.
    pub fn role(&self) -> Option<Role> {
        Role::of(self.kind)
    }

    /// Where its status is retained.
    pub fn status_topic(&self) -> Option<Topic> {
        let build = match self.role()? {
            Role::Machine => Topic::MachineStatus,
            Role::Reader => Topic::ReaderStatus,
            Role::Bridge => Topic::BridgeStatus,
        };
        Some(build(self.code.clone()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            DeviceKind::Machine => "machine",
            DeviceKind::Reader => "reader",
            DeviceKind::Bridge => "bridge",
            DeviceKind::Observer => "observer",
        };
        write!(f, "{kind} {}", self.code)
    }
}
