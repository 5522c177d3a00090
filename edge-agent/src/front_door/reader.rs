//! The receiving half of a connection: packets in, batches for the journal and answers for the outbox out.

use super::acl::{Grant, Rights};
use super::codec::packet::{Request, Unsubscribe};
use super::codec::{Fault, Framer, Packet, Publish, Reason, Subscribe, Version, write};
use super::connection::{Connection, End};
use super::fan_out::Link;
use super::greet::{MAX_PACKET, MAX_PAYLOAD};
use super::limits::Bucket;
use super::subscriptions::Change;
use crate::journal::{Ack, AckSink, Received};
use bytes::{Bytes, BytesMut};
use protocol::mqtt::payloads::MAX_PAYLOAD_BYTES;
use protocol::sync::entry::DeviceKind;
use rumqttd::local::LinkRx;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::info;

/// Longer packets are kept only in part: enough of a reject, and of a payload of the allowed size with its topic.
const KEEP: usize = MAX_PAYLOAD_BYTES + 66 * 1024;
const SMALL_READ: usize = 2 * 1024;
const LARGE_READ: usize = 64 * 1024;
/// A day, for clients that want no keep-alive; TCP notices dead peers much earlier.
const NO_KEEP_ALIVE: Duration = Duration::from_hours(24);

pub struct Reader<'a> {
    connection: &'a Connection,
    sink: Arc<dyn AckSink>,
    rights: Rights,
    changed: watch::Receiver<u64>,
    /// The topic of the last message: devices mostly say the same kind of thing again.
    last: Option<(Bytes, Grant)>,
    bucket: Bucket,
    idle: Duration,
    batch: Vec<Received>,
    expected: Vec<u16>,
    link: Option<Link>,
    links: Option<oneshot::Sender<LinkRx>>,
}

impl<'a> Reader<'a> {
    pub fn new(
        connection: &'a Connection,
        rights: Rights,
        keep_alive_s: u16,
        links: oneshot::Sender<LinkRx>,
    ) -> Self {
        let idle = match keep_alive_s {
            0 => NO_KEEP_ALIVE,
            seconds => Duration::from_millis(u64::from(seconds) * 1_500),
        };
        let door = &connection.door;
        Self {
            connection,
            sink: Arc::clone(&connection.outbox) as Arc<dyn AckSink>,
            rights,
            changed: door.registry.changed(),
            last: None,
            bucket: Bucket::new(door.config.max_messages_per_s, door.now()),
            idle,
            batch: Vec::new(),
            expected: Vec::new(),
            link: None,
            links: Some(links),
        }
    }

    /// Reads until the connection ends.
    pub async fn run(&mut self, mut io: impl AsyncRead + Unpin, mut buffer: BytesMut) -> End {
        let mut framer = Framer::new(KEEP, MAX_PACKET);
        let mut heard = Instant::now();
        let mut silence = std::pin::pin!(sleep_until(heard + self.idle));
        let mut want = SMALL_READ;
        loop {
            match self.handle(&mut framer, &mut buffer).await {
                Ok(None) => {}
                Ok(Some(end)) => return end,
                Err(fault) => {
                    info!(code = %self.rights.device().code, what = fault.what, "bad packet");
                    return End::Closed(fault.reason);
                }
            }
            self.connection.outbox.room(usize::from(self.connection.door.config.max_unacked)).await;
            buffer.reserve(want);
            tokio::select! {
                read = io.read_buf(&mut buffer) => match read {
                    Ok(0) | Err(_) => return End::Lost,
                    Ok(count) => {
                        heard = Instant::now();
                        want = if count >= SMALL_READ { LARGE_READ } else { SMALL_READ };
                    }
                },
                Ok(()) = self.changed.changed() => {
                    if let Some(end) = self.renew() {
                        return end;
                    }
                }
                () = &mut silence => {
                    if heard.elapsed() >= self.idle {
                        return End::Closed(Reason::KEEP_ALIVE_TIMEOUT);
                    }
                    silence.as_mut().reset(heard + self.idle);
                }
            }
        }
    }

