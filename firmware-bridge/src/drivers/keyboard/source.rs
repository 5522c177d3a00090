//! Where key events come from: an input device of the kernel, or a named pipe that plays one in tests.

use evdev::raw_stream::{EventStream, RawDevice};
use protocol::serial::keyboard::{EVENT_BYTES, InputEvent};
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::task::spawn_blocking;

/// An open device.
pub(super) enum Source {
    Device(Box<EventStream>),
    Pipe(Pipe),
}

/// A pipe of `struct input_event`.
pub(super) struct Pipe {
    pipe: pipe::Receiver,
    partial: Vec<u8>,
}

impl Source {
    /// Opens a device and takes it for this process alone.
    pub async fn open(path: PathBuf) -> io::Result<Self> {
        if fs::metadata(&path)?.file_type().is_fifo() {
            let pipe = pipe::OpenOptions::new().open_receiver(&path)?;
            return Ok(Self::Pipe(Pipe { pipe, partial: Vec::new() }));
        }
        let device = spawn_blocking(move || grab(&path)).await.map_err(io::Error::other)??;
        Ok(Self::Device(Box::new(device.into_event_stream()?)))
    }

    /// The next event. May be cancelled.
    pub async fn next(&mut self) -> io::Result<InputEvent> {
        match self {
            Self::Device(device) => {
                let event = device.next_event().await?;
                let (kind, code, value) = (event.event_type().0, event.code(), event.value());
                Ok(InputEvent { kind, code, value })
            }
            Self::Pipe(pipe) => pipe.next().await,
        }
    }
}

impl Pipe {
    async fn next(&mut self) -> io::Result<InputEvent> {
        loop {
            if let Some((event, rest)) = self.partial.split_first_chunk::<EVENT_BYTES>() {
                let event = InputEvent::from_bytes(event);
                self.partial = rest.to_vec();
                return Ok(event);
            }
            let mut buffer = [0; 32 * EVENT_BYTES];
            match self.pipe.read(&mut buffer).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => self.partial.extend_from_slice(&buffer[..length]),
            }
        }
    }
}

fn grab(path: &Path) -> io::Result<RawDevice> {
    let mut device = RawDevice::open(path)?;
    device.grab()?;
    Ok(device)
}
