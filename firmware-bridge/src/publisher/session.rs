//! One connection to the agent: messages, statuses and subscriptions out, acks and the agent's words in.

use super::hearing::{self, Hearing};
use super::login::{Ended, Network, Terms};
use super::window::{Cargo, Window};
use super::{Memory, Patience, Publisher};
use crate::inbox::Mail;
use crate::place::Place;
use crate::queue::{Entry, Refused};
use crate::{status, tap};
use futures_util::{SinkExt, StreamExt};
use protocol::mqtt::topics::Topic;
use rumqttc::v5::mqttbytes::v5::{
    Disconnect, DisconnectReasonCode, Packet, PingReq, PubAck, PubAckReason, Publish, SubAck,
    Subscribe, SubscribeReasonCode,
};
use rumqttc::v5::mqttbytes::{Error as CodecError, QoS};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

/// So often a message is offered that the agent does not let us publish; with a minute between, for two hours.
const MOST_REFUSALS: u32 = 120;

/// Time to say goodbye when the bridge stops.
const GOODBYE: Duration = Duration::from_secs(1);

/// A connection that is logged in.
pub(super) struct Session<'a> {
    publisher: &'a Publisher,
    network: Network,
    window: Window,
    /// Messages up to this number were sent over this connection.
    cursor: u64,
    /// Statuses as they were sent over this connection.
    told: BTreeMap<String, Vec<u8>>,
    /// Statuses that the agent did not let us tell.
    refused: BTreeSet<String>,
    memory: &'a mut Memory,
    /// When to offer what was refused again.
    retry_at: Option<Instant>,
    hearing: Hearing,
}

impl<'a> Session<'a> {
    pub fn new(
        publisher: &'a Publisher,
        network: Network,
        terms: Terms,
        memory: &'a mut Memory,
    ) -> Self {
        Self {
            publisher,
            network,
            window: Window::new(terms.receive_max),
            cursor: 0,
            told: BTreeMap::new(),
            refused: BTreeSet::new(),
            memory,
            retry_at: None,
            hearing: Hearing::new(terms.asked_at, terms.keep_alive),
        }
    }

    /// Runs until the connection ends, or until it is told to stop.
    pub async fn run(mut self, stop: &CancellationToken) -> Result<(), Ended> {
        let desk = &self.publisher.desk;
        let mut queue = desk.outbox.state();
        let mut statuses = desk.statuses.subscribe();
        let mut troubles = desk.troubles();
        let mut slots = desk.inbox.slots();
        loop {
            self.fill().await?;
            let overdue = self.window.oldest().map(|since| since + self.patience().ack);
            let later = Instant::now() + Duration::from_hours(1);
            tokio::select! {
                () = stop.cancelled() => return self.leave().await,
                packet = self.network.next() => match packet {
                    // The codec's word for a DISCONNECT without a reason.
                    None | Some(Err(CodecError::PayloadRequired)) => return Err(Ended::Closed),
                    Some(packet) => self.take(packet?).await?,
                },
                changed = queue.changed() => changed.map_err(|_| Refused::Closed)?,
                Ok(()) = statuses.changed() => {}
                Ok(()) = troubles.changed() => {}
                Ok(()) = slots.changed() => {}
                () = sleep_until(overdue.unwrap_or(later)), if overdue.is_some() => {
                    return Err(Ended::Silent("ack"));
                }
                () = sleep_until(self.retry_at.unwrap_or(later)), if self.retry_at.is_some() => {
                    (self.retry_at, self.cursor) = (None, 0);
                    self.told.retain(|topic, _| !self.refused.contains(topic));
                    self.hearing.ask_again();
                }
                () = sleep_until(self.hearing.ping_at()) => self.ping().await?,
            }
        }
    }

    fn patience(&self) -> Patience {
        self.publisher.patience
    }

