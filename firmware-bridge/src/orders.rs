//! Orders to the bridge itself: `restart` and `diag`.

use crate::desk::Desk;
use crate::inbox::Word;
use crate::place::Place;
use anyhow::{Result, bail};
use protocol::ids::{Code, CommandId};
use protocol::mqtt::payloads::MAX_TEXT_CHARS;
use protocol::mqtt::topics::{Role, Topic};
use protocol::sync::entry::{CommandResult, DeviceState, Outcome};
use std::fmt::Write;
use std::time::Duration;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// So long the answer to `restart` may take to reach the agent.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Carries the orders out. After `restart` it fails, which ends the bridge; systemd starts it again.
pub async fn run(bridge: Code, desk: Desk, stop: CancellationToken) -> Result<()> {
    let place = Place::bridge(&bridge);
    let mut mailbox = desk.inbox.mailbox(place.clone(), &["restart", "diag"]);
    loop {
        let mail = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            mail = mailbox.recv() => mail,
        };
        let Some(mail) = mail else { return Ok(()) };
        let Word::Command(command) = &mail.word else { continue };
        if mail.left_of(command.ttl_ms, &desk.clock).is_zero() {
            desk.answer(&place, command.id, Outcome::Expired, None).await;
        } else if command.command == "diag" {
            let detail = Some(diagnosis(&desk));
            desk.answer(&place, command.id, Outcome::Done, detail).await;
        } else {
            say_goodbye(&bridge, &desk, command.id).await;
            bail!("the agent ordered a restart");
        }
    }
}

/// The result must have arrived before the end, or the order would look as if nobody had followed it.
async fn say_goodbye(bridge: &Code, desk: &Desk, id: CommandId) {
    let result = CommandResult { id, outcome: Outcome::Done, detail: None };
    let topic = Topic::Results(Role::Bridge, bridge.clone());
    let payload = result.to_json().to_string().into_bytes();
    // An agent that does not ack in time sees the order expire.
    let _ = timeout(LAST_WORD, desk.deliver(topic, payload)).await;
}

/// How the bridge and its devices are, in words.
fn diagnosis(desk: &Desk) -> String {
    let queue = *desk.outbox.state().borrow();
    let statuses = desk.statuses.borrow().clone();
    let mut text = format!(
        "version {}; {} waiting, {} dropped, {} refused, queue {}",
        env!("CARGO_PKG_VERSION"),
        queue.waiting,
        queue.losses.dropped,
        queue.losses.refused,
        if queue.durable { "on disk" } else { "in memory only" },
    );
    for (place, status) in &statuses {
        let is_fine = status.state != DeviceState::Offline;
        let error = status.error.as_deref().unwrap_or(if is_fine { "ok" } else { "offline" });
        // Writing into a String cannot fail.
        let _ = write!(text, "; {place}: {error}");
    }
    text.chars().take(MAX_TEXT_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::inbox::Mail;
    use crate::queue::{Outbox, Queue, QueueConfig};
    use crate::status;
    use protocol::mqtt::payloads::{CommandMessage, parse_result};
    use uuid::Uuid;

    #[tokio::test]
    async fn an_order_that_waits_for_longer_than_it_counts_has_expired() {
        let folder = tempfile::TempDir::new().unwrap();
        let config = QueueConfig { path: folder.path().join("queue"), max_bytes: 1 << 20 };
        let outbox = Outbox::start(Queue::open(&config).unwrap()).unwrap();
        let desk = Desk::new(Clock::manual(Uuid::from_u128(1), 10_000), outbox);
        let (bridge, stop): (Code, _) = ("bridge-1".parse().unwrap(), CancellationToken::new());
        let place = Place::bridge(&bridge);
        let mut task = tokio::task::JoinSet::new();
        task.spawn(run(bridge, desk.clone(), stop.clone()));
        while !desk.inbox.slots().borrow().contains_key(&place) {
            tokio::task::yield_now().await;
        }
        let command = CommandMessage {
            id: CommandId(Uuid::from_u128(1)),
            command: "diag".into(),
            args: serde_json::Map::new(),
            ttl_ms: 2_000,
        };
        let mail = Mail { word: Word::Command(command), arrived: desk.clock.now(), age_ms: 0 };

        assert_eq!(desk.inbox.post(&place, mail), None);
        desk.clock.set(12_000);
        let told = loop {
            let told = desk.outbox.after(0, 10).await.unwrap();
            if !told.is_empty() {
                break told;
            }
        };

        assert_eq!(parse_result(&told[0].payload).unwrap().outcome, Outcome::Expired);
        stop.cancel();
        task.join_all().await;
    }

    #[tokio::test]
    async fn a_diagnosis_names_every_device_and_never_grows_too_long() {
        let folder = tempfile::TempDir::new().unwrap();
        let config = QueueConfig { path: folder.path().join("queue"), max_bytes: 1 << 20 };
        let outbox = Outbox::start(Queue::open(&config).unwrap()).unwrap();
        let desk = Desk::new(Clock::manual(Uuid::from_u128(1), 0), outbox);
        desk.note(&Place::reader(&"door".parse().unwrap()), status::lost("no such device"));
        desk.note(&Place::machine(&"bike".parse().unwrap()), status::idle());

        let short = diagnosis(&desk);
        for number in 0..100 {
            desk.note(&Place::machine(&format!("m-{number}").parse().unwrap()), status::idle());
        }

        assert!(short.ends_with("; machine bike: ok; reader door: no such device"), "{short}");
        assert!(short.contains("queue on disk"), "{short}");
        assert_eq!(diagnosis(&desk).chars().count(), MAX_TEXT_CHARS);
    }
}
