//! What happened lately, over a restart: a small file beside the journal, written now and then, and behind it what the
//! journal still has. Only for pages: nothing depends on it, and what cannot be read is left out.

use super::Inner;
use super::faults::Fault;
use super::machines::Report;
use super::taps::TapSeen;
use crate::journal::lately;
use crate::ops::durable::write_private;
use anyhow::{Context as _, Result, ensure};
use protocol::ids::DeviceId;
use protocol::sync::entry::Event;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

const FILE: &str = "staff-recent.bin";
/// The file's first byte.
const VERSION: u8 = 1;
const MAX_BYTES: u64 = 4 << 20;
/// So many taps are kept; the page shows fewer.
const TAPS: usize = 200;
/// So far back the journal is read.
const ENTRIES: u32 = 20_000;

/// What the file holds. Fields are added at the end, with a new version.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Oldest first, as all of these.
    taps: Vec<TapSeen>,
    faults: Vec<Fault>,
    reports: Vec<(DeviceId, Report)>,
    occupancy: Vec<(i64, usize)>,
}

/// Where it is, beside the journal.
pub fn beside(journal: &Path) -> PathBuf {
    journal.with_file_name(FILE)
}

impl Kept {
    /// What is known now.
    pub fn of(inner: &Inner) -> Self {
        let newest_last = |mut taps: Vec<TapSeen>| {
            taps.reverse();
            taps
        };
        let mut faults = inner.faults.newest();
        faults.reverse();
        Self {
            taps: newest_last(inner.taps.newest(TAPS)),
            faults,
            reports: inner.machines.reports(),
            occupancy: inner.occupancy.all(),
        }
    }

    /// The file's bytes.
    pub fn encode(&self) -> Result<Vec<u8>> {
        Ok(postcard::to_extend(self, vec![VERSION])?)
    }

    fn decode(bytes: &[u8]) -> Result<Self> {
        let (version, content) = bytes.split_first().context("it is empty")?;
        ensure!(*version == VERSION, "its version {version} is not known");
        Ok(postcard::from_bytes(content)?)
    }

    fn read(file: &Path) -> Result<Self> {
        ensure!(fs::metadata(file)?.len() <= MAX_BYTES, "it is too large");
        Self::decode(&fs::read(file)?)
    }

    /// Gives it back.
    pub fn restore(self, inner: &mut Inner) {
        let Self { taps, faults, reports, occupancy } = self;
        for tap in taps {
            inner.taps.seen(tap);
        }
        for fault in faults {
            inner.faults.add(fault);
        }
        for (machine, report) in reports {
            inner.machines.said(machine, report);
        }
        for (slot, people) in occupancy {
            inner.occupancy.at_slot(slot, people);
        }
    }
}

/// What the file and the journal know.
pub fn read(journal: &Path) -> (Kept, Vec<Event>) {
    let file = beside(journal);
    let kept = if file.exists() { Kept::read(&file) } else { Ok(Kept::default()) };
    let kept = kept.unwrap_or_else(|error| {
        tracing::warn!(?error, "what happened before the start is not known to the staff page");
        Kept::default()
    });
    let events = lately(journal, ENTRIES).unwrap_or_else(|error| {
        tracing::warn!(?error, "the staff page does not see what the journal has");
        Vec::new()
    });
    (kept, events)
}

/// Writes the file.
pub fn write(journal: &Path, bytes: &[u8]) {
    if let Err(error) = write_private(&beside(journal), bytes) {
        tracing::warn!(?error, "what happened lately is not kept for after a restart");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::staff::recent::taps::Presented;
    use protocol::ids::TapId;
    use protocol::mqtt::payloads::{DecisionAction, DecisionOutcome};
    use protocol::time::Stamp;
    use uuid::Uuid;

    fn tap(number: u128) -> TapSeen {
        TapSeen {
            tap_id: TapId(Uuid::from_u128(number)),
            stamp: Stamp { boot: 1, mono_ms: 5, wall_ms: 5, synced: true },
            reader: DeviceId(Uuid::nil()),
            member: None,
            credential: Presented::Phone,
            outcome: DecisionOutcome::Denied,
            action: DecisionAction::None,
            reason: "unknown_card".to_owned(),
            time_uncertain: false,
        }
    }

    #[test]
    fn what_was_known_is_known_again_and_once() {
        let mut before = Inner::default();
        (1..=3).for_each(|number| before.taps.seen(tap(number)));
        before.occupancy.counted(0, 7);
        let bytes = Kept::of(&before).encode().unwrap();
        let mut after = Inner::default();

        Kept::decode(&bytes).unwrap().restore(&mut after);
        Kept::decode(&bytes).unwrap().restore(&mut after);

        assert_eq!(after.taps.newest(10), before.taps.newest(10));
        assert_eq!(Kept::of(&after), Kept::of(&before));
    }

    #[test]
    fn a_file_of_another_version_or_a_broken_one_is_left_out() {
        let mut bytes = Kept::default().encode().unwrap();
        bytes[0] = 9;

        assert!(Kept::decode(&bytes).is_err());
        assert!(Kept::decode(&[VERSION, 0xFF, 0xFF]).is_err());
        assert!(Kept::decode(&[]).is_err());
    }
}
