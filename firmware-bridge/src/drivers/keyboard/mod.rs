//! QR scanners that type like keyboards. The device is taken for this process alone, so that codes are not typed into a
//! console of the computer as well.

mod source;

use super::scanner::{Scan, keep, tell};
use crate::config::KeyboardConfig;
use crate::desk::Desk;
use crate::place::Place;
use crate::port::Port;
use protocol::serial::keyboard::{Decoder, InputEvent, Typed};
use protocol::serial::scanner::{Input, Link, Output};
use source::Source;
use std::io;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Scans that wait for the disk. When it is full the device waits, and the kernel keeps its events.
const DEPTH: usize = 16;

/// Serves one scanner until it is stopped, however often it is pulled out and put back.
pub async fn run(
    config: KeyboardConfig,
    desk: Desk,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut link = Link::new(config.settings());
    let layout = config.layout();
    let place = Place::reader(&config.code);
    desk.inbox.serve_deaf(&place);
    let mut port = Port::new(place, config.device.clone(), 0, desk.clone());
    let origin = Instant::now();
    let (scans, presented) = mpsc::channel(DEPTH);
    let keep = keep(config.code, desk, origin, presented);
    let read = async {
        while let Some(source) = port.open_with(&stop, || Source::open(config.device.clone())).await
        {
            let mut keyboard = Keyboard { source, decoder: Decoder::new(layout), link: &mut link };
            match keyboard.drive(origin, &scans, &stop).await {
                Ok(()) => break,
                Err(error) => port.lost(&error),
            }
        }
        drop(scans);
    };
    tokio::join!(keep, read);
    Ok(())
}

struct Keyboard<'a> {
    source: Source,
    decoder: Decoder,
    link: &'a mut Link,
}

impl Keyboard<'_> {
    /// Returns when it is stopped, or with the error of the device.
    async fn drive(
        &mut self,
        origin: Instant,
        scans: &mpsc::Sender<Scan>,
        stop: &CancellationToken,
    ) -> io::Result<()> {
        self.link.handle(Input::Reopened, origin.elapsed());
        loop {
            let wake = self.link.wake_at();
            let before = self.link.counts();
            let outputs = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                event = self.source.next() => self.event(event?, origin),
                () = sleep_until(origin + wake.unwrap_or_default()), if wake.is_some() => {
                    self.link.handle(Input::Tick, origin.elapsed())
                }
            };
            tell(before, self.link.counts());
            for Output::Code { code, at } in outputs {
                scans.send(Scan { code, at }).await.map_err(io::Error::other)?;
            }
        }
    }

    fn event(&mut self, event: InputEvent, origin: Instant) -> Vec<Output> {
        match self.decoder.take(event) {
            Typed::Nothing => Vec::new(),
            Typed::Bytes(bytes) => self.link.handle(Input::Bytes(&bytes), origin.elapsed()),
            Typed::Broken => self.link.handle(Input::Reopened, origin.elapsed()),
        }
    }
}
