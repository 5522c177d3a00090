//! The devices of the branch in groups.

use crate::registry::Device;
use crate::staff::app::Staff;
use protocol::sync::entry::DeviceKind;

/// Devices of one kind.
pub struct Group {
    pub id: &'static str,
    pub title: &'static str,
    pub devices: Vec<Row>,
}

/// A device.
pub struct Row {
    pub name: String,
    pub code: String,
    pub is_online: bool,
    pub is_enabled: bool,
    pub bridge: Option<String>,
    pub error: Option<String>,
    pub credential: &'static str,
}

const GROUPS: [(DeviceKind, &str, &str); 4] = [
    (DeviceKind::Reader, "readers", "Readers"),
    (DeviceKind::Bridge, "bridges", "Bridges and boards"),
    (DeviceKind::Machine, "machines", "Machines"),
    (DeviceKind::Observer, "observers", "Displays"),
];

/// All devices.
pub fn groups(staff: &Staff) -> Vec<Group> {
    let devices = staff.watched.registry.all();
    let seen = staff.floor.watch().borrow().clone();
    let said = |device: &Device| {
        let said = seen.devices.iter().find(|said| said.device == device.id);
        said.and_then(|said| said.error.clone())
    };
    let group = |&(kind, id, title): &(DeviceKind, &'static str, &'static str)| {
        let of_kind = devices.iter().filter(|device| device.kind == kind);
        let devices = of_kind.map(|device| row(staff, device, said(device))).collect();
        Group { id, title, devices }
    };
    GROUPS.iter().map(group).collect()
}

fn row(staff: &Staff, device: &Device, error: Option<String>) -> Row {
    let bridge = device.bridge.and_then(|bridge| staff.watched.registry.by_id(bridge));
    // What stands behind a bridge is there while its bridge is.
    let speaker = bridge.as_ref().map_or(device.id, |bridge| bridge.id);
    let publisher = &staff.watched.publisher;
    Row {
        name: device.name.clone(),
        code: device.code.to_string(),
        is_online: publisher.online(device.id) || publisher.online(speaker),
        is_enabled: device.enabled,
        bridge: bridge.map(|bridge| bridge.name.clone()),
        error,
        credential: match (device.enabled, device.secret_sha256.is_some()) {
            (false, _) => "locked out",
            (true, false) => "no secret",
            (true, true) => "has a secret",
        },
    }
}
