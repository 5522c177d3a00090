//! CSAFE consoles: what a console measures becomes samples of the machine that it belongs to.
//!
//! The bridge only watches; it never changes what a console does, but for a `reset` that the agent orders.

mod console;
mod quirks;

pub use quirks::{BUILT_IN, load as load_quirks};

use crate::config::CsafeConfig;
use crate::desk::Desk;
use crate::inbox::Mailbox;
use crate::place::Place;
use crate::port::Port;
use console::Console;
use protocol::serial::csafe::Input;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// A port that takes no bytes for so long is broken.
const STUCK_AFTER: Duration = Duration::from_secs(1);

/// Serves one console until it is stopped, however often its port comes and goes.
pub async fn run(config: CsafeConfig, desk: Desk, stop: CancellationToken) -> anyhow::Result<()> {
    let quirks = quirks::load(&config.quirks)?;
    let place = Place::machine(&config.code);
    let mut mailbox = desk.inbox.mailbox(place.clone(), &["reset"]);
    let mut port = Port::new(place, config.port, config.baud, desk.clone()).must_answer();
    let mut console = Console::new(config.code, quirks, desk)?;
    loop {
        let opened = tokio::select! {
            opened = port.open(&stop) => opened,
            Some(mail) = mailbox.recv() => {
                console.read(mail).await;
                continue;
            }
        };
        let Some(stream) = opened else { return Ok(()) };
        match drive(stream, &mut console, &mut mailbox, &stop).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                console.lost().await;
                port.lost(&error);
            }
        }
    }
}

/// The whole I/O of a console: returns when it is stopped, or with the error of the port.
async fn drive(
    mut port: impl AsyncRead + AsyncWrite + Unpin,
    console: &mut Console,
    mailbox: &mut Mailbox,
    stop: &CancellationToken,
) -> io::Result<()> {
    let mut buffer = [0; 256];
    let mut writes = console.handle(Input::Opened).await;
    loop {
        for bytes in writes {
            timeout(STUCK_AFTER, port.write_all(&bytes)).await??;
        }
        let wake = console.wake_at();
        writes = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            read = port.read(&mut buffer) => match read? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => console.handle(Input::Bytes(&buffer[..length])).await,
            },
            Some(mail) = mailbox.recv() => console.read(mail).await,
            () = sleep_until(wake.unwrap_or_else(|| console.origin())), if wake.is_some() => {
                console.handle(Input::Tick).await
            }
        };
    }
}
