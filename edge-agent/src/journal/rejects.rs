//! Rejects are kept in full up to a limit per device and hour; beyond, they are counted.
//!
//! A counted reject is on disk before its ack as any other message: the count is a row that the commit
//! updates, and becomes an entry when the hour is over.

use super::schema;
use protocol::sync::entry::{Body, Event, Reject, Source};
use protocol::time::Stamp;
use rusqlite::{Connection, params};
use std::collections::HashMap;

/// Rejects of a device kept in full per hour.
pub const FULL_PER_HOUR: u32 = 100;
const HOUR_MS: u64 = 3600 * 1000;

/// The running hours, by local number of the device.
#[derive(Debug, Default)]
pub struct Rejects {
    hours: HashMap<u32, Hour>,
    /// Devices whose count has become an entry of the next commit.
    over: Vec<u32>,
}

#[derive(Debug, Clone)]
struct Hour {
    started_mono_ms: u64,
    full: u32,
    counted: Option<(Event, u32)>,
    is_changed: bool,
}

impl Rejects {
    /// Takes a reject in. It comes back if it is to be kept in full.
    pub fn admit(
        &mut self,
        device: u32,
        source: Source,
        stamp: Stamp,
        reject: Reject,
    ) -> Option<Reject> {
        let hour = self.hours.entry(device).or_insert(Hour {
            started_mono_ms: stamp.mono_ms,
            full: 0,
            counted: None,
            is_changed: false,
        });
        if hour.is_over(stamp.mono_ms) && hour.counted.is_none() {
            (hour.started_mono_ms, hour.full) = (stamp.mono_ms, 0);
        }
        if hour.full < FULL_PER_HOUR && hour.counted.is_none() {
            hour.full += 1;
            return Some(reject);
        }
        let count = hour.counted.as_ref().map_or(0, |(_, count)| *count);
        let body = Body::Reject(Reject { payload: Vec::new(), ..reject });
        hour.counted = Some((Event { stamp, source, body }, count.saturating_add(1)));
        hour.is_changed = true;
        None
    }

    /// Counts of hours that are over, for the next commit.
    pub fn over(&mut self, mono_ms: u64) -> Vec<Event> {
        self.hours.retain(|_, hour| !hour.is_over(mono_ms) || hour.counted.is_some());
        let over = self.hours.iter_mut().filter(|(_, hour)| hour.is_over(mono_ms));
        let mut events = Vec::new();
        for (&device, hour) in over {
            if let Some(event) = hour.event() {
                (hour.counted, hour.is_changed) = (None, false);
                (hour.started_mono_ms, hour.full) = (mono_ms, 0);
                self.over.push(device);
                events.push(event);
            }
        }
        events
    }

    /// Takes over the hours of another table, whose devices have other numbers.
    pub fn absorb(&mut self, other: &Self, number: impl Fn(u32) -> u32) {
        for (&device, hour) in &other.hours {
            let is_changed = hour.counted.is_some();
            self.hours.insert(number(device), Hour { is_changed, ..hour.clone() });
        }
    }

    /// Whether any count is not on disk yet.
    pub fn is_changed(&self) -> bool {
        self.hours.values().any(|hour| hour.is_changed)
    }

    /// Writes counts that changed, as part of the caller's transaction.
    pub fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        for device in &self.over {
            connection.prepare_cached(schema::DELETE_COUNTED_REJECT)?.execute([device])?;
        }
        for (device, hour) in self.hours.iter().filter(|(_, hour)| hour.is_changed) {
            if let Some(event) = hour.event() {
                connection
                    .prepare_cached(schema::PUT_COUNTED_REJECT)?
                    .execute(params![device, event.encode()])?;
            }
        }
        Ok(())
    }

    /// The transaction is committed.
    pub fn saved(&mut self) {
        self.over.clear();
        self.hours.values_mut().for_each(|hour| hour.is_changed = false);
    }

    /// Everything has to be written anew.
    pub fn unsaved(&mut self) {
        self.hours.values_mut().for_each(|hour| hour.is_changed = true);
    }

    /// Reads the table. Those hours are over: the counts were left by an earlier opening.
    pub fn load(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare(schema::COUNTED_REJECTS)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let bytes: Vec<u8> = row.get(1)?;
            if let Ok(event) = Event::decode(&bytes)
                && let Body::Reject(reject) = &event.body
            {
                let counted = Some((event.clone(), reject.count));
                let hour =
                    Hour { started_mono_ms: 0, full: FULL_PER_HOUR, counted, is_changed: false };
                self.hours.insert(row.get(0)?, hour);
            }
        }
        Ok(())
    }
}

impl Hour {
    fn is_over(&self, mono_ms: u64) -> bool {
        self.started_mono_ms == 0 || mono_ms.saturating_sub(self.started_mono_ms) >= HOUR_MS
    }

    /// The counted rejects as one record.
    fn event(&self) -> Option<Event> {
        let (event, total) = self.counted.as_ref()?;
        let mut event = event.clone();
        if let Body::Reject(reject) = &mut event.body {
            reject.count = *total;
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reject() -> Reject {
        Reject {
            topic: "t".to_owned(),
            code: "malformed".to_owned(),
            field: None,
            message: "no JSON".to_owned(),
            payload: vec![1],
            count: 1,
        }
    }

    fn stamp(mono_ms: u64) -> Stamp {
        Stamp { boot: 1, mono_ms, wall_ms: 0, synced: false }
    }

    #[test]
    fn a_hundred_an_hour_are_kept_and_the_others_counted() {
        let mut rejects = Rejects::default();
        let kept =
            (0..250).filter(|_| rejects.admit(1, Source::Edge, stamp(5), reject()).is_some());
        assert_eq!(kept.count(), 100);
        assert!(rejects.admit(2, Source::Edge, stamp(5), reject()).is_some(), "per device");
        assert!(rejects.over(HOUR_MS).is_empty());

        let over = rejects.over(5 + HOUR_MS);

        let [Event { body: Body::Reject(counted), .. }] = over.as_slice() else {
            panic!("{over:?}")
        };
        assert_eq!((counted.count, counted.payload.len()), (150, 0));
        assert!(rejects.admit(1, Source::Edge, stamp(6 + HOUR_MS), reject()).is_some());
    }

    #[test]
    fn counts_survive_a_restart() {
        let connection = Connection::open_in_memory().unwrap();
        schema::migrate(&connection).unwrap();
        let mut rejects = Rejects::default();
        (0..101).for_each(|_| drop(rejects.admit(1, Source::Edge, stamp(5), reject())));
        rejects.save(&connection).unwrap();

        let mut read = Rejects::default();
        read.load(&connection).unwrap();

        assert_eq!(read.over(6).len(), 1);
        read.save(&connection).unwrap();
        let mut empty = Rejects::default();
        empty.load(&connection).unwrap();
        assert!(empty.over(6).is_empty());
    }
}
