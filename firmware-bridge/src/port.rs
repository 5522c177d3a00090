//! A serial port that may vanish at any time: opened by its stable name, opened again when it is back.
//!
//! Coming back is found by trying to open, at least once a second; no udev library is needed for that.

use crate::desk::Desk;
use crate::place::Place;
use crate::publisher::Backoff;
use crate::status;
use protocol::sync::entry::DeviceKind;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tokio_serial::{SerialPortBuilderExt, SerialStream};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A port that fails sooner than this after it was opened is still failing: pauses go on growing.
const SETTLED: Duration = Duration::from_secs(5);

/// One port, and what is known of it.
#[derive(Debug)]
pub struct Port {
    place: Place,
    path: PathBuf,
    baud: u32,
    desk: Desk,
    /// Whether an open port is all that is needed.
    is_enough: bool,
    pauses: Backoff,
    opened_at: Option<Instant>,
    /// Whether its loss was logged; its return is logged only then.
    is_missed: bool,
}

impl Port {
    /// The port of a device. Its loss is noted at the desk; so is its opening, for a reader.
    pub fn new(place: Place, path: PathBuf, baud: u32, desk: Desk) -> Self {
        let pauses = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let is_enough = place.kind == DeviceKind::Reader;
        Self { place, path, baud, desk, is_enough, pauses, opened_at: None, is_missed: false }
    }

    /// A device that says itself that it is there: its driver notes that, not the opening of the port.
    #[must_use]
    pub fn must_answer(mut self) -> Self {
        self.is_enough = false;
        self
    }

    /// Waits until the port can be opened; `None` when it is time to stop.
    pub async fn open(&mut self, stop: &CancellationToken) -> Option<SerialStream> {
        let (path, baud) = (self.path.clone(), self.baud);
        self.open_with(stop, || open(path.clone(), baud)).await
    }

    /// The same for a port that is opened in another way.
    pub(crate) async fn open_with<T, O: Future<Output = io::Result<T>>>(
        &mut self,
        stop: &CancellationToken,
        opening: impl Fn() -> O,
    ) -> Option<T> {
        loop {
            let opened = tokio::select! {
                () = stop.cancelled() => return None,
                opened = opening() => opened,
            };
            match opened {
                Ok(stream) => {
                    self.found();
                    return Some(stream);
                }
                Err(error) => self.lost(&error),
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                () = sleep(self.pauses.pause()) => {}
            }
        }
    }

    /// The open port has failed, or could not be opened.
    pub fn lost(&mut self, error: &io::Error) {
        if self.opened_at.take().is_some_and(|at| at.elapsed() >= SETTLED) {
            self.pauses.reset();
        }
        let why = explain(error);
        if !self.is_missed {
            self.is_missed = true;
            warn!(place = %self.place, port = %self.path.display(), why, "serial port is lost: waiting for it");
        }
        self.desk.note(&self.place, status::lost(why));
    }

    fn found(&mut self) {
        self.opened_at = Some(Instant::now());
        let (place, port) = (&self.place, self.path.display());
        if std::mem::take(&mut self.is_missed) {
            info!(%place, %port, "serial port is back");
        } else {
            info!(%place, %port, "serial port is open");
        }
        if self.is_enough {
            self.desk.note(&self.place, status::idle());
        }
    }
}

/// Opens a port for this process alone: 8 data bits, no parity, 1 stop bit, DTR on, since some scanners send
/// nothing without it. Off the async threads, because a sick USB device can hold up the call.
pub(crate) async fn open(path: PathBuf, baud: u32) -> io::Result<SerialStream> {
    spawn_blocking(move || open_now(&path, baud)).await.map_err(io::Error::other)?
}

fn open_now(path: &Path, baud: u32) -> io::Result<SerialStream> {
    let path = path.to_str().ok_or_else(|| io::Error::other("the name of the port is no text"))?;
    let stream = tokio_serial::new(path, baud)
        .exclusive(true)
        .dtr_on_open(true)
        .open_native_async()
        .map_err(io::Error::from)?;
    Ok(stream)
}

/// What is wrong with a port, in words.
pub(crate) fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such device; is it plugged in?".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; the user of the bridge must be in the group of the port: mostly dialout, for keyboards input".to_owned()
        }
        io::ErrorKind::UnexpectedEof => "the device went away".to_owned(),
        _ => error.to_string(),
    }
}