    /// Handles all complete packets; their messages go to the journal together.
    async fn handle(
        &mut self,
        framer: &mut Framer,
        buffer: &mut BytesMut,
    ) -> Result<Option<End>, Fault> {
        let mut count = 0;
        let mut outcome = Ok(None);
        while let Some(next) = framer.next(buffer).transpose() {
            let packet = next.and_then(|frame| Packet::read(frame, self.connection.version));
            outcome = match packet {
                Ok(Packet::Publish(publish)) => {
                    count += 1;
                    self.publish(&publish).map(|()| None)
                }
                Ok(packet) => self.control(packet).await,
                Err(fault) => Err(fault),
            };
            if !matches!(outcome, Ok(None)) {
                break;
            }
        }
        // What came before a bad packet is as good as ever.
        if !self.submit().await {
            return Ok(Some(End::Closed(Reason::SHUTTING_DOWN)));
        }
        if count > 0 && matches!(outcome, Ok(None)) {
            self.connection.door.counters.messages.increment(u64::from(count));
            if let Some(wait) = self.bucket.take(count, self.connection.door.now()) {
                sleep(wait).await;
            }
        }
        outcome
    }

    async fn submit(&mut self) -> bool {
        self.expect();
        if self.batch.is_empty() {
            return true;
        }
        let batch = std::mem::take(&mut self.batch);
        self.connection.door.journal.submit(batch).await.is_ok()
    }

    fn expect(&mut self) {
        if !self.expected.is_empty() {
            self.connection.outbox.expect(self.expected.drain(..));
        }
    }

    fn publish(&mut self, publish: &Publish) -> Result<(), Fault> {
        let outbox = &self.connection.outbox;
        let id = publish.packet_id;
        let is_pending = |id| self.expected.contains(&id) || outbox.is_waiting(id);
        if publish.dup && is_pending(id) {
            self.connection.door.counters.resent.increment(1);
            return Ok(());
        }
        if publish.payload.len() + publish.cut > MAX_PAYLOAD {
            return Err(Fault { reason: Reason::TOO_LARGE, what: "a payload over 1 MiB" });
        }
        if !self.may_publish(&publish.topic) {
            return self.deny(publish);
        }
        let Some((_, grant)) = &self.last else { return Ok(()) };
        let door = &self.connection.door;
        let mut taken = door.intake.take(grant, publish, door.fan_out.has_observers());
        if taken.is_reject {
            door.counters.rejects.increment(1);
        }
        if publish.qos > 0 {
            let reason = if taken.is_reject { Reason::BAD_PAYLOAD } else { Reason::SUCCESS };
            let connection = Arc::clone(&self.sink);
            taken.received.ack = Some(Ack { connection, packet_id: id, reason: reason.0 });
            self.expected.push(id);
            self.check_quota()?;
        }
        self.batch.push(taken.received);
        Ok(())
    }

    /// A client of version 5 was told how many messages it may leave unacked; one of 3.1.1 is just read no further.
    fn check_quota(&self) -> Result<(), Fault> {
        let limit = usize::from(self.connection.door.config.max_unacked);
        let is_over = self.connection.version == Version::V5
            && self.expected.len() > limit.saturating_sub(self.connection.outbox.waiting());
        if is_over {
            return Err(Fault {
                reason: Reason::RECEIVE_MAXIMUM,
                what: "over the receive maximum",
            });
        }
        Ok(())
    }

    fn may_publish(&mut self, topic: &Bytes) -> bool {
        if self.last.as_ref().is_some_and(|(known, _)| known == topic) {
            return true;
        }
        let granted = std::str::from_utf8(topic).ok().and_then(|topic| self.rights.publish(topic));
        let Some(grant) = granted else { return false };
        self.last = Some((Bytes::copy_from_slice(topic), grant));
        true
    }

    /// 3.1.1 has no way to refuse a message but to close the connection.
    fn deny(&mut self, publish: &Publish) -> Result<(), Fault> {
        self.connection.door.counters.denied_publishes.increment(1);
        if self.connection.version == Version::V311 {
            return Err(Fault {
                reason: Reason::NOT_AUTHORIZED,
                what: "a topic that is not its own",
            });
        }
        if publish.qos > 0 {
            self.expect();
            self.connection.outbox.refuse(publish.packet_id, Reason::NOT_AUTHORIZED);
        }
        Ok(())
    }

