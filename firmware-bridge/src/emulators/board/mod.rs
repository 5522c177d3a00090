//! One of our boards: the reference core of the firmware, with a person at the machine and a cable that can be pulled.
//!
//! [`Bench`] is the board without time and port, for tests that walk through faults in simulated time. [`Board`] is
//! the same on a pseudo terminal.

pub mod bench;
pub mod line;

use super::pty::Pty;
use anyhow::{Context, Result, anyhow};
use bench::{Bench, Deed};
use protocol::serial::board::device::Identity;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

/// Deeds that wait for their turn.
const DEPTH: usize = 64;

/// A line that is full for longer loses bytes.
const WRITE_PATIENCE: Duration = Duration::from_millis(500);

/// What can be asked of a running board.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Do(Deed),
    Unplug,
    PlugBack,
}

/// How a running board is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// Messages that the host has not acked.
    pub unacked: usize,
    /// The commands that it was told, in order, with their texts.
    pub commands: Vec<(String, Option<String>)>,
    /// Whether it has anything left to do.
    pub is_busy: bool,
}

/// A board on a pseudo terminal. Dropping it pulls it out.
#[derive(Debug)]
pub struct Board {
    wishes: mpsc::Sender<Wish>,
    shown: watch::Receiver<Shown>,
    _task: JoinSet<io::Result<()>>,
}

impl Board {
    /// Plugs a board in; its port appears as `link`.
    pub fn plug_in(link: &Path, identity: Identity) -> io::Result<Self> {
        let (wishes, inbox) = mpsc::channel(DEPTH);
        let (show, shown) = watch::channel(Shown::default());
        let running = Running {
            link: link.to_owned(),
            pty: Some(Pty::plug_in(link)?),
            bench: Bench::new(identity),
            origin: Instant::now(),
            commands: Vec::new(),
            show,
        };
        let mut task = JoinSet::new();
        task.spawn(running.run(inbox));
        Ok(Self { wishes, shown, _task: task })
    }

    /// Lets it do something, after everything before.
    pub async fn act(&self, deed: Deed) {
        self.wish(Wish::Do(deed)).await;
    }

    /// Pulls the cable out; the board goes on without it.
    pub async fn unplug(&self) {
        self.wish(Wish::Unplug).await;
    }

    /// Puts the cable back: a new port under the old name.
    pub async fn plug_back(&self) {
        self.wish(Wish::PlugBack).await;
    }

    /// How it is, whenever that changes.
    pub fn shown(&self) -> watch::Receiver<Shown> {
        self.shown.clone()
    }

    async fn wish(&self, wish: Wish) {
        // A board that has failed shows nothing any more; whoever waits for it sees that.
        let _ = self.wishes.send(wish).await;
    }
}

struct Running {
    link: PathBuf,
    pty: Option<Pty>,
    bench: Bench,
    origin: Instant,
    commands: Vec<(String, Option<String>)>,
    show: watch::Sender<Shown>,
}

impl Running {
    async fn run(mut self, mut inbox: mpsc::Receiver<Wish>) -> io::Result<()> {
        let mut buffer = [0; 1024];
        loop {
            let wake = self.origin + Duration::from_millis(self.bench.wake_at_ms());
            let bytes = tokio::select! {
                wish = inbox.recv() => match wish {
                    None => return Ok(()),
                    Some(wish) => self.follow(wish)?,
                },
                read = read(self.pty.as_ref(), &mut buffer) => {
                    let now_ms = self.now_ms();
                    self.bench.hear(&buffer[..read?], now_ms)
                }
                () = sleep_until(wake) => {
                    let now_ms = self.now_ms();
                    self.bench.tick(now_ms)
                }
            };
            // Bytes of a board that nobody listens to are gone, as on a real line.
            if let Some(pty) = self.pty.as_ref().filter(|pty| pty.is_open()) {
                // Nor does it wait for a host that takes none.
                let _ = timeout(WRITE_PATIENCE, pty.write(&bytes)).await;
            }
            self.tell();
        }
    }

    fn follow(&mut self, wish: Wish) -> io::Result<Vec<u8>> {
        match wish {
            Wish::Do(deed) => return Ok(self.bench.act(deed, self.now_ms())),
            Wish::Unplug => self.pty = None,
            Wish::PlugBack => {
                self.pty = None;
                self.pty = Some(Pty::plug_in(&self.link)?);
            }
        }
        Ok(Vec::new())
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn tell(&mut self) {
        let ordered = self.bench.take_orders();
        self.commands.extend(ordered.into_iter().map(|order| (order.command, order.text)));
        let shown = Shown {
            unacked: self.bench.device().unacked(),
            commands: self.commands.clone(),
            is_busy: self.bench.is_busy(),
        };
        self.show.send_if_modified(|known| std::mem::replace(known, shown.clone()) != shown);
    }
}

/// Never, without a cable.
async fn read(pty: Option<&Pty>, buffer: &mut [u8]) -> io::Result<usize> {
    let Some(pty) = pty else { return std::future::pending().await };
    pty.opened().await;
    match pty.read(buffer).await? {
        // Closed by the host just now; wait until it is opened again.
        0 => {
            pty.opened().await;
            Ok(0)
        }
        length => Ok(length),
    }
}

/// Does what is typed.
pub(super) async fn play(link: &Path, code: &str) -> Result<()> {
    let boot = getrandom::u32().map_err(|error| anyhow!("no random numbers: {error}"))?;
    let identity = Identity { code: code.to_owned(), firmware: "emulator".to_owned(), boot };
    let board = Board::plug_in(link, identity)
        .with_context(|| format!("cannot make {}", link.display()))?;
    writeln!(
        io::stdout(),
        "board {code} is at {}; type lift N KG, row SECONDS, state WORD, !unplug, !plug, !reboot",
        link.display()
    )?;
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match line.as_str() {
            "!unplug" => board.unplug().await,
            "!plug" => board.plug_back().await,
            typed => match Deed::parse(typed) {
                Some(deed) => board.act(deed).await,
                None => writeln!(io::stdout(), "not understood: {typed}")?,
            },
        }
        writeln!(io::stdout(), "{:?}", *board.shown().borrow())?;
    }
    Ok(())
}
