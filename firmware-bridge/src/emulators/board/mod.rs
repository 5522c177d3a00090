//! One of our boards: the reference core of the firmware, with a person at the machine and a cable that can be pulled.
//!
//! [`Bench`] is the board without time and port, for tests that walk through faults in simulated time. [`Board`] is
//! the same on a pseudo terminal.

pub mod bench;
mod cable;
pub mod line;

pub use cable::Direction;

use super::pty::Pty;
use anyhow::{Context, Result, anyhow};
use bench::{Bench, Deed};
use cable::Cable;
use line::Fault;
use protocol::serial::board::device::Identity;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::{mpsc, oneshot, watch};
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
    Disturb { direction: Direction, after: u64, fault: Fault },
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
    /// Faults of the cable that have not happened yet.
    pub faults_ahead: usize,
}

/// A board on a pseudo terminal. Dropping it pulls it out.
#[derive(Debug)]
pub struct Board {
    wishes: mpsc::Sender<(Wish, oneshot::Sender<()>)>,
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
            cable: Cable::default(),
            back_at: None,
            show,
        };
        let mut task = JoinSet::new();
        task.spawn(running.run(inbox));
        Ok(Self { wishes, shown, _task: task })
    }

    /// Lets it do something, after everything before; returns when that is begun.
    pub async fn act(&self, deed: Deed) {
        self.wish(Wish::Do(deed)).await;
    }

    /// Lets something happen to the cable when so many bytes more have passed.
    pub async fn disturb(&self, direction: Direction, after: u64, fault: Fault) {
        self.wish(Wish::Disturb { direction, after, fault }).await;
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
        let (done, is_done) = oneshot::channel();
        // A board that has failed shows nothing any more; whoever waits for it sees that.
        if self.wishes.send((wish, done)).await.is_ok() {
            let _ = is_done.await;
        }
    }
}

struct Running {
    link: PathBuf,
    pty: Option<Pty>,
    bench: Bench,
    origin: Instant,
    commands: Vec<(String, Option<String>)>,
    cable: Cable,
    /// When a port that has vanished comes back.
    back_at: Option<Instant>,
    show: watch::Sender<Shown>,
}

impl Running {
    async fn run(
        mut self,
        mut inbox: mpsc::Receiver<(Wish, oneshot::Sender<()>)>,
    ) -> io::Result<()> {
        let mut buffer = [0; 1024];
        loop {
            let of_bench = self.origin + Duration::from_millis(self.bench.wake_at_ms());
            let of_cable = self.back_at.into_iter().chain(self.cable.wake_at());
            let wake = of_cable.fold(of_bench, Instant::min);
            tokio::select! {
                wish = inbox.recv() => match wish {
                    None => return Ok(()),
                    Some((wish, done)) => {
                        self.follow(wish).await?;
                        // What is shown tells of it before whoever wished it goes on.
                        self.tell();
                        let _ = done.send(());
                    }
                },
                read = read(self.pty.as_ref(), &mut buffer) => {
                    let read = read?;
                    self.hear(&buffer[..read]).await?;
                }
                () = sleep_until(wake) => self.tick().await?,
            }
            self.tell();
        }
    }

    async fn tick(&mut self) -> io::Result<()> {
        if self.back_at.take_if(|at| *at <= Instant::now()).is_some() {
            self.plug_back()?;
        }
        // What a stall held back in either direction comes out by itself.
        self.hear(&[]).await?;
        let now_ms = self.now_ms();
        let bytes = self.bench.tick(now_ms);
        self.say(&bytes).await
    }

    async fn follow(&mut self, wish: Wish) -> io::Result<()> {
        match wish {
            Wish::Do(deed) => {
                let bytes = self.bench.act(deed, self.now_ms());
                self.say(&bytes).await
            }
            Wish::Disturb { direction, after, fault } => {
                self.cable.plan(direction, after, fault);
                Ok(())
            }
            Wish::Unplug => {
                self.pull_out();
                Ok(())
            }
            Wish::PlugBack => self.plug_back(),
        }
    }

    async fn hear(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (arrived, happened) = self.cable.pass(Direction::ToBoard, bytes, Instant::now());
        let now_ms = self.now_ms();
        let answer = self.bench.hear(&arrived, now_ms);
        self.befall(happened)?;
        self.say(&answer).await
    }

    /// Bytes of a board that nobody listens to are gone, as on a real line.
    async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (arrived, happened) = self.cable.pass(Direction::ToHost, bytes, Instant::now());
        if let Some(pty) = self.pty.as_ref().filter(|pty| pty.is_open()) {
            // Nor does it wait for a host that takes none.
            let _ = timeout(WRITE_PATIENCE, pty.write(&arrived)).await;
        }
        self.befall(happened)
    }

    fn befall(&mut self, happened: Vec<Fault>) -> io::Result<()> {
        for fault in happened {
            match fault {
                Fault::Vanish(time) => {
                    self.pull_out();
                    self.back_at = Some(Instant::now() + time);
                }
                Fault::Reenumerate => self.plug_back()?,
                Fault::Reboot => drop(self.bench.act(Deed::Reboot, self.now_ms())),
                // They are in the bytes, or are the cable's affair.
                Fault::Drop(_) | Fault::Corrupt(_) | Fault::Garbage(_) | Fault::Stall(_) => {}
            }
        }
        Ok(())
    }

    fn pull_out(&mut self) {
        self.pty = None;
        self.cable.empty();
    }

    fn plug_back(&mut self) -> io::Result<()> {
        self.pull_out();
        self.pty = Some(Pty::plug_in(&self.link)?);
        Ok(())
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
            faults_ahead: self.cable.ahead(),
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