    async fn control(&mut self, packet: Packet) -> Result<Option<End>, Fault> {
        match packet {
            Packet::PubAck(id) => {
                if self.connection.subscriptions().acked(id) {
                    self.connection.window.notify_one();
                }
            }
            Packet::Subscribe(subscribe) => self.subscribe(subscribe).await,
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(unsubscribe).await,
            Packet::PingReq => self.connection.outbox.write(write::pingresp),
            Packet::Disconnect(Reason::SUCCESS) => return Ok(Some(End::Left)),
            Packet::Disconnect(_) => return Ok(Some(End::Lost)),
            Packet::Publish(_) => {}
        }
        Ok(None)
    }

    async fn subscribe(&mut self, subscribe: Subscribe) {
        let door = &self.connection.door;
        let mut todo = Vec::new();
        let mut answers = Vec::with_capacity(subscribe.requests.len());
        for request in &subscribe.requests {
            let answer = self.answer(request);
            if answer.is_error() {
                door.counters.denied_subscriptions.increment(1);
            } else {
                let filter = request.filter.as_str();
                let change =
                    self.connection.subscriptions().add(filter, answer.0, request.retained);
                todo.push((filter.to_owned(), change));
            }
            answers.push(answer);
        }
        // The router knows of it before the client does, or what is sent meanwhile would be lost.
        let mut new_link = None;
        for (filter, change) in todo {
            match self.link_up(&filter, change).await {
                Ok(rx) => new_link = new_link.or(rx),
                Err(_) => info!("a subscription failed because the fan-out has stopped"),
            }
        }
        self.connection.outbox.write(|to| {
            write::suback(to, self.connection.version, subscribe.packet_id, &answers);
        });
        if let (Some(links), Some(rx)) = (self.links.take_if(|_| new_link.is_some()), new_link) {
            let _ = links.send(rx);
        }
    }

    fn answer(&self, request: &Request) -> Reason {
        let filter = request.filter.as_str();
        if self.rights.subscribe(filter) {
            Reason(request.qos.min(1))
        } else if filter.starts_with("$share/") {
            Reason::NO_SHARED
        } else {
            Reason::NOT_AUTHORIZED
        }
    }

    /// Tells the router. With the first subscription comes the receiving half of a link.
    async fn link_up(&mut self, filter: &str, change: Change) -> anyhow::Result<Option<LinkRx>> {
        let mut received = None;
        let link = match &self.link {
            Some(link) => link,
            None => {
                let (link, rx) = self.connection.door.fan_out.link().await?;
                if self.rights.device().kind == DeviceKind::Observer {
                    self.connection.door.fan_out.count_observer(true);
                }
                received = Some(rx);
                self.link.insert(link)
            }
        };
        if change == Change::Again {
            link.unsubscribe(filter).await?;
        }
        if change != Change::Same {
            link.subscribe(filter).await?;
        }
        Ok(received)
    }

    async fn unsubscribe(&mut self, unsubscribe: Unsubscribe) {
        let mut answers = Vec::with_capacity(unsubscribe.filters.len());
        for filter in &unsubscribe.filters {
            let filter = filter.as_str();
            let was_there = self.connection.subscriptions().remove(filter);
            if let (true, Some(link)) = (was_there, &self.link) {
                // If the fan-out has stopped, the agent is about to end.
                let _ = link.unsubscribe(filter).await;
            }
            answers.push(if was_there { Reason::SUCCESS } else { Reason::NO_SUBSCRIPTION });
        }
        self.connection.outbox.write(|to| {
            write::unsuback(to, self.connection.version, unsubscribe.packet_id, &answers);
        });
    }

    /// The registry has changed: perhaps this device may do other things now, or nothing any more.
    fn renew(&mut self) -> Option<End> {
        let Some(rights) = self.rights.renewed() else {
            return Some(End::Closed(Reason::ADMINISTRATIVE));
        };
        self.rights = rights;
        self.last = None;
        let subscriptions = self.connection.subscriptions();
        let is_lost = subscriptions.filters().any(|filter| !self.rights.subscribe(filter));
        // The client learns by its reconnect which of its subscriptions are left.
        is_lost.then_some(End::Closed(Reason::ADMINISTRATIVE))
    }

    /// Gives the router its link back.
    pub async fn unlink(self, rx: Option<LinkRx>) {
        let Some(link) = self.link else { return };
        if self.rights.device().kind == DeviceKind::Observer {
            self.connection.door.fan_out.count_observer(false);
        }
        drop(rx);
        // Its last words to the router may block.
        let _ = tokio::task::spawn_blocking(move || drop(link)).await;
    }
}
