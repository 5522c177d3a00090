//! The messages of the power-cut test, and how to find them again in a batch.

use anyhow::Result;
use edge_agent::journal::{Received, What};
use protocol::credential::StoredCredential;
use protocol::ids::{DeviceId, TapId};
use protocol::machine::{Sample, columns};
use protocol::sync::batch::Batch;
use protocol::sync::entry::{Body, Event, Source, Tap};
use uuid::Uuid;

const MACHINES: u16 = 5;

/// Every seventh message is a tap, the others are samples of five machines.
pub fn message(id: u16) -> Received {
    let what = if id.is_multiple_of(7) {
        let credential = StoredCredential::NfcUid { uid_hash: [1; 32] };
        let tap_id = TapId(Uuid::from_u128(id.into()));
        What::Event(Body::Tap(Tap { tap_id, credential, age_ms: 0 }))
    } else {
        let sample = Sample { seq: (id / MACHINES).into(), boot: Some(1), ..Sample::default() };
        What::Telemetry(vec![sample])
    };
    let device = DeviceId(Uuid::from_u128(u128::from(id % MACHINES)));
    Received::new(Source::Device(device), what)
}

/// The messages in a batch.
pub fn ids(batch: &Batch) -> Result<Vec<u16>> {
    let mut ids = Vec::new();
    for part in &batch.telemetry {
        let machine = u16::try_from(part.machine.0.as_u128())?;
        for timed in columns::decode(&part.columns)? {
            ids.push(u16::try_from(timed.sample.seq)? * MACHINES + machine);
        }
    }
    for event in &batch.events {
        if let Body::Tap(tap) = Event::decode(&event.event)?.body {
            ids.push(u16::try_from(tap.tap_id.0.as_u128())?);
        }
    }
    Ok(ids)
}
