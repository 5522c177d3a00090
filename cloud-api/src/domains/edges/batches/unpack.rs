//! Bytes to values, with everything that can be found out without the database.

use crate::domains::telemetry::Chunk;
use crate::ids::DeviceId;
use protocol::sync::WireError;
use protocol::sync::batch::{Batch, BatchEvent, MachineTelemetry};
use protocol::sync::entry::Event;
use protocol::time::Stamp;
use std::collections::{BTreeMap, HashMap};

/// A batch, decoded.
#[derive(Debug)]
pub struct Unpacked {
    pub epoch: u64,
    pub first_seq: i64,
    pub last_seq: i64,
    pub chunks: Vec<Chunk>,
    /// Usable events by position, with the bytes they came in.
    pub events: BTreeMap<i64, (Event, Vec<u8>)>,
    pub set_aside: Vec<SetAside>,
    /// The newest synced stamp of every boot that occurs.
    pub synced: HashMap<u64, Stamp>,
}

/// A part of a batch that cannot be applied.
#[derive(Debug)]
pub struct SetAside {
    pub seq: i64,
    pub kind: &'static str,
    pub device: Option<DeviceId>,
    pub reason: &'static str,
    pub detail: String,
    pub content: Vec<u8>,
}

impl Unpacked {
    pub fn read(body: &[u8]) -> Result<Self, WireError> {
        let batch = Batch::decode(body)?;
        let position = |seq: u64| {
            i64::try_from(seq).map_err(|_| WireError::Malformed("a position is too large".into()))
        };
        let mut unpacked = Self {
            epoch: batch.epoch,
            first_seq: position(batch.first_seq)?,
            last_seq: position(batch.last_seq)?,
            chunks: Vec::with_capacity(batch.telemetry.len()),
            events: BTreeMap::new(),
            set_aside: Vec::new(),
            synced: HashMap::new(),
        };
        for (ordinal, delivery) in (0..).zip(batch.telemetry) {
            unpacked.add_telemetry(ordinal, delivery);
        }
        for event in batch.events {
            unpacked.add_event(event);
        }
        Ok(unpacked)
    }

    fn add_telemetry(&mut self, ordinal: i32, delivery: MachineTelemetry) {
        let clock = delivery.clock;
        match Chunk::new(ordinal, delivery) {
            Ok(chunk) if chunk.count == 0 => {}
            Ok(chunk) => {
                self.note_stamp(clock);
                self.chunks.push(chunk);
            }
            Err((error, delivery)) => self.set_aside.push(SetAside {
                seq: self.first_seq,
                kind: "telemetry",
                device: Some(delivery.machine.into()),
                reason: "unusable_telemetry",
                detail: error.to_string(),
                content: delivery.columns,
            }),
        }
    }

    fn add_event(&mut self, BatchEvent { seq, event: bytes }: BatchEvent) {
        let inside = i64::try_from(seq).ok();
        let inside = inside.filter(|seq| (self.first_seq..=self.last_seq).contains(seq));
        let decoded = match (inside, Event::decode(&bytes)) {
            (None, _) => Err(("outside_of_batch", format!("position {seq} is not of this batch"))),
            (Some(seq), _) if self.events.contains_key(&seq) => {
                Err(("position_used", format!("position {seq} occurs twice")))
            }
            (Some(_), Err(error)) => Err(("unreadable_event", error.to_string())),
            (Some(seq), Ok(event)) => Ok((seq, event)),
        };
        match decoded {
            Ok((seq, event)) => {
                self.note_stamp(event.stamp);
                self.events.insert(seq, (event, bytes));
            }
            Err((reason, detail)) => self.set_aside.push(SetAside {
                seq: inside.unwrap_or(self.first_seq),
                kind: "event",
                device: None,
                reason,
                detail,
                content: bytes,
            }),
        }
    }

    fn note_stamp(&mut self, stamp: Stamp) {
        if stamp.synced {
            let newest = self.synced.entry(stamp.boot).or_insert(stamp);
            if newest.mono_ms <= stamp.mono_ms {
                *newest = stamp;
            }
        }
    }

    /// Every boot that something without a date is of, with the latest monotonic time of it.
    pub fn undated_boots(&self) -> BTreeMap<u64, u64> {
        let chunks = self.chunks.iter().filter(|chunk| !chunk.is_dated);
        let chunks = chunks.map(|chunk| (chunk.boot, chunk.last_mono_ms));
        let stamps = self.events.values().map(|(event, _)| event.stamp);
        let stamps = stamps.filter(|stamp| !stamp.synced).map(|stamp| (stamp.boot, stamp.mono_ms));
        let mut boots: BTreeMap<u64, u64> = BTreeMap::new();
        for (boot, mono_ms) in chunks.chain(stamps) {
            let last = boots.entry(boot).or_default();
            *last = mono_ms.max(*last);
        }
        boots
    }
}
