//! QR scanners: what is scanned becomes a tap of the reader that the scanner is.

use crate::config::ScannerConfig;
use crate::desk::Desk;
use crate::place::Place;
use crate::port::Port;
use protocol::credential::Credential;
use protocol::ids::Code;
use protocol::serial::scanner::{Counts, Input, Link, Output};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// Scans that wait for the disk. When it is full the port waits, and the kernel keeps its bytes.
const DEPTH: usize = 16;

/// A code was held in front of the scanner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The code.
    pub code: String,
    /// When it was there whole, by the clock of [`run`].
    pub at: Duration,
}

/// Serves one scanner until it is stopped, however often its port comes and goes.
pub async fn run(config: ScannerConfig, desk: Desk, stop: CancellationToken) -> anyhow::Result<()> {
    let mut link = Link::new(config.settings());
    let place = Place::reader(&config.code);
    desk.inbox.serve_deaf(&place);
    let mut port = Port::new(place, config.port, config.baud, desk.clone());
    let origin = Instant::now();
    let (scans, presented) = mpsc::channel(DEPTH);
    let keep = keep(config.code, desk, origin, presented);
    let read = async {
        while let Some(stream) = port.open(&stop).await {
            link.handle(Input::Reopened, origin.elapsed());
            match drive(stream, &mut link, origin, &scans, &stop).await {
                Ok(()) => break,
                Err(error) => port.lost(&error),
            }
        }
        drop(scans);
    };
    tokio::join!(keep, read);
    Ok(())
}

/// The whole I/O of a scanner: returns when it is stopped, or with the error of the port.
pub async fn drive(
    mut port: impl AsyncRead + Unpin,
    link: &mut Link,
    origin: Instant,
    scans: &mpsc::Sender<Scan>,
    stop: &CancellationToken,
) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let wake = link.wake_at();
        let before = link.counts();
        let outputs = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            read = port.read(&mut buffer) => match read? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => link.handle(Input::Bytes(&buffer[..length]), origin.elapsed()),
            },
            () = sleep_until(origin + wake.unwrap_or_default()), if wake.is_some() => {
                link.handle(Input::Tick, origin.elapsed())
            }
        };
        tell(before, link.counts());
        for Output::Code { code, at } in outputs {
            scans.send(Scan { code, at }).await.map_err(io::Error::other)?;
        }
    }
}

pub(super) fn tell(before: Counts, after: Counts) {
    if before != after {
        let Counts { overlong, partial, repeated } = after;
        debug!(overlong, partial, repeated, "not every line of the scanner was a presentation");
    }
}

/// Makes taps of scans. The age of a tap begins when its code was there, not when the disk had time for it.
pub(super) async fn keep(
    reader: Code,
    desk: Desk,
    origin: Instant,
    mut scans: mpsc::Receiver<Scan>,
) {
    while let Some(Scan { code, at }) = scans.recv().await {
        let taken = desk.clock.ago(origin.elapsed().saturating_sub(at));
        desk.tap(&reader, &Credential::Qr { code }, taken).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncWriteExt, duplex};

    #[tokio::test(start_paused = true)]
    async fn bytes_become_scans_with_and_without_ending() {
        let (mut device, port) = duplex(64);
        let (scans, mut scans_out) = mpsc::channel(8);
        let stop = CancellationToken::new();
        let origin = Instant::now();
        let mut link = Link::default();
        let script = async {
            device.write_all(b"]Q1G1first\r\n").await.unwrap();
            device.write_all(b"G1sec").await.unwrap();
            tokio::time::sleep(Duration::from_millis(60)).await;
            device.write_all(b"ond").await.unwrap();
            let found = [scans_out.recv().await.unwrap(), scans_out.recv().await.unwrap()];
            stop.cancel();
            found
        };

        let (driven, found) = tokio::join!(drive(port, &mut link, origin, &scans, &stop), script);

        driven.unwrap();
        assert_eq!(found[0], Scan { code: "G1first".into(), at: Duration::ZERO });
        assert_eq!(found[1], Scan { code: "G1second".into(), at: Duration::from_millis(60) });
        assert_eq!(origin.elapsed(), Duration::from_millis(160));
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_that_ends_is_an_error() {
        let (device, port) = duplex(64);
        let (scans, _scans_out) = mpsc::channel(8);
        drop(device);

        let stop = CancellationToken::new();
        let ended = drive(port, &mut Link::default(), Instant::now(), &scans, &stop).await;

        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
