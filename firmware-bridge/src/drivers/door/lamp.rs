//! Lamps and the buzzer of a reader: they tell whoever tapped what was decided. A broken one disturbs nothing.

use super::state::Signal;
use super::wire::{Line, Wire};
use std::io;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// How a lamp tells something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blink {
    /// On for so long,
    pub on: Duration,
    /// then off for so long,
    pub off: Duration,
    /// so many times.
    pub times: u32,
}

/// Which lamp it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lamp {
    /// Come in.
    Green,
    /// No.
    Red,
    /// For those who do not look.
    Buzzer,
}

impl Lamp {
    /// What this lamp does about a signal; `None`: it goes off.
    pub fn blink(self, signal: Signal) -> Option<Blink> {
        let blink = |on, off, times| {
            Some(Blink { on: Duration::from_millis(on), off: Duration::from_millis(off), times })
        };
        match (self, signal) {
            (Self::Green, Signal::Granted) => blink(2_000, 0, 1),
            (Self::Red, Signal::Denied) => blink(250, 150, 3),
            (Self::Buzzer, Signal::Granted) => blink(120, 0, 1),
            (Self::Buzzer, Signal::Denied) => blink(120, 80, 3),
            _ => None,
        }
    }
}

/// Shows each signal until the next one, or until it has been shown.
pub async fn run(
    lamp: Lamp,
    wire: impl Wire,
    name: String,
    mut signals: watch::Receiver<Option<Signal>>,
    stop: CancellationToken,
) {
    let mut is_broken = false;
    while let Some(signal) = next(&mut signals, &stop).await {
        let Some(blink) = lamp.blink(signal) else { continue };
        // A receiver of its own, so that `next` sees the next signal too. Dropping the line switches it off.
        let mut again = signals.clone();
        let shown = tokio::select! {
            shown = show(&wire, blink) => shown,
            _ = again.changed() => Ok(()),
            () = stop.cancelled() => return,
        };
        if let Err(error) = &shown
            && !is_broken
        {
            warn!(line = name, %error, "a lamp or buzzer cannot be switched");
        }
        is_broken = shown.is_err();
    }
}

async fn next(
    signals: &mut watch::Receiver<Option<Signal>>,
    stop: &CancellationToken,
) -> Option<Signal> {
    loop {
        tokio::select! {
            () = stop.cancelled() => return None,
            changed = signals.changed() => changed.ok()?,
        }
        if let Some(signal) = *signals.borrow_and_update() {
            return Some(signal);
        }
    }
}

async fn show(wire: &impl Wire, blink: Blink) -> io::Result<()> {
    let mut line = wire.open().await?;
    for _ in 0..blink.times {
        line.set(true).await?;
        sleep(blink.on).await;
        line.set(false).await?;
        sleep(blink.off).await;
    }
    Ok(())
}
