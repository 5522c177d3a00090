//! What a relay, a lamp or a buzzer hangs on: a GPIO line, or a simulated relay behind a unix socket.
//!
//! On means power on the input of an active-high relay board. Off is what it falls back to: at the start, when its
//! owner drops it, and, as far as the hardware can, when the process dies.

use anyhow::{Context, bail};
use gpiocdev::Request;
use gpiocdev::line::Value;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::spawn_blocking;

/// Something to switch, once it is open.
pub trait Wire: Clone + Send + Sync + 'static {
    /// What is switched.
    type Line: Line;

    /// Opens it and leaves it off.
    fn open(&self) -> impl Future<Output = io::Result<Self::Line>> + Send;
}

/// An open line. Dropping it switches it off.
pub trait Line: Send {
    /// Switches it.
    fn set(&mut self, is_on: bool) -> impl Future<Output = io::Result<()>> + Send;

    /// Returns when the line cannot be switched any more. May be cancelled.
    fn gone(&mut self) -> impl Future<Output = io::Error> + Send;
}

/// The name of a line as it is configured: `GPIO17`, or `unix:/path`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum WireName {
    /// A line of a GPIO chip, by the name that the board gives it.
    Gpio(String),
    /// A simulated relay: it is sent `on` and `off`, and takes the end of the connection for off.
    Unix(PathBuf),
}

/// A line of either kind.
#[derive(Debug)]
pub enum OpenLine {
    /// Held by a request to the kernel; given back when it is dropped.
    Gpio(GpioLine),
    /// A connection to a simulated relay.
    Unix(UnixStream),
}

/// A requested GPIO line.
#[derive(Debug)]
pub struct GpioLine(Request);

impl Wire for WireName {
    type Line = OpenLine;

    async fn open(&self) -> io::Result<OpenLine> {
        match self {
            Self::Gpio(name) => {
                let name = name.clone();
                let opened = spawn_blocking(move || request(&name)).await;
                Ok(OpenLine::Gpio(GpioLine(opened.map_err(io::Error::other)??)))
            }
            Self::Unix(path) => Ok(OpenLine::Unix(UnixStream::connect(path).await?)),
        }
    }
}

/// By name, since the numbers of chips differ between models and kernels.
fn request(name: &str) -> io::Result<Request> {
    let line = gpiocdev::find_named_line(name).ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, "no GPIO chip here has a line of this name")
    })?;
    Request::builder()
        .with_consumer("gymwire")
        .with_found_line(&line)
        .as_output(Value::Inactive)
        .request()
        .map_err(io::Error::other)
}

impl Line for OpenLine {
    async fn set(&mut self, is_on: bool) -> io::Result<()> {
        match self {
            Self::Gpio(GpioLine(request)) => {
                request.set_lone_value(value(is_on)).map_err(io::Error::other)
            }
            Self::Unix(relay) => relay.write_all(if is_on { b"on\n" } else { b"off\n" }).await,
        }
    }

    async fn gone(&mut self) -> io::Error {
        match self {
            // The kernel tells when it is switched, not before.
            Self::Gpio(_) => pending().await,
            Self::Unix(relay) => {
                let mut ignored = [0; 16];
                loop {
                    match relay.read(&mut ignored).await {
                        Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
                        Ok(_) => {}
                        Err(error) => return error,
                    }
                }
            }
        }
    }
}

impl Drop for GpioLine {
    fn drop(&mut self) {
        // What the line does after its request is closed depends on the chip's driver: most leave it as it is.
        let _ = self.0.set_lone_value(Value::Inactive);
    }
}

fn value(is_on: bool) -> Value {
    if is_on { Value::Active } else { Value::Inactive }
}

impl FromStr for WireName {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            if !path.starts_with('/') {
                bail!("unix: wants an absolute path");
            }
            return Ok(Self::Unix(path.into()));
        }
        let is_name = (1..=31).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic());
        is_name
            .then(|| Self::Gpio(text.to_owned()))
            .context("is neither a GPIO line nor unix:/path")
    }
}

impl TryFrom<String> for WireName {
    type Error = anyhow::Error;

    fn try_from(text: String) -> anyhow::Result<Self> {
        text.parse()
    }
}

impl From<WireName> for String {
    fn from(name: WireName) -> Self {
        name.to_string()
    }
}

impl fmt::Display for WireName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gpio(name) => f.write_str(name),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
