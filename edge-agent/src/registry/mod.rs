//! Which devices the branch has: an in-memory copy for the front door over `branch.db`.

use protocol::ids::{Code, DeviceId};
use protocol::sync::entry::DeviceKind;

/// A machine, reader, bridge or observer of the branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Which device.
    pub id: DeviceId,
    /// Its short name, unique in the branch over all kinds.
    pub code: Code,
    /// What it is.
    pub kind: DeviceKind,
    /// Shown to people.
    pub name: String,
    /// SHA-256 of its secret; nobody can log in as it while there is none.
    pub secret_sha256: Option<[u8; 32]>,
    /// The bridge that may speak for it.
    pub bridge: Option<DeviceId>,
    /// For observers: topic filters it may read.
    pub topics: Vec<String>,
    /// May log in.
    pub enabled: bool,
}
