//! Local numbers of devices: packed samples name their device by a small number.
//!
//! Without the numbers the samples would be worthless, so they are kept twice: in the table and, against a
//! damaged file, in a text file beside it. A number is never given to another device.

use super::disk;
use super::schema;
use protocol::ids::DeviceId;
use rusqlite::{Connection, params};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Both directions, in memory.
#[derive(Debug, Default)]
pub struct Devices {
    numbers: HashMap<DeviceId, u32>,
    ids: HashMap<u32, DeviceId>,
    /// Not on disk yet.
    new: Vec<(u32, DeviceId)>,
    next: u32,
}

impl Devices {
    /// The number of a device; it gets one if it has none. 0 stands for the edge itself.
    pub fn number(&mut self, device: Option<DeviceId>) -> u32 {
        let Some(device) = device else { return 0 };
        if let Some(&number) = self.numbers.get(&device) {
            return number;
        }
        let number = self.next.max(1);
        self.add(number, device);
        self.new.push((number, device));
        number
    }

    /// Takes a number as known. The first device that has it keeps it.
    pub fn add(&mut self, number: u32, device: DeviceId) {
        self.ids.entry(number).or_insert(device);
        self.numbers.entry(device).or_insert(number);
        self.next = self.next.max(number + 1);
    }

    /// Every number with its device.
    pub fn all(&self) -> impl Iterator<Item = (u32, DeviceId)> {
        let mut all: Vec<_> = self.ids.iter().map(|(&number, &device)| (number, device)).collect();
        all.sort_unstable();
        all.into_iter()
    }

    #[cfg(test)]
    fn id(&self, number: u32) -> Option<DeviceId> {
        self.ids.get(&number).copied()
    }

    /// Writes new numbers into the table, as part of the caller's transaction.
    pub fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        for (number, device) in &self.new {
            connection
                .prepare_cached(schema::INSERT_DEVICE)?
                .execute(params![number, device.0.as_bytes()])?;
        }
        Ok(())
    }

    /// Appends new numbers to the text file. Called before the transaction: no number is used that it lacks.
    pub fn save_copy(&self, copy: &Path) -> io::Result<()> {
        if self.new.is_empty() {
            return Ok(());
        }
        append(copy, &self.new)
    }

    /// The transaction is committed.
    pub fn saved(&mut self) {
        self.new.clear();
    }

    /// Everything has to be written anew.
    pub fn unsaved(&mut self) {
        self.new = self.ids.iter().map(|(&number, &device)| (number, device)).collect();
        self.new.sort_unstable();
    }

    /// Reads the table.
    pub fn load(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare(schema::DEVICES)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            self.add(row.get(0)?, DeviceId(Uuid::from_bytes(row.get(1)?)));
        }
        Ok(())
    }

    /// Reads the text file; lines that are torn are left out. What the table lacks will be put into it.
    pub fn load_copy(&mut self, copy: &Path) {
        let Ok(bytes) = fs::read(copy) else { return };
        for line in String::from_utf8_lossy(&bytes).lines() {
            if let Some((number, device)) = line.split_once(' ')
                && let (Ok(number), Ok(device)) = (number.parse::<u32>(), device.parse())
                && number < u32::MAX
                && !self.ids.contains_key(&number)
            {
                self.add(number, device);
                self.new.push((number, device));
            }
        }
    }
}

/// Where the text file of a database is.
pub fn copy_of(database: &Path) -> PathBuf {
    disk::beside(database, ".devices")
}

fn append(copy: &Path, devices: &[(u32, DeviceId)]) -> io::Result<()> {
    let is_new = !copy.exists();
    // A torn last line ends here, whatever is in it.
    let mut lines = String::from("\n");
    for (number, device) in devices {
        let _ = writeln!(lines, "{number} {device}");
    }
    let mut file = OpenOptions::new().create(true).append(true).open(copy)?;
    file.write_all(lines.as_bytes())?;
    file.sync_all()?;
    if is_new { disk::sync_folder(disk::folder_of(copy)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_in_the_copy_and_torn_lines_hurt_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy");
        let (first, second) = (DeviceId(Uuid::from_u128(1)), DeviceId(Uuid::from_u128(2)));
        let mut devices = Devices::default();
        devices.number(Some(first));
        devices.save_copy(&copy).unwrap();
        devices.saved();
        OpenOptions::new().append(true).open(&copy).unwrap().write_all(b"2 00000").unwrap();
        let number = devices.number(Some(second));
        devices.save_copy(&copy).unwrap();

        let mut read = Devices::default();
        read.load_copy(&copy);

        assert_eq!((read.id(1), read.id(number)), (Some(first), Some(second)));
        assert_eq!(read.number(Some(DeviceId(Uuid::from_u128(3)))), 3);
    }
}
