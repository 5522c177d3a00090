//! The task that owns a relay, and switches it off when its time is over, whatever the rest of the bridge does.
//!
//! It does nothing else: no mail, no disk, no network can keep it from its timer.

use super::wire::{Line, Wire};
use crate::publisher::Backoff;
use std::io;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

/// A line that takes longer to switch is as good as broken.
const SWITCHED_WITHIN: Duration = Duration::from_millis(500);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What the relay is to do.
#[derive(Debug)]
pub struct Pulse {
    /// On until then; `None`: off.
    pub until: Option<Duration>,
    /// Too late to begin after this.
    pub not_after: Duration,
    /// Whether it is done.
    pub done: oneshot::Sender<Result<(), Undone>>,
}

/// Why a pulse was not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undone {
    /// It came too late.
    Late,
    /// The line does not work.
    NoRelay,
}

/// What ended the service of an open line.
enum End {
    Stopped,
    Lost(io::Error),
}

/// Serves `pulses` until their sender is gone; `is_working` tells whether the line works, and if not, why. Times are
/// since `origin`.
pub async fn run(
    wire: impl Wire,
    name: String,
    origin: Instant,
    mut pulses: mpsc::Receiver<Pulse>,
    is_working: watch::Sender<Result<(), String>>,
) {
    let mut pauses = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let end = match timeout(SWITCHED_WITHIN, open(&wire)).await {
            Ok(Ok(line)) => {
                info!(line = name, "relay is there");
                pauses.reset();
                let _ = is_working.send_replace(Ok(()));
                serve(line, origin, &mut pulses).await
            }
            Ok(Err(error)) => End::Lost(error),
            Err(_) => End::Lost(io::ErrorKind::TimedOut.into()),
        };
        let End::Lost(error) = end else { return };
        let reason = Err(error.to_string());
        if is_working.send_replace(reason.clone()) != reason {
            warn!(line = name, ?reason, "relay cannot be switched: the door stays locked");
        }
        if refuse_for(pauses.pause(), &mut pulses).await.is_err() {
            return;
        }
    }
}

async fn open<W: Wire>(wire: &W) -> io::Result<W::Line> {
    let mut line = wire.open().await?;
    line.set(false).await?;
    Ok(line)
}

/// Nobody waits in vain while there is no line. An error: nobody will ask any more.
async fn refuse_for(pause: Duration, pulses: &mut mpsc::Receiver<Pulse>) -> Result<(), ()> {
    let refuse = async {
        while let Some(pulse) = pulses.recv().await {
            // Whoever asked may have left.
            let _ = pulse.done.send(Err(Undone::NoRelay));
        }
    };
    tokio::select! {
        () = sleep(pause) => Ok(()),
        () = refuse => Err(()),
    }
}

/// What happens next at an open line.
enum Next {
    TimeIsOver,
    Gone(io::Error),
    Pulse(Option<Pulse>),
}

async fn serve(mut line: impl Line, origin: Instant, pulses: &mut mpsc::Receiver<Pulse>) -> End {
    let mut until: Option<Duration> = None;
    loop {
        let next = tokio::select! {
            biased;
            () = sleep_until(origin + until.unwrap_or_default()), if until.is_some() => Next::TimeIsOver,
            error = line.gone() => Next::Gone(error),
            pulse = pulses.recv() => Next::Pulse(pulse),
        };
        let (done, switched) = match next {
            Next::Gone(error) => return End::Lost(error),
            Next::TimeIsOver => {
                until = None;
                (None, switch(&mut line, false).await)
            }
            Next::Pulse(None) => {
                // Dropping the line is the second try.
                let _ = switch(&mut line, false).await;
                return End::Stopped;
            }
            Next::Pulse(Some(pulse)) => {
                let now = origin.elapsed();
                if pulse.until.is_some() && now > pulse.not_after {
                    let _ = pulse.done.send(Err(Undone::Late));
                    continue;
                }
                until = pulse.until.filter(|until| *until > now);
                (Some(pulse.done), switch(&mut line, until.is_some()).await)
            }
        };
        if let Some(done) = done {
            let answer = switched.as_ref().copied().map_err(|_| Undone::NoRelay);
            let _ = done.send(answer);
        }
        if let Err(error) = switched {
            return End::Lost(error);
        }
    }
}

async fn switch(line: &mut impl Line, is_on: bool) -> io::Result<()> {
    timeout(SWITCHED_WITHIN, line.set(is_on)).await.map_err(|_| io::ErrorKind::TimedOut)?
}
