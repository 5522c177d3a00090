//! Runs a program under strace and reads what it did to its files.

use anyhow::{Context as _, Result, ensure};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One thing that the program did, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A file was opened and may be new.
    Opened { path: PathBuf, truncated: bool },
    /// Bytes were written; without an offset, at the end.
    Written { path: PathBuf, offset: Option<u64>, bytes: Vec<u8> },
    /// A file was cut or grew.
    Resized { path: PathBuf, length: u64 },
    /// From here on a sync of the file runs; what was written before is safe when it ends.
    SyncStarted { path: PathBuf, call: usize },
    /// It ended.
    SyncEnded { path: PathBuf, call: usize },
    /// A file got another name.
    Renamed { from: PathBuf, to: PathBuf },
    /// A name is gone.
    Removed { path: PathBuf },
    /// A line on standard output.
    Said(String),
}

const CALLS: &str = "trace=openat,close,lseek,write,pwrite64,fsync,fdatasync,ftruncate,rename,unlink,unlinkat,\
                     renameat,renameat2";

/// Runs the writer in a folder and returns what it did there.
pub fn record(folder: &Path, synchronous: &str) -> Result<Vec<Event>> {
    let trace = folder.with_extension("trace");
    let output = Command::new("strace")
        .args(["-f", "-xx", "-s", "70000", "-e", CALLS, "-o"])
        .arg(&trace)
        .arg(env!("CARGO_BIN_EXE_power-cut-writer"))
        .arg(folder)
        .arg(synchronous)
        .output()
        .context("strace is needed for the power-cut test: apt-get install strace")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the recorded program failed: {error}");
    read(&trace, folder)
}

/// How to record a program: it is to be the last argument of this. The end of the recorder ends it.
pub fn recorder(trace: &str) -> [&str; 13] {
    let recorded = ["setpriv", "--pdeathsig", "KILL", "--"];
    let [set, death, kill, end] = recorded;
    ["strace", "-f", "-xx", "-s", "70000", "-e", CALLS, "-o", trace, set, death, kill, end]
}

/// What a recorded program did to the files of a folder.
pub fn read(trace: &Path, folder: &Path) -> Result<Vec<Event>> {
    let mut parser = Parser { folder: folder.to_owned(), ..Parser::default() };
    for line in std::fs::read_to_string(trace)?.lines() {
        parser.line(line);
    }
    Ok(parser.events.into_iter().flatten().collect())
}

#[derive(Default)]
struct Parser {
    folder: PathBuf,
    files: HashMap<i64, Open>,
    /// Calls that were interrupted by those of other threads: what is known of them and their place.
    unfinished: HashMap<String, (String, usize)>,
    events: Vec<Option<Event>>,
}

struct Open {
    path: PathBuf,
    offset: u64,
    appends: bool,
}

impl Parser {
    fn line(&mut self, line: &str) {
        let Some((thread, call)) = line.split_once(' ') else { return };
        let call = call.trim_start();
        if let Some(begun) = call.strip_suffix("<unfinished ...>") {
            let place = self.reserve(begun);
            self.unfinished.insert(thread.to_owned(), (begun.to_owned(), place));
        } else if call.starts_with("<... ") {
            let rest = call.split_once("resumed>").map_or("", |(_, rest)| rest);
            if let Some((begun, place)) = self.unfinished.remove(thread) {
                self.call(&format!("{begun}{rest}"), place);
            }
        } else {
            let place = self.reserve(call);
            self.call(call, place);
        }
    }

    /// A call takes its place when it begins. A sync says so at once.
    fn reserve(&mut self, begun: &str) -> usize {
        let place = self.events.len();
        let sync = begun.strip_prefix("fsync(").or_else(|| begun.strip_prefix("fdatasync("));
        let path = sync
            .and_then(|rest| self.files.get(&leading_number(rest)?))
            .map(|open| open.path.clone());
        self.events.push(path.map(|path| Event::SyncStarted { path, call: place }));
        place
    }

    fn call(&mut self, text: &str, place: usize) {
        let Some((name, rest)) = text.split_once('(') else { return };
        let Some((arguments, result)) = rest.rsplit_once(" = ") else { return };
        let Some(result) = leading_number(result).filter(|&result| result >= 0) else { return };
        let strings = strings(arguments);
        match name {
            "openat" => self.opened(arguments, &strings, result, place),
            "close" => drop(leading_number(arguments).and_then(|file| self.files.remove(&file))),
            "rename" | "renameat" | "renameat2" => {
                if let [from, to] = &strings[..] {
                    self.events[place] = Some(Event::Renamed { from: path(from), to: path(to) });
                }
            }
            "unlink" | "unlinkat" => {
                self.events[place] =
                    strings.first().map(|name| Event::Removed { path: path(name) });
            }
            _ => self.on_file(name, arguments, &strings, result, place),
        }
    }

    fn opened(&mut self, arguments: &str, strings: &[Vec<u8>], file: i64, place: usize) {
        let Some(path) = strings.first().map(|name| path(name)) else { return };
        let is_here = path == self.folder || path.parent() == Some(&*self.folder);
        if !is_here || path.to_string_lossy().ends_with("-shm") {
            return;
        }
        let appends = arguments.contains("O_APPEND");
        self.files.insert(file, Open { path: path.clone(), offset: 0, appends });
        if arguments.contains("O_CREAT") {
            let truncated = arguments.contains("O_TRUNC");
            self.events[place] = Some(Event::Opened { path, truncated });
        }
    }

    fn on_file(
        &mut self,
        name: &str,
        arguments: &str,
        strings: &[Vec<u8>],
        result: i64,
        place: usize,
    ) {
        let Some(file) = leading_number(arguments) else { return };
        let length = usize::try_from(result).unwrap_or(0);
        let mut bytes = strings.first().cloned().unwrap_or_default();
        bytes.resize(length, 0);
        if file == 1 && name == "write" {
            let said = String::from_utf8_lossy(&bytes).into_owned();
            self.events[place] = Some(Event::Said(said));
        }
        let Some(open) = self.files.get_mut(&file) else { return };
        let path = open.path.clone();
        match name {
            "lseek" => open.offset = length as u64,
            "write" => {
                let offset = (!open.appends).then_some(open.offset);
                open.offset += length as u64;
                self.events[place] = Some(Event::Written { path, offset, bytes });
            }
            "pwrite64" => {
                let offset = last_number(arguments);
                self.events[place] = Some(Event::Written { path, offset, bytes });
            }
            "ftruncate" => {
                self.events[place] =
                    last_number(arguments).map(|length| Event::Resized { path, length });
            }
            _ => self.events.push(Some(Event::SyncEnded { path, call: place })),
        }
    }
}

fn path(name: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(name).into_owned())
}

fn leading_number(text: &str) -> Option<i64> {
    let end = text.find(|c: char| c != '-' && !c.is_ascii_digit()).unwrap_or(text.len());
    text[..end].parse().ok()
}

fn last_number(arguments: &str) -> Option<u64> {
    arguments.trim_end().trim_end_matches(')').rsplit(", ").next()?.trim().parse().ok()
}

/// The quoted strings of a call; strace writes every byte of them as `\xNN`.
fn strings(arguments: &str) -> Vec<Vec<u8>> {
    let quoted = arguments.split('"').skip(1).step_by(2);
    quoted
        .map(|text| {
            text.split("\\x")
                .skip(1)
                .filter_map(|hex| u8::from_str_radix(hex.get(..2)?, 16).ok())
                .collect()
        })
        .collect()
}
