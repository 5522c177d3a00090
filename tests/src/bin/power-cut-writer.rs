//! Writes to a journal and says on its standard output what was acked and what the cloud got. The power-cut test
//! records its system calls.

use anyhow::{Context as _, Result};
use edge_agent::journal::{
    Ack, AckSink, BatchLimits, Journal, JournalConfig, Received, Synchronous,
};
use edge_agent::ops::clock::Clock;
use std::io::Write as _;
use std::sync::Arc;
use tests::power_cut::{ids, message};
use tokio::sync::Notify;

const OPENINGS: u16 = 4;
const BURSTS: u16 = 25;
const BURST: u16 = 4;

/// Says that a message is acked, at the moment its PUBACK would leave.
#[derive(Default)]
struct Acks(Notify);

impl AckSink for Acks {
    fn committed(&self, acks: &[(u16, u8)]) {
        for (id, _) in acks {
            say("ack", *id);
        }
        self.0.notify_one();
    }
}

/// One line, one system call.
fn say(word: &str, id: u16) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(format!("{word} {id}\n").as_bytes());
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().context("first argument: the folder")?;
    let mut config = JournalConfig::new(folder);
    config.limits.group_ms = 2;
    config.check_after = None;
    config.synchronous = match arguments.next().as_deref() {
        Some("full") => Synchronous::Full,
        Some("off") => Synchronous::Off,
        _ => anyhow::bail!("second argument: full or off"),
    };
    for opening in 0..OPENINGS {
        let (journal, _) = Journal::open(config.clone(), Clock::system())?;
        write(&journal, opening * BURSTS * BURST).await?;
        deliver(&journal).await?;
        journal.close().await;
    }
    Ok(())
}

async fn write(journal: &Journal, first: u16) -> Result<()> {
    let acks = Arc::new(Acks::default());
    for burst in 0..BURSTS {
        let messages = (0..BURST).map(|n| {
            let packet_id = first + burst * BURST + n;
            let connection: Arc<dyn AckSink> = Arc::clone(&acks) as _;
            let ack = Some(Ack { connection, packet_id, reason: 0 });
            Received { ack, ..message(packet_id) }
        });
        journal.submit(messages.collect()).await?;
        acks.0.notified().await;
    }
    Ok(())
}

/// The cloud takes about half of what there is.
async fn deliver(journal: &Journal) -> Result<()> {
    let limits = BatchLimits { entries: 30, ..BatchLimits::default() };
    for _ in 0..2 {
        let Some(batch) = journal.read_batch(limits).await? else { return Ok(()) };
        for id in ids(&batch)? {
            say("cloud", id);
        }
        journal.acked(batch.epoch, batch.last_seq).await;
    }
    Ok(())
}
