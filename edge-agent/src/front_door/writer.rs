//! The sending half of a connection: acks and answers from the outbox, and messages from the router.

use super::codec::Reason;
use super::codec::write;
use super::connection::{Connection, End};
use super::subscriptions::Delivery;
use bytes::BytesMut;
use rumqttd::local::LinkRx;
use rumqttd::{Forward, Notification};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::warn;

/// So much is gathered before it is written.
const GATHER: usize = 32 * 1024;

/// Writes until the connection fails. The link stays in `link`, whose owner gives it back to the router.
pub async fn run(
    connection: &Connection,
    io: &mut (impl AsyncWrite + Unpin),
    mut links: oneshot::Receiver<LinkRx>,
    link: &mut Option<LinkRx>,
) -> End {
    let mut spare = BytesMut::new();
    let mut forwards = BytesMut::new();
    loop {
        tokio::select! {
            () = connection.outbox.written() => {}
            Ok(received) = &mut links, if link.is_none() => *link = Some(received),
            first = next(link), if link.is_some() && connection.subscriptions().has_room() => {
                let Some(first) = first else { return End::Closed(Reason::SERVER_UNAVAILABLE) };
                gather(connection, link, first, &mut forwards).await;
            }
            () = connection.window.notified() => {}
            () = connection.urgent.news() => {}
        }
        put_urgent(connection, &mut forwards);
        let mut answers = connection.outbox.take(std::mem::take(&mut spare));
        for bytes in [&mut answers, &mut forwards] {
            if bytes.is_empty() {
                continue;
            }
            match timeout(connection.door.config.stall_timeout(), send(io, bytes)).await {
                Ok(Ok(())) => bytes.clear(),
                Ok(Err(_)) => return End::Lost,
                Err(_) => {
                    warn!("a device does not take what it is sent");
                    return End::Closed(Reason::SERVER_BUSY);
                }
            }
        }
        spare = answers;
    }
}

async fn send(io: &mut (impl AsyncWrite + Unpin), bytes: &BytesMut) -> std::io::Result<()> {
    io.write_all(bytes).await?;
    io.flush().await
}

/// The next notification; `None`: the router is gone.
async fn next(link: &mut Option<LinkRx>) -> Option<Notification> {
    let link = link.as_mut()?;
    loop {
        match link.next().await {
            Ok(Some(notification)) => return Some(notification),
            Ok(None) => {}
            Err(_) => return None,
        }
    }
}

/// Takes what else is there already, so that many small messages leave in one write.
async fn gather(
    connection: &Connection,
    link: &mut Option<LinkRx>,
    first: Notification,
    to: &mut BytesMut,
) {
    let mut current = Some(first);
    while let Some(notification) = current.take() {
        match notification {
            Notification::Forward(forward) => deliver(connection, &forward, to),
            // Without an answer the router gives this link nothing more.
            Notification::Unschedule => {
                if let Some(link) = link.as_ref() {
                    let _ = link.wake().await;
                }
            }
            _ => {}
        }
        if to.len() >= GATHER || !connection.subscriptions().has_room() {
            return;
        }
        current = at_once(next(link));
    }
}

/// What a future has without waiting.
fn at_once<T>(future: impl Future<Output = Option<T>>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => None,
    }
}

/// Adds what is to be told at once, if the client listens and it still counts.
fn put_urgent(connection: &Connection, to: &mut BytesMut) {
    let Connection { door, urgent, version, .. } = connection;
    loop {
        let (next, void) = urgent.take(door.clock.mono_ms());
        door.counters.missed.increment(void);
        let Some(message) = next else { return };
        if connection.subscriptions().is_wanted(&message.topic) {
            let message = write::Message {
                topic: message.topic.as_bytes(),
                payload: &message.payload,
                retain: false,
                packet_id: None,
            };
            write::publish(to, *version, &message);
            door.counters.delivered.increment(1);
        }
    }
}

fn deliver(connection: &Connection, forward: &Forward, to: &mut BytesMut) {
    let publish = &forward.publish;
    let Ok(topic) = std::str::from_utf8(&publish.topic) else { return };
    let mut subscriptions = connection.subscriptions();
    if let Some((_, place)) = forward.cursor {
        let missed = subscriptions.missed(topic, place);
        if missed > 0 {
            connection.door.counters.missed.increment(missed);
        }
    }
    let Some(delivery) = subscriptions.deliver(topic, publish.retain) else { return };
    let packet_id = match delivery {
        Delivery::AtMostOnce => None,
        Delivery::AtLeastOnce(id) => Some(id),
    };
    let message = write::Message {
        topic: &publish.topic,
        payload: &publish.payload,
        retain: publish.retain,
        packet_id,
    };
    let len = write::publish_len(connection.version, &message) + 5;
    if len > connection.maximum_packet {
        // MQTT-3.1.2-24: a packet over the client's limit is dropped as if it had been sent.
        packet_id.map(|id| subscriptions.acked(id));
        connection.door.counters.missed.increment(1);
        return;
    }
    write::publish(to, connection.version, &message);
    connection.door.counters.delivered.increment(1);
}
