//! The chip behind a port, in real time.

use super::cards::Card;
use super::chip::Chip;
use super::line::{Direction, Incident, Line, Planned};
use super::timing::Timing;
use crate::drivers::nfc::uart::Pn532Uart;
use crate::emulators::pty::Pty;
use protocol::serial::pn532::{Link, Settings};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Portions in which a USB adapter hands bytes over.
const PORTION: Duration = Duration::from_millis(1);

/// An emulated reader. Dropping it pulls it out.
#[derive(Debug)]
pub struct Pn532 {
    orders: mpsc::Sender<Order>,
    link: PathBuf,
    _task: JoinSet<()>,
}

/// A card was held to the reader.
#[derive(Debug, Clone, Copy)]
pub struct Presented {
    /// Names it when it is taken away.
    pub id: u64,
    /// When.
    pub at: Instant,
}

#[derive(Debug)]
enum Order {
    Present(Card, oneshot::Sender<Presented>),
    TakeAway(u64, oneshot::Sender<Option<Card>>),
    Clear(oneshot::Sender<()>),
    Unplug(oneshot::Sender<()>),
    Plug(oneshot::Sender<io::Result<()>>),
    Plan(Planned, oneshot::Sender<()>),
    IsOpen(oneshot::Sender<bool>),
}

/// What the host sees of it.
#[derive(Debug)]
enum End {
    Port(Pty),
    Memory(DuplexStream),
    Unplugged,
}

struct Device {
    end: End,
    link: PathBuf,
    chip: Chip,
    line: Line,
    origin: Instant,
    back_at: Option<Duration>,
}

impl Pn532 {
    /// Plugs a reader in; its port appears as `link`.
    pub fn plug_in(link: &Path, timing: Timing) -> io::Result<Self> {
        Ok(Self::start(End::Port(Pty::plug_in(link)?), link, timing))
    }

    /// A reader without a port, with its other end.
    pub fn in_memory(timing: Timing) -> (Self, Pn532Uart<Link, DuplexStream>) {
        let (chip_end, host_end) = duplex(4_096);
        let emulator = Self::start(End::Memory(chip_end), Path::new(""), timing);
        let link = Link::new(Settings::default());
        (emulator, Pn532Uart::new(host_end, link, Instant::now()))
    }

    fn start(end: End, link: &Path, timing: Timing) -> Self {
        let (orders, received) = mpsc::channel(16);
        let device = Device {
            end,
            link: link.to_owned(),
            chip: Chip::new(timing),
            line: Line::sound(),
            origin: Instant::now(),
            back_at: None,
        };
        let mut task = JoinSet::new();
        task.spawn(device.live(received));
        Self { orders, link: link.to_owned(), _task: task }
    }

    /// The name of its port.
    pub fn link(&self) -> &Path {
        &self.link
    }

    /// Holds a card to the reader.
    pub async fn present(&self, card: Card) -> io::Result<Presented> {
        self.ask(|answer| Order::Present(card, answer)).await
    }

    /// Takes a card away, if it is there.
    pub async fn take_away(&self, id: u64) -> io::Result<Option<Card>> {
        self.ask(|answer| Order::TakeAway(id, answer)).await
    }

    /// Takes all cards away.
    pub async fn clear(&self) -> io::Result<()> {
        self.ask(Order::Clear).await
    }

    /// Pulls the cable out: the port and its name vanish, the chip loses power.
    pub async fn unplug(&self) -> io::Result<()> {
        self.ask(Order::Unplug).await
    }

    /// Puts the cable back: a new port under the old name.
    pub async fn plug_back(&self) -> io::Result<()> {
        self.ask(Order::Plug).await?
    }

    /// Plans a trouble on its line.
    pub async fn plan(&self, planned: Planned) -> io::Result<()> {
        self.ask(|answer| Order::Plan(planned, answer)).await
    }

    /// Whether a program has its port open.
    pub async fn is_open(&self) -> io::Result<bool> {
        self.ask(Order::IsOpen).await
    }

    async fn ask<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> io::Result<T> {
        let (answer, answered) = oneshot::channel();
        self.orders.send(order(answer)).await.map_err(io::Error::other)?;
        answered.await.map_err(io::Error::other)
    }
}

