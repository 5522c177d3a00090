//! A disk as strict as the rules allow: only what was synced is safe. Of all other changes any part may be there
//! after a power cut, in pieces of a sector; of changes to names, those up to some moment.

use super::recording::Event;
use anyhow::Result;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::Path;
use tests::seed::Seed;

const SECTOR: u64 = 512;

/// What is on the disk, and what the kernel still holds.
#[derive(Default)]
pub struct Disk {
    files: Vec<File>,
    names: BTreeMap<OsString, usize>,
    safe_names: BTreeMap<OsString, usize>,
    name_changes: Changes<(OsString, Option<usize>)>,
    syncs: HashMap<usize, usize>,
}

#[derive(Default)]
struct File {
    safe: Vec<u8>,
    length: u64,
    changes: Changes<Change>,
}

/// Changes that are not synced, and how many were before them.
struct Changes<T> {
    before: usize,
    list: Vec<T>,
}

impl<T> Default for Changes<T> {
    fn default() -> Self {
        Self { before: 0, list: Vec::new() }
    }
}

impl<T> Changes<T> {
    fn count(&self) -> usize {
        self.before + self.list.len()
    }

    /// Takes out those up to a count.
    fn take(&mut self, count: usize) -> Vec<T> {
        let taken = count.saturating_sub(self.before);
        self.before += taken;
        self.list.drain(..taken).collect()
    }
}

enum Change {
    Write(u64, Vec<u8>),
    Resize(u64),
}

impl Disk {
    /// A disk that holds the files of a folder, all of them synced long ago.
    pub fn holding(folder: &Path) -> Result<Self> {
        let mut disk = Self::default();
        for file in std::fs::read_dir(folder)? {
            let file = file?;
            // What is mapped into memory is made anew by each start.
            let is_shared_memory = file.file_name().to_string_lossy().ends_with("-shm");
            if file.file_type()?.is_file() && !is_shared_memory {
                let safe = std::fs::read(file.path())?;
                let length = safe.len() as u64;
                disk.files.push(File { safe, length, changes: Changes::default() });
                disk.names.insert(file.file_name(), disk.files.len() - 1);
            }
        }
        disk.safe_names.clone_from(&disk.names);
        Ok(disk)
    }

    /// The program did this, with its files in `folder`.
    pub fn apply(&mut self, event: &Event, folder: &Path) {
        match event {
            Event::Opened { path, truncated } => {
                let file = self.file_or_new(path);
                if *truncated {
                    self.files[file].change(Change::Resize(0));
                }
            }
            Event::Written { path, offset, bytes } => {
                let file = self.file_or_new(path);
                let file = &mut self.files[file];
                let offset = offset.unwrap_or(file.length);
                file.change(Change::Write(offset, bytes.clone()));
            }
            Event::Resized { path, length } => {
                let file = self.file_or_new(path);
                self.files[file].change(Change::Resize(*length));
            }
            Event::SyncStarted { path, call } => {
                let count = if path == folder {
                    self.name_changes.count()
                } else {
                    let file = self.file_or_new(path);
                    self.files[file].changes.count()
                };
                self.syncs.insert(*call, count);
            }
            Event::SyncEnded { path, call } => self.synced(path, *call, folder),
            Event::Renamed { from, to } => {
                if let Some(file) = self.names.get(name(from)).copied() {
                    self.rename(from, None);
                    self.rename(to, Some(file));
                }
            }
            Event::Removed { path } => self.rename(path, None),
            Event::Said(_) => {}
        }
    }

    fn synced(&mut self, path: &Path, call: usize, folder: &Path) {
        let Some(count) = self.syncs.remove(&call) else { return };
        if path == folder {
            for (name, file) in self.name_changes.take(count) {
                set_name(&mut self.safe_names, name, file);
            }
        } else {
            let file = self.file_or_new(path);
            let file = &mut self.files[file];
            for change in file.changes.take(count) {
                change.apply(&mut file.safe, |_| true);
            }
        }
    }

    fn file_or_new(&mut self, path: &Path) -> usize {
        if let Some(&file) = self.names.get(name(path)) {
            return file;
        }
        self.files.push(File::default());
        let file = self.files.len() - 1;
        self.rename(path, Some(file));
        file
    }

    fn rename(&mut self, path: &Path, file: Option<usize>) {
        set_name(&mut self.names, name(path).to_owned(), file);
        self.name_changes.list.push((name(path).to_owned(), file));
    }

    /// What may be found when the power is back.
    pub fn after_power_cut(&self, seed: &mut Seed) -> Found {
        // Mostly some of each, but also everything and nothing.
        let share = [0, 50, 50, 100][usize::try_from(seed.between(0, 4)).unwrap_or(0)];
        let mut names = self.safe_names.clone();
        let kept = seed.between(0, self.name_changes.list.len() as u64 + 1);
        for (_, (name, file)) in (0..kept).zip(&self.name_changes.list) {
            set_name(&mut names, name.clone(), *file);
        }
        let content = |file: usize, seed: &mut Seed| {
            let file = &self.files[file];
            let mut bytes = file.safe.clone();
            for change in &file.changes.list {
                change.apply(&mut bytes, |_| seed.between(0, 100) < share);
            }
            bytes
        };
        Found(names.into_iter().map(|(name, file)| (name, content(file, seed))).collect())
    }
}

impl File {
    fn change(&mut self, change: Change) {
        self.length = match &change {
            Change::Write(offset, bytes) => self.length.max(offset + bytes.len() as u64),
            Change::Resize(length) => *length,
        };
        self.changes.list.push(change);
    }
}

impl Change {
    /// Applies those sectors that the disk has.
    fn apply(&self, to: &mut Vec<u8>, mut has: impl FnMut(u64) -> bool) {
        let at = |offset: u64| usize::try_from(offset).expect("files of a test are small");
        match self {
            Self::Resize(length) => {
                if has(0) {
                    to.resize(at(*length), 0);
                }
            }
            Self::Write(offset, bytes) => {
                let end = offset + bytes.len() as u64;
                let mut start = *offset;
                while start < end {
                    let stop = end.min((start / SECTOR + 1) * SECTOR);
                    if has(start / SECTOR) {
                        if to.len() < at(stop) {
                            to.resize(at(stop), 0);
                        }
                        to[at(start)..at(stop)]
                            .copy_from_slice(&bytes[at(start - offset)..at(stop - offset)]);
                    }
                    start = stop;
                }
            }
        }
    }
}

fn name(path: &Path) -> &std::ffi::OsStr {
    path.file_name().unwrap_or_default()
}

fn set_name(names: &mut BTreeMap<OsString, usize>, name: OsString, file: Option<usize>) {
    match file {
        Some(file) => names.insert(name, file),
        None => names.remove(&name),
    };
}

/// Files as the next start finds them.
pub struct Found(BTreeMap<OsString, Vec<u8>>);

impl Found {
    /// Makes these the only files of a folder; folders in it stay.
    pub fn replace_those_of(&self, folder: &Path) -> Result<()> {
        for file in std::fs::read_dir(folder)? {
            let file = file?;
            if file.file_type()?.is_file() {
                std::fs::remove_file(file.path())?;
            }
        }
        self.write_to(folder)
    }

    /// Puts them into a folder.
    pub fn write_to(&self, folder: &Path) -> Result<()> {
        for (name, bytes) in &self.0 {
            std::fs::write(folder.join(name), bytes)?;
        }
        Ok(())
    }
}
