//! Passes messages on to subscribers, through the router of rumqttd.
//!
//! What the router must never see, since its answer would be a panic, growth without end or silence: names chosen by a
//! client, topics and filters outside the closed list, QoS above 0 (the connection does that itself), anything after
//! the Disconnect of a link, a wake-up that it did not ask for. Its calls may block, so they run off the async workers.

use crate::journal::Publish;
use anyhow::{Context as _, Result, anyhow};
use bytes::Bytes;
use rumqttd::local::{LinkBuilder, LinkError, LinkRx, LinkTx};
use rumqttd::protocol::{Disconnect, DisconnectReasonCode, Packet};
use rumqttd::{Router, RouterConfig, SegmentConfig};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

/// Handle to the router; clones share it.
#[derive(Clone)]
pub struct FanOut {
    connect: Arc<Connect>,
    // Full: whoever feeds it waits. The pump only hands over to the router's memory, so that is short.
    feed: mpsc::Sender<Vec<Publish>>,
    observers: Arc<AtomicUsize>,
    slots: Arc<Mutex<Slots>>,
}

type Connect = dyn Fn(&str) -> Result<(LinkTx, LinkRx)> + Send + Sync;

/// Names of links. The router remembers every name it ever saw, so they are used again.
#[derive(Debug, Default)]
struct Slots {
    free: Vec<usize>,
    next: usize,
}

/// The sending half of a connection's link. Dropping it gives the link back to the router; the receiving half must be
/// gone by then, since the router panics on a late wake-up.
pub struct Link {
    tx: Arc<Mutex<LinkTx>>,
    slot: usize,
    slots: Arc<Mutex<Slots>>,
}

/// Messages the router may have before it; a few milliseconds of work.
const MAX_AHEAD: usize = 4_096;
/// The router can leave a ready link waiting until its next event; so there always is a next one.
const HEARTBEAT: Duration = Duration::from_millis(200);

impl FanOut {
    /// Starts the router, and gives it the retained values. The receiver tells when it has died.
    pub fn start(
        max_links: usize,
        retained: Vec<Publish>,
    ) -> Result<(Self, oneshot::Receiver<anyhow::Error>)> {
        let sender = Router::new(0, router_config(max_links)).spawn();
        let connect: Arc<Connect> = Arc::new(move |name: &str| {
            let built = LinkBuilder::new(name, sender.clone()).build();
            let (tx, rx, _) = built.context("the router gives no link")?;
            Ok((tx, rx))
        });
        let name = format!("pump-{}", uuid::Uuid::new_v4().simple());
        let (tx, rx) = connect(&name)?;
        let (feed, messages) = mpsc::channel(64);
        let (died, death) = oneshot::channel();
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let pump = move || {
            let end = runtime.block_on(pump(tx, rx, retained, messages));
            // Nobody listens any more when the agent is stopping.
            let _ = died.send(end.err().unwrap_or_else(|| anyhow!("nobody feeds the fan-out")));
        };
        std::thread::Builder::new().name("fan-out".to_owned()).spawn(pump)?;
        let fan_out = Self { connect, feed, observers: Arc::default(), slots: Arc::default() };
        Ok((fan_out, death))
    }

    /// Passes messages on.
    pub async fn publish(&self, messages: Vec<Publish>) -> Result<()> {
        self.feed.send(messages).await.map_err(|_| anyhow!("the fan-out has stopped"))
    }

    /// Whether anybody may be interested in what devices say.
    pub fn has_observers(&self) -> bool {
        self.observers.load(Relaxed) > 0
    }

    /// Counts an observer in, or out.
    pub fn count_observer(&self, is_there: bool) {
        if is_there {
            self.observers.fetch_add(1, Relaxed);
        } else {
            self.observers.fetch_sub(1, Relaxed);
        }
    }

    /// A link for one connection.
    pub async fn link(&self) -> Result<(Link, LinkRx)> {
        let (connect, slots) = (Arc::clone(&self.connect), Arc::clone(&self.slots));
        let linked = spawn_blocking(move || {
            let slot = lock(&slots).take();
            let (tx, rx) = connect(&format!("link-{slot}"))?;
            Ok((Link { tx: Arc::new(Mutex::new(tx)), slot, slots }, rx))
        });
        linked.await?
    }
}

impl Link {
    pub async fn subscribe(&self, filter: &str) -> Result<()> {
        let filter = filter.to_owned();
        self.call(move |tx| answered(tx.subscribe(filter))).await
    }

    pub async fn unsubscribe(&self, filter: &str) -> Result<()> {
        let filter = filter.to_owned();
        self.call(move |tx| answered(tx.unsubscribe(filter))).await
    }

    async fn call(
        &self,
        work: impl FnOnce(&mut LinkTx) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let tx = Arc::clone(&self.tx);
        spawn_blocking(move || work(&mut lock(&tx))).await?
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let reason_code = DisconnectReasonCode::NormalDisconnection;
        let mut tx = lock(&self.tx);
        tx.buffer().push_back(Packet::Disconnect(Disconnect { reason_code }, None));
        // If the router has stopped, the agent is about to end.
        let _ = knock(&mut tx);
        lock(&self.slots).free.push(self.slot);
    }
}

/// Tells the router that there is something to read: an UNSUBSCRIBE from nothing changes nothing.
fn knock(tx: &mut LinkTx) -> Result<()> {
    answered(tx.unsubscribe(String::new()))
}

fn answered(sent: Result<usize, LinkError>) -> Result<()> {
    sent.map(|_| ()).context("the router has stopped")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slots {
    fn take(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next
        })
    }
}

async fn pump(
    mut tx: LinkTx,
    _kept_open: LinkRx,
    retained: Vec<Publish>,
    mut feed: mpsc::Receiver<Vec<Publish>>,
) -> Result<()> {
    hand_over(&mut tx, retained)?;
    loop {
        match tokio::time::timeout(HEARTBEAT, feed.recv()).await {
            Ok(Some(messages)) => hand_over(&mut tx, messages)?,
            Ok(None) => return Ok(()),
            Err(_) => hand_over(&mut tx, Vec::new())?,
        }
        while tx.buffer().len() > MAX_AHEAD {
            tokio::time::sleep(Duration::from_millis(1)).await;
            hand_over(&mut tx, Vec::new())?;
        }
    }
}

fn hand_over(tx: &mut LinkTx, messages: Vec<Publish>) -> Result<()> {
    tx.buffer().extend(messages.into_iter().map(packet));
    knock(tx)
}

fn packet(message: Publish) -> Packet {
    let topic = Bytes::from(message.topic);
    Packet::Publish(rumqttd::protocol::Publish::new(topic, message.payload, message.retain), None)
}

/// Every filter has a log of its own in the router's memory, which is never given back; so logs are short.
fn router_config(max_links: usize) -> RouterConfig {
    let busy = SegmentConfig { max_segment_size: 1024 * 1024, max_segment_count: 4 };
    let busy_filter = "gymwire/v1/machines/+/telemetry".to_owned();
    RouterConfig {
        max_connections: max_links + 1,
        max_outgoing_packet_count: 1_000,
        max_segment_size: 64 * 1024,
        max_segment_count: 4,
        custom_segment: Some(HashMap::from([(busy_filter, busy)])),
        ..RouterConfig::default()
    }
}