    /// Sends what there is to send, as far as the agent takes it.
    async fn fill(&mut self) -> Result<(), Ended> {
        self.feed_subscriptions().await?;
        self.feed_statuses().await?;
        while self.window.free() > 0 && self.cursor < self.newest() {
            let entries = self.publisher.desk.outbox.after(self.cursor, self.window.free()).await?;
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                self.cursor = entry.seq;
                if !self.window.holds(entry.seq) {
                    self.feed_message(&entry).await?;
                }
            }
        }
        self.flush().await
    }

    fn newest(&self) -> u64 {
        self.publisher.desk.outbox.state().borrow().newest
    }

    async fn feed_subscriptions(&mut self) -> Result<(), Ended> {
        let slots = self.publisher.desk.inbox.slots().borrow().clone();
        for place in self.hearing.unasked(&slots) {
            let mut subscribe = Subscribe::new_many(hearing::filters(&place), None);
            subscribe.pkid = self.window.send(Cargo::Subscriptions(place), Instant::now());
            self.network.feed(Packet::Subscribe(subscribe)).await?;
        }
        Ok(())
    }

    async fn feed_statuses(&mut self) -> Result<(), Ended> {
        let queue = *self.publisher.desk.outbox.state().borrow();
        let statuses = self.publisher.desk.statuses.borrow().clone();
        let troubles = self.publisher.desk.troubles().borrow().clone();
        let bridge = &self.publisher.agent.username;
        for (topic, payload) in status::all(bridge, &queue, &troubles, &statuses) {
            if self.window.free() > 0 && self.told.get(&topic) != Some(&payload) {
                self.feed_status(topic, payload).await?;
            }
        }
        Ok(())
    }

    async fn feed_status(&mut self, topic: String, payload: Vec<u8>) -> Result<u16, Ended> {
        let mut publish = Publish::new(topic.clone(), QoS::AtLeastOnce, payload.clone(), None);
        publish.retain = true;
        publish.pkid = self.window.send(Cargo::Status(topic.clone()), Instant::now());
        let id = publish.pkid;
        self.network.feed(Packet::Publish(publish)).await?;
        self.told.insert(topic, payload);
        Ok(id)
    }

    async fn feed_message(&mut self, entry: &Entry) -> Result<(), Ended> {
        let payload = tap::payload(entry, &self.publisher.desk.clock);
        let mut publish = Publish::new(entry.topic.as_str(), QoS::AtLeastOnce, payload, None);
        publish.pkid = self.window.send(Cargo::Message(entry.seq), Instant::now());
        publish.dup = entry.seq <= self.memory.sent_up_to;
        self.memory.sent_up_to = self.memory.sent_up_to.max(entry.seq);
        self.network.feed(Packet::Publish(publish)).await?;
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Ended> {
        match timeout(self.patience().ack, self.network.flush()).await {
            Ok(flushed) => Ok(flushed?),
            Err(_) => Err(Ended::Silent("write")),
        }
    }

    async fn take(&mut self, packet: Packet) -> Result<(), Ended> {
        match packet {
            Packet::PubAck(ack) => self.acked(&ack).await,
            Packet::Publish(publish) => self.heard(&publish).await,
            Packet::PingResp(_) if self.hearing.pong() => Ok(()),
            Packet::SubAck(ack) => self.subscribed(&ack),
            Packet::Disconnect(sent) => Err(match sent.reason_code {
                DisconnectReasonCode::SessionTakenOver => Ended::TakenOver,
                reason => Ended::Disconnected(reason),
            }),
            _ => Err(Ended::Unexpected("a packet that nobody asked for")),
        }
    }

    async fn acked(&mut self, ack: &PubAck) -> Result<(), Ended> {
        let cargo = self.window.acked(ack.pkid).ok_or(Ended::Unexpected("an ack for nothing"))?;
        let seq = match cargo {
            Cargo::Message(seq) => seq,
            Cargo::Status(topic) => {
                self.status_acked(topic, ack.reason);
                return Ok(());
            }
            Cargo::Subscriptions(_) => return Err(Ended::Unexpected("the ack of something else")),
        };
        let outbox = &self.publisher.desk.outbox;
        if is_refusal(ack.reason) {
            if self.gives_up(seq, ack.reason) {
                self.memory.refusals.remove(&seq);
                outbox.give_up(vec![seq]).await?;
            } else {
                self.retry_later();
            }
            return Ok(());
        }
        if ack.reason == PubAckReason::PayloadFormatInvalid {
            warn!(seq, "agent could not read a message; it is among its rejects");
        }
        self.memory.refusals.remove(&seq);
        Ok(outbox.done(vec![seq]).await?)
    }

    fn subscribed(&mut self, ack: &SubAck) -> Result<(), Ended> {
        let Some(Cargo::Subscriptions(place)) = self.window.acked(ack.pkid) else {
            return Err(Ended::Unexpected("the ack of no subscription"));
        };
        let is_granted = |code: &_| matches!(code, SubscribeReasonCode::Success(_));
        if !ack.return_codes.iter().all(is_granted) {
            self.retry_later();
            let name = place.to_string();
            if self.hearing.refused(place) {
                warn!(
                    place = name,
                    "agent says nothing to a device; is it assigned to this bridge?"
                );
            }
        }
        Ok(())
    }

    /// Hands a word of the agent over; what no driver is needed for is answered at once.
    async fn heard(&mut self, publish: &Publish) -> Result<(), Ended> {
        if publish.qos != QoS::AtMostOnce {
            self.network.feed(Packet::PubAck(PubAck::new(publish.pkid, None))).await?;
        }
        let topic = std::str::from_utf8(&publish.topic).ok().and_then(Topic::parse);
        let Some(topic) = topic else { return Ok(()) };
        let Some(word) = hearing::word(&topic, &publish.payload) else {
            debug!(%topic, "agent said something that is not understood");
            return Ok(());
        };
        let desk = &self.publisher.desk;
        let place = Place::of(&topic);
        let age_ms = self.hearing.age_ms(&desk.clock);
        let mail = Mail { word, arrived: desk.clock.now(), age_ms };
        if let Some(result) = desk.inbox.post(&place, mail) {
            desk.send_result(&place, &result).await;
        }
        Ok(())
    }

    fn status_acked(&mut self, topic: String, reason: PubAckReason) {
        if !is_refusal(reason) {
            self.refused.remove(&topic);
            return;
        }
        self.retry_later();
        if !self.refused.contains(&topic) {
            warn!(topic, ?reason, "agent refused a status; is the reader assigned to this bridge?");
            self.refused.insert(topic);
        }
    }

    fn retry_later(&mut self) {
        self.retry_at.get_or_insert(Instant::now() + self.publisher.patience.refused);
    }

    /// Whether a message was refused so often that it only takes the room of others.
    fn gives_up(&mut self, seq: u64, reason: PubAckReason) -> bool {
        let times = self.memory.refusals.entry(seq).or_default();
        *times += 1;
        if *times == 1 {
            warn!(
                seq,
                ?reason,
                "agent refused a message; is the reader assigned to this bridge? it is offered again"
            );
        }
        if *times >= MOST_REFUSALS {
            error!(seq, ?reason, "message dropped: the agent refused it for hours");
        }
        *times >= MOST_REFUSALS
    }

    async fn ping(&mut self) -> Result<(), Ended> {
        if !self.hearing.ping(&self.publisher.desk.clock) {
            return Err(Ended::Silent("ping"));
        }
        self.network.feed(Packet::PingReq(PingReq)).await?;
        Ok(())
    }

    /// The last will is not sent on a clean end, so the bridge says itself that it is gone.
    async fn leave(mut self) -> Result<(), Ended> {
        let (topic, payload) = status::offline(&self.publisher.agent.username);
        let goodbye = async {
            let id = self.feed_status(topic, payload).await?;
            self.flush().await?;
            while let Some(packet) = self.network.next().await {
                let packet = packet?;
                let last = matches!(&packet, Packet::PubAck(ack) if ack.pkid == id);
                self.take(packet).await?;
                if last {
                    break;
                }
            }
            let end = Disconnect::new(DisconnectReasonCode::NormalDisconnection);
            Ok::<(), Ended>(self.network.send(Packet::Disconnect(end)).await?)
        };
        if !matches!(timeout(GOODBYE, goodbye).await, Ok(Ok(()))) {
            debug!("agent did not hear the goodbye");
        }
        Ok(())
    }
}

/// The agent has kept what it acks with one of the other reasons; a malformed message is among its rejects.
fn is_refusal(reason: PubAckReason) -> bool {
    !matches!(
        reason,
        PubAckReason::Success
            | PubAckReason::NoMatchingSubscribers
            | PubAckReason::PayloadFormatInvalid
    )
}
