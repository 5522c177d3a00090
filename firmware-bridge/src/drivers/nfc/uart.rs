//! A PN532 at a serial port: moves bytes between the port and its link.

use super::{Event, Nonce, TapReader};
use protocol::serial::pn532::{Input, Link, Output};
use std::borrow::BorrowMut;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until, timeout};

/// A port that takes no byte for so long is broken.
const WRITE_WITHIN: Duration = Duration::from_secs(1);

/// The reader as long as its port is open. What the link knows outlives that.
#[derive(Debug)]
pub struct Pn532Uart<L, P> {
    port: P,
    link: L,
    /// When the link's time began.
    origin: Instant,
    to_send: Vec<u8>,
    events: VecDeque<Event>,
    buffer: [u8; 512],
}

impl<L: BorrowMut<Link>, P> Pn532Uart<L, P> {
    /// A reader at a port that was opened just now. `origin` is the same for all the life of `link`.
    pub fn new(port: P, link: L, origin: Instant) -> Self {
        let (to_send, events) = (Vec::new(), VecDeque::new());
        let mut this = Self { port, link, origin, to_send, events, buffer: [0; 512] };
        this.handle(Input::Opened);
        this
    }

    fn handle(&mut self, input: Input<'_>) {
        let outputs = self.link.borrow_mut().handle(input, self.origin.elapsed());
        self.sort(outputs);
    }

    fn sort(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            self.events.push_back(match output {
                Output::Write(bytes) => {
                    self.to_send.extend(bytes);
                    continue;
                }
                Output::Presented { credential, at } => {
                    Event::Presented { credential, at: self.origin + at }
                }
                Output::AskNonce { request } => Event::NonceWanted { request },
                Output::Working { firmware: (version, revision) } => {
                    Event::Working { firmware: format!("PN532 {version}.{revision}") }
                }
                Output::Faulty(fault) => Event::Faulty(fault.to_string()),
                Output::Notice(notice) => Event::Notice(notice),
            });
        }
    }
}

impl<L, P> TapReader for Pn532Uart<L, P>
where
    L: BorrowMut<Link> + Send,
    P: AsyncRead + AsyncWrite + Unpin + Send,
{
    async fn next(&mut self) -> io::Result<Event> {
        loop {
            while !self.to_send.is_empty() {
                let written = timeout(WRITE_WITHIN, self.port.write(&self.to_send)).await??;
                self.to_send.drain(..written);
            }
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            let wake = self.link.borrow().wake_at();
            let outputs = tokio::select! {
                read = self.port.read(&mut self.buffer) => match read? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    length => self.link.borrow_mut().handle(
                        Input::Bytes(&self.buffer[..length]),
                        self.origin.elapsed(),
                    ),
                },
                () = sleep_until(self.origin + wake.unwrap_or_default()), if wake.is_some() => {
                    self.link.borrow_mut().handle(Input::Tick, self.origin.elapsed())
                }
            };
            self.sort(outputs);
        }
    }

    fn give(&mut self, Nonce { request, nonce, site_no }: Nonce) {
        self.handle(Input::Nonce { request, nonce, site_no });
    }
}
