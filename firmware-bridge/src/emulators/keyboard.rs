//! A QR scanner that types like a keyboard, on a named pipe of the kernel's event records.

use protocol::serial::keyboard::{EVENT_BYTES, InputEvent, Layout};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;

const KEY: u16 = 1;
const LEFT_SHIFT: u16 = 42;
const RIGHT_ALT: u16 = 100;
const ENTER: u16 = 28;

/// An emulated scanner. Dropping it pulls it out.
#[derive(Debug)]
pub struct Keyboard {
    layout: Layout,
    path: PathBuf,
    pipe: Option<pipe::Sender>,
}

impl Keyboard {
    /// Plugs a scanner in; its device appears as `path`.
    pub fn plug_in(path: &Path, layout: Layout) -> io::Result<Self> {
        let mut keyboard = Self { layout, path: path.to_owned(), pipe: None };
        keyboard.plug_back()?;
        Ok(keyboard)
    }

    /// Scans a code, with Enter at its end.
    pub async fn scan(&mut self, code: &str) -> io::Result<()> {
        let mut events: Vec<InputEvent> =
            code.chars().flat_map(|character| self.strike(character)).collect();
        events.extend([key(ENTER, 1), key(ENTER, 0)]);
        self.send(&events).await
    }

    /// Types part of a code and stops.
    pub async fn type_text(&mut self, text: &str) -> io::Result<()> {
        let events: Vec<InputEvent> =
            text.chars().flat_map(|character| self.strike(character)).collect();
        self.send(&events).await
    }

    /// Pulls the cable out: the device and its name vanish.
    pub fn unplug(&mut self) {
        self.pipe = None;
        // A name that is gone already is as good.
        let _ = fs::remove_file(&self.path);
    }

    /// Puts the cable back: a new device under the old name.
    pub fn plug_back(&mut self) -> io::Result<()> {
        self.unplug();
        let mode = Mode::RUSR | Mode::WUSR;
        mknodat(CWD, &self.path, FileType::Fifo, mode, 0)?;
        // Also open for reading, so that it can be opened before anybody listens.
        self.pipe = Some(pipe::OpenOptions::new().read_write(true).open_sender(&self.path)?);
        Ok(())
    }

    async fn send(&mut self, events: &[InputEvent]) -> io::Result<()> {
        let pipe =
            self.pipe.as_mut().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))?;
        let bytes: Vec<[u8; EVENT_BYTES]> = events.iter().map(|event| event.to_bytes()).collect();
        pipe.write_all(&bytes.concat()).await
    }

    /// What the layout does not have is not typed.
    fn strike(&self, character: char) -> Vec<InputEvent> {
        let Some((code, is_shift, is_alt_gr)) = self.layout.key(character) else {
            return Vec::new();
        };
        let held = [(is_shift, LEFT_SHIFT), (is_alt_gr, RIGHT_ALT)];
        let held = || held.into_iter().filter(|(is_held, _)| *is_held).map(|(_, code)| code);
        let mut events: Vec<InputEvent> = held().map(|code| key(code, 1)).collect();
        events.extend([key(code, 1), key(code, 0)]);
        events.extend(held().map(|code| key(code, 0)));
        events
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.unplug();
    }
}

fn key(code: u16, value: i32) -> InputEvent {
    InputEvent { kind: KEY, code, value }
}
