//! What devices say, as deeds: these are not journaled a second time, so edge and cloud both work them out with this.

use super::Deed;
use crate::ids::{DeviceId, SetId};
use crate::sync::entry::{Body, DeviceState, Severity};

/// The deeds that an event of a machine means. `unnamed` stands for a set that has no id of its own.
pub fn deeds_of(machine: DeviceId, body: &Body, unnamed: SetId) -> Vec<Deed> {
    match body {
        Body::Status(status) => {
            let is_faulty = status.state == DeviceState::OutOfOrder;
            // A pause of a minute between two sets is not the end of the use.
            let is_in_use = matches!(status.state, DeviceState::InUse | DeviceState::Paused);
            // Who is away says nothing about whether it works.
            let says = status.state != DeviceState::Offline;
            let faulty = says.then_some(Deed::Faulty { machine, is_faulty });
            [Some(Deed::Use { machine, is_in_use }), faulty].into_iter().flatten().collect()
        }
        Body::Maintenance(report) if report.severity == Severity::Fault => {
            vec![Deed::OutOfOrder { machine, is_out: true }]
        }
        Body::Set(set) => vec![Deed::Work { machine, set: set.set_id.unwrap_or(unnamed) }],
        Body::Deed(deed) => vec![deed.clone()],
        _ => Vec::new(),
    }
}
