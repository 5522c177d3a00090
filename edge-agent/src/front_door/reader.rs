//! The receiving half of a connection: packets in, batches for the journal and answers for the outbox out.

use super::acl::{Grant, Rights};
use super::codec::{Fault, Framer, Packet, Publish, Reason, Version, write};
use super::connection::{Connection, End};
use super::fan_out::Link;
use super::greet::{MAX_PACKET, MAX_PAYLOAD};
use super::limits::Bucket;
use crate::journal::{Ack, AckSink, Received};
use bytes::{Bytes, BytesMut};
use protocol::mqtt::payloads::{MAX_PAYLOAD_BYTES, parse_challenge};
use protocol::mqtt::topics::Topic;
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
    pub(super) connection: &'a Connection,
    sink: Arc<dyn AckSink>,
    pub(super) rights: Rights,
    changed: watch::Receiver<u64>,
    /// The topic of the last message: devices mostly say the same kind of thing again.
    last: Option<(Bytes, Grant)>,
    bucket: Bucket,
    idle: Duration,
    batch: Vec<Received>,
    expected: Vec<u16>,
    pub(super) link: Option<Link>,
    pub(super) links: Option<oneshot::Sender<LinkRx>>,
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

    pub(super) fn expect(&mut self) {
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
        if let (Topic::ReaderChallenge(_), Some(reader), 0) =
            (&grant.topic, grant.source.device(), publish.cut)
            && let Ok(asked) = parse_challenge(&publish.payload)
        {
            self.give_nonce(reader, publish, asked);
            return Ok(());
        }
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
            self.connection.outbox.settle(publish.packet_id, Reason::NOT_AUTHORIZED);
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
}
