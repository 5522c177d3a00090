//! The machines of the simulated gym as real MQTT clients (rumqttc), one connection each.

use super::tally::{Kind, Tally};
use crate::gym::{Machine, Said};
use crate::mqtt::Login;
use crate::wait;
use anyhow::{Context as _, Result};
use edge_agent::ops::clock::Clock;
use protocol::sync::entry::DeviceState;
use rumqttc::{AsyncClient, Event, EventLoop, LastWill, MqttOptions, Outgoing, Packet, QoS};
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long acks may be awaited after the gym has closed.
const LAST_ACKS: Duration = Duration::from_secs(15);
/// Pause before a lost connection is made anew.
const RECONNECT: Duration = Duration::from_millis(200);
/// Messages the client library may hold: enough for minutes without an edge.
const QUEUE: usize = 1_000;

/// Messages of one machine between publish and ack.
#[derive(Debug, Default)]
struct Underway {
    /// Handed over, in order, without a packet id yet.
    queued: VecDeque<(Kind, Instant)>,
    /// By packet id.
    sent: HashMap<u16, (Kind, Instant)>,
}

/// One machine's connection.
#[derive(Debug)]
struct Client {
    device: String,
    boot: u32,
    tally: Arc<Tally>,
    underway: Mutex<Underway>,
}

/// Publishes what a machine says, every second, until the gym closes; then waits for the last acks.
pub async fn run(
    machine: Machine,
    edge: SocketAddr,
    login: Login,
    tally: Arc<Tally>,
    closed: CancellationToken,
) -> Result<()> {
    let (client, events) = AsyncClient::new(options(edge, &login), QUEUE);
    let device = machine.code().to_owned();
    let own = Client { device, boot: machine.boot(), tally, underway: Mutex::default() };
    let done = CancellationToken::new();
    let publishing = async {
        let published = own.publish(machine, &client, &closed).await;
        let acked = wait::until_true("everything is acked", LAST_ACKS, || async {
            Ok(own.underway().queued.is_empty() && own.underway().sent.is_empty())
        })
        .await;
        // A polite end, so that the will is not published.
        let _ = client.disconnect().await;
        done.cancel();
        published.and(acked).with_context(|| format!("machine {}", own.device))
    };
    tokio::join!(publishing, own.poll(events, &done)).0
}

impl Client {
    async fn publish(
        &self,
        mut machine: Machine,
        client: &AsyncClient,
        closed: &CancellationToken,
    ) -> Result<()> {
        let clock = Clock::system();
        // Real machines do not tick together.
        let first = Instant::now() + Duration::from_millis(u64::from(self.boot) % 1_000);
        let mut second = interval_at(first, Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = closed.cancelled() => return Ok(()),
                _ = second.tick() => {}
            }
            for said in machine.tick(Some(clock.stamp().wall_ms)) {
                self.note_use(&said);
                let topic = format!("gymwire/v1/machines/{}/{}", self.device, said.leaf());
                let retain = matches!(said, Said::Status(_));
                let kind = Kind::from(&said);
                self.underway().queued.push_back((kind, Instant::now()));
                self.tally.sent(&self.device, self.boot, kind);
                client.publish(topic, QoS::AtLeastOnce, retain, said.json()).await?;
            }
        }
    }

    /// Drives the connection; the library makes it anew when it breaks, and sends again what was not acked.
    async fn poll(&self, mut events: EventLoop, done: &CancellationToken) {
        loop {
            let event = tokio::select! {
                () = done.cancelled() => {
                    // Lets the goodbye out.
                    let _ = timeout(Duration::from_millis(200), events.poll()).await;
                    return;
                }
                event = events.poll() => event,
            };
            match event {
                Ok(Event::Outgoing(Outgoing::Publish(packet_id))) => self.sent(packet_id),
                Ok(Event::Incoming(Packet::PubAck(ack))) => self.acked(ack.pkid),
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(device = self.device, %error, "connection lost");
                    sleep(RECONNECT).await;
                }
            }
        }
    }

    /// A message got its packet id, unless it is sent again.
    fn sent(&self, packet_id: u16) {
        let mut underway = self.underway();
        if !underway.sent.contains_key(&packet_id)
            && let Some(message) = underway.queued.pop_front()
        {
            underway.sent.insert(packet_id, message);
        }
    }

    fn acked(&self, packet_id: u16) {
        if let Some((kind, since)) = self.underway().sent.remove(&packet_id) {
            self.tally.acked(&self.device, self.boot, kind, since.elapsed());
        }
    }

    fn note_use(&self, said: &Said) {
        if let Said::Status(status) = said {
            self.tally.used(status.state == DeviceState::InUse);
        }
    }

    fn underway(&self) -> MutexGuard<'_, Underway> {
        self.underway.lock().expect("nobody panics while counting")
    }
}

fn options(edge: SocketAddr, login: &Login) -> MqttOptions {
    let mut options = MqttOptions::new(&login.user, edge.ip().to_string(), edge.port());
    options.set_credentials(&login.user, login.password.clone().unwrap_or_default());
    options.set_keep_alive(Duration::from_secs(20));
    let topic = format!("gymwire/v1/machines/{}/status", login.user);
    let offline = br#"{"state":"offline"}"#.to_vec();
    options.set_last_will(LastWill::new(topic, offline, QoS::AtLeastOnce, true));
    options
}
