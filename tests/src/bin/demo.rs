//! `make demo`: exit code 1 if anything is missing or doubled. `DURATION` in seconds; `KEEP=1` goes on until Ctrl-C.

use anyhow::{Context as _, Result};
use std::time::Duration;
use tests::demo::{self, Options};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options {
        folder: ".gymwire/demo".into(),
        duration: Duration::from_secs(number("DURATION", 45)?),
        keep: number("KEEP", 0)? != 0,
        free_ports: false,
    };
    let stopped = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut signals = JoinSet::new();
    signals.spawn({
        let stopped = stopped.clone();
        async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            stopped.cancel();
        }
    });
    demo::run(options, stopped).await?.judge()
}

fn number(name: &str, default: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name}={text} is no whole number")),
        Err(_) => Ok(default),
    }
}