impl Device {
    async fn live(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut buffer = [0; 1_024];
        let mut last_portion = Duration::ZERO;
        loop {
            let portion = last_portion + PORTION;
            let wake = self.wake_at().map(|at| at.max(portion));
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.obey(order),
                    None => return,
                },
                length = self.end.read(&mut buffer) => {
                    let now = self.origin.elapsed();
                    let (arrived, incident) =
                        self.line.pass(Direction::ToChip, &buffer[..length], now);
                    self.chip.receive(&arrived, now);
                    self.befall(incident);
                }
                () = sleep_until(self.origin + wake.unwrap_or_default()), if wake.is_some() => {}
            }
            last_portion = self.origin.elapsed();
            self.pump(last_portion).await;
        }
    }

    fn wake_at(&self) -> Option<Duration> {
        match self.back_at {
            Some(at) => Some(at),
            None => [self.chip.wake_at(), self.line.wake_at()].into_iter().flatten().min(),
        }
    }

    async fn pump(&mut self, now: Duration) {
        if self.back_at.take_if(|at| *at <= now).is_some() {
            // It stays away if its name is taken.
            let _ = self.plug_in();
        }
        let held_up = self.line.released(Direction::ToChip, now);
        self.chip.receive(&held_up, now);
        let sent = self.chip.send(now);
        let (arrived, incident) = self.line.pass(Direction::ToHost, &sent, now);
        self.befall(incident);
        if !arrived.is_empty() {
            self.end.write(&arrived).await;
        }
    }

    fn obey(&mut self, order: Order) {
        let now = self.origin.elapsed();
        // Who asked may have gone: then nobody wants to know.
        match order {
            Order::Present(card, answer) => {
                let id = self.chip.present(card, now);
                let _ = answer.send(Presented { id, at: self.origin + now });
            }
            Order::TakeAway(id, answer) => drop(answer.send(self.chip.take_away(id, now))),
            Order::Clear(answer) => {
                self.chip.clear(now);
                let _ = answer.send(());
            }
            Order::Unplug(answer) => {
                self.unplug();
                let _ = answer.send(());
            }
            Order::Plug(answer) => drop(answer.send(self.plug_in())),
            Order::Plan(planned, answer) => {
                self.line.plan(planned);
                let _ = answer.send(());
            }
            Order::IsOpen(answer) => drop(answer.send(self.end.is_open())),
        }
    }

    fn befall(&mut self, incident: Option<Incident>) {
        match incident {
            None => {}
            Some(Incident::BrownOut) => self.chip.reset(),
            Some(Incident::Vanish(time)) => {
                self.unplug();
                self.back_at = Some(self.origin.elapsed() + time);
            }
        }
    }

    fn unplug(&mut self) {
        self.end = End::Unplugged;
        self.line.empty();
        self.chip.reset();
    }

    fn plug_in(&mut self) -> io::Result<()> {
        self.unplug();
        self.end = End::Port(Pty::plug_in(&self.link)?);
        Ok(())
    }
}

impl End {
    fn is_open(&self) -> bool {
        match self {
            Self::Port(pty) => pty.is_open(),
            Self::Memory(_) => true,
            Self::Unplugged => false,
        }
    }

    /// Waits until the host has sent something. May be cancelled.
    async fn read(&mut self, buffer: &mut [u8]) -> usize {
        loop {
            let read = match self {
                Self::Port(pty) => {
                    pty.opened().await;
                    pty.read(buffer).await
                }
                Self::Memory(memory) => memory.read(buffer).await,
                Self::Unplugged => std::future::pending().await,
            };
            match read {
                Ok(length @ 1..) => return length,
                _ if matches!(self, Self::Memory(_)) => *self = Self::Unplugged,
                // Closed since it was looked at.
                _ => tokio::task::yield_now().await,
            }
        }
    }

    /// What nobody reads is lost.
    async fn write(&mut self, bytes: &[u8]) {
        let _ = match self {
            Self::Port(pty) if pty.is_open() => pty.write(bytes).await,
            Self::Memory(memory) => memory.write_all(bytes).await,
            Self::Port(_) | Self::Unplugged => Ok(()),
        };
    }
}
