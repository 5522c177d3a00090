//! A small branch: machine `bike`; machine `rack` and reader `door` behind bridge `box`; reader `gate`; observer
//! `screen`. Tests of the agent as a process use it too.

use protocol::ids::DeviceId;
use protocol::sync::changes::DeviceRecord;
use protocol::sync::entry::DeviceKind;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

pub fn device_id(code: &str) -> DeviceId {
    let digest = Sha256::digest(code);
    DeviceId(Uuid::from_slice(&digest[..16]).unwrap())
}

pub fn secret(code: &str) -> String {
    format!("secret of {code}")
}

pub fn record(code: &str, kind: DeviceKind) -> DeviceRecord {
    DeviceRecord {
        id: device_id(code),
        code: code.parse().unwrap(),
        kind,
        name: code.to_owned(),
        secret_sha256: Some(Sha256::digest(secret(code)).into()),
        bridge: None,
        topics: Vec::new(),
        enabled: true,
    }
}

/// All devices; the observer may read `observed`.
pub fn devices(observed: &[&str]) -> Vec<DeviceRecord> {
    let behind = |record| DeviceRecord { bridge: Some(device_id("box")), ..record };
    vec![
        record("bike", DeviceKind::Machine),
        behind(record("rack", DeviceKind::Machine)),
        behind(record("door", DeviceKind::Reader)),
        record("gate", DeviceKind::Reader),
        record("box", DeviceKind::Bridge),
        DeviceRecord {
            topics: observed.iter().map(|topic| (*topic).to_owned()).collect(),
            ..record("screen", DeviceKind::Observer)
        },
    ]
}
