//! A CSAFE console on a pseudo terminal: the console and the faults of its line are values, this is their port.

mod answers;
mod console;
mod line;
mod workout;

pub use answers::Units;
pub use console::{Console, Make};
pub use line::{FAULTS, Fault, GONE, Line, Passed, STALL};
pub use workout::{KINDS, Kind, Workout};

use super::pty::Pty;
use anyhow::{Context, Result};
use std::future::pending;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// A byte at 9600 baud.
const BYTE_TIME: Duration = Duration::from_micros(1_042);
/// Nobody has the port open; the kernel does not tell when that changes.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What happens to a console that is being played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// Somebody identifies themselves and begins, or goes on after a pause.
    Begin,
    /// Somebody presses start without the master.
    Press,
    /// The exercise is paused.
    Pause,
    /// The exercise ends.
    Finish,
    /// The console is free for the next one.
    Leave,
    /// The next byte suffers this.
    Fault(Fault),
    /// The cable is pulled out.
    Unplug,
    /// The cable is put back.
    Plug,
}

impl Happening {
    /// The word that is typed for it.
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match word.trim() {
            "begin" => Self::Begin,
            "press" => Self::Press,
            "pause" => Self::Pause,
            "finish" => Self::Finish,
            "leave" => Self::Leave,
            "drop" => Self::Fault(Fault::Drop),
            "corrupt" => Self::Fault(Fault::Corrupt),
            "stall" => Self::Fault(Fault::Stall),
            "garbage" => Self::Fault(Fault::Garbage),
            "vanish" => Self::Fault(Fault::Vanish),
            "reenumerate" => Self::Fault(Fault::Reenumerate),
            "!unplug" => Self::Unplug,
            "!plug" => Self::Plug,
            _ => return None,
        })
    }
}

/// A console at a port. It is out when the port is dropped.
struct Port<'a> {
    link: &'a Path,
    pty: Option<Pty>,
    console: Console,
    line: Line,
    origin: Instant,
    /// When a port that vanished comes back.
    back_at: Option<Instant>,
}

/// Plays a console at `link` until the happenings end.
pub async fn serve(
    link: &Path,
    make: Make,
    happenings: mpsc::Receiver<Happening>,
) -> io::Result<()> {
    let mut happenings = happenings;
    let mut port = Port {
        link,
        pty: Some(Pty::plug_in(link)?),
        console: Console::new(make),
        line: Line::default(),
        origin: Instant::now(),
        back_at: None,
    };
    let mut buffer = [0; 256];
    loop {
        let wake = port.console.wake_at().map(|at| port.origin + at);
        tokio::select! {
            happening = happenings.recv() => match happening {
                Some(happening) => port.happen(happening)?,
                None => return Ok(()),
            },
            read = read(port.pty.as_ref(), &mut buffer) => {
                let bytes = &buffer[..read?];
                port.hear(bytes).await;
            }
            () = sleep_until(wake.unwrap_or(port.origin)), if wake.is_some() => port.speak().await,
            () = sleep_until(port.back_at.unwrap_or(port.origin)), if port.back_at.is_some() => {
                port.back_at = None;
                port.pty = Some(Pty::plug_in(link)?);
            }
        }
    }
}

async fn read(pty: Option<&Pty>, buffer: &mut [u8]) -> io::Result<usize> {
    let Some(pty) = pty else { return pending().await };
    match pty.read(buffer).await? {
        0 => {
            sleep(LOOK_EVERY).await;
            Ok(0)
        }
        read => Ok(read),
    }
}

impl Port<'_> {
    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    fn happen(&mut self, happening: Happening) -> io::Result<()> {
        let now = self.now();
        match happening {
            Happening::Begin => self.console.begin(now),
            Happening::Press => self.console.press_start(now),
            Happening::Pause => self.console.pause(now),
            Happening::Finish => self.console.finish(now),
            Happening::Leave => self.console.leave(now),
            Happening::Fault(fault) => self.line = Line::with(fault, 0),
            Happening::Unplug => self.pty = None,
            Happening::Plug => {
                self.pty = None;
                self.pty = Some(Pty::plug_in(self.link)?);
            }
        }
        Ok(())
    }

    async fn hear(&mut self, bytes: &[u8]) {
        for (at, piece) in self.pass(bytes) {
            sleep_until(self.origin + at).await;
            self.console.receive(&piece, self.now());
        }
    }

    async fn speak(&mut self) {
        let bytes = self.console.send(self.now());
        for (at, piece) in self.pass(&bytes) {
            sleep_until(self.origin + at).await;
            if let Some(pty) = self.pty.as_ref().filter(|pty| pty.is_open()) {
                // The program may have closed the port this moment; the console does not mind.
                let _ = pty.write(&piece).await;
            }
        }
    }

    /// At the speed of the line, whatever the pseudo terminal could do.
    fn pass(&mut self, bytes: &[u8]) -> Vec<(Duration, Vec<u8>)> {
        if bytes.is_empty() {
            return Vec::new();
        }
        let now = self.now();
        let on_the_line = BYTE_TIME * u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let Passed { pieces, gone_for, is_rebooted } =
            self.line.pass(bytes, now, now + on_the_line);
        if let Some(gone_for) = gone_for {
            self.pty = None;
            self.back_at = Some(Instant::now() + gone_for);
        }
        if is_rebooted {
            self.console.reboot(now);
        }
        pieces
    }
}

/// Plays what is typed; with `busy` members come and go by themselves.
pub(super) async fn play(link: &Path, make: Make, busy: bool) -> Result<()> {
    let (happen, happenings) = mpsc::channel(16);
    say(&format!(
        "console is at {}; type begin, press, pause, finish, leave, a fault, !unplug or !plug",
        link.display()
    ))?;
    let typed = async {
        let mut lines = BufReader::new(stdin()).lines();
        while let Some(line) = lines.next_line().await? {
            match Happening::of_word(&line) {
                Some(happening) => happen.send(happening).await?,
                None => say("unknown word")?,
            }
        }
        anyhow::Ok(())
    };
    let visits = async {
        if !busy {
            return pending::<Result<()>>().await;
        }
        for (happening, lasts_s) in VISIT.into_iter().cycle() {
            happen.send(happening).await?;
            sleep(Duration::from_secs(lasts_s)).await;
        }
        Ok(())
    };
    tokio::select! {
        served = serve(link, make, happenings) => served.with_context(|| format!("cannot play {}", link.display())),
        ended = typed => ended,
        ended = visits => ended,
    }
}

/// How one member uses a console, and for how many seconds each.
const VISIT: [(Happening, u64); 5] = [
    (Happening::Begin, 40),
    (Happening::Pause, 5),
    (Happening::Begin, 30),
    (Happening::Finish, 6),
    (Happening::Leave, 9),
];

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}
