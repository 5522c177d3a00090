//! The devices and settings in memory, as the front door reads them.

use super::Device;
use super::tables::LocalDevice;
use protocol::ids::DeviceId;
use protocol::sync::changes::DeviceRecord;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// One consistent view; a change makes a new one.
#[derive(Default)]
pub(super) struct Snapshot {
    pub by_code: HashMap<String, Arc<Device>>,
    pub by_id: HashMap<DeviceId, Arc<Device>>,
    pub by_bridge: HashMap<DeviceId, Vec<Arc<Device>>>,
    /// JSON texts; some hold keys.
    pub settings: HashMap<String, Zeroizing<String>>,
}

impl Snapshot {
    /// The cloud's devices, changed and completed by what was done at the branch.
    pub(super) fn new(
        cloud: Vec<DeviceRecord>,
        local: &[LocalDevice],
        settings: Vec<(String, String)>,
    ) -> Self {
        let settings =
            settings.into_iter().map(|(key, value)| (key, Zeroizing::new(value))).collect();
        let mut snapshot = Self { settings, ..Self::default() };
        for record in cloud {
            let mut device = Device::from(record);
            if let Some(local) = local.iter().find(|local| holds(local, &device)) {
                // Without a secret it was locked out at the branch, which a new one ends.
                let was_revoked = device.secret_sha256.is_none();
                device.secret_sha256 = local.secret;
                device.enabled = !local.is_revoked && (device.enabled || was_revoked);
            }
            snapshot.add(device);
        }
        for proposal in local {
            // The cloud's devices come first: a proposal must not take the code of one of them.
            let is_free = !snapshot.by_code.contains_key(proposal.code.as_str());
            if is_free && !snapshot.by_id.contains_key(&proposal.id) {
                snapshot.add(Device::from(proposal));
            }
        }
        snapshot
    }

    fn add(&mut self, device: Device) {
        let device = Arc::new(device);
        self.by_code.insert(device.code.as_str().to_owned(), Arc::clone(&device));
        self.by_id.insert(device.id, Arc::clone(&device));
        if let Some(bridge) = device.bridge {
            self.by_bridge.entry(bridge).or_default().push(device);
        }
    }
}

/// Without secrets and keys.
impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("devices", &self.by_code.len())
            .field("settings", &self.settings.len())
            .finish_non_exhaustive()
    }
}

/// Whether what was done at the branch still counts: the cloud has not changed the secret since.
fn holds(local: &LocalDevice, cloud: &Device) -> bool {
    local.id == cloud.id && local.holds_over(cloud.secret_sha256)
}

impl From<DeviceRecord> for Device {
    fn from(record: DeviceRecord) -> Self {
        Self {
            id: record.id,
            code: record.code,
            kind: record.kind,
            name: record.name,
            secret_sha256: record.secret_sha256,
            bridge: record.bridge,
            topics: record.topics,
            enabled: record.enabled,
        }
    }
}

impl From<&LocalDevice> for Device {
    fn from(proposal: &LocalDevice) -> Self {
        Self {
            id: proposal.id,
            code: proposal.code.clone(),
            kind: proposal.kind,
            name: proposal.code.to_string(),
            secret_sha256: proposal.secret,
            bridge: None,
            topics: Vec::new(),
            enabled: !proposal.is_revoked,
        }
    }
}
