//! One who listens: what waits to be sent to them, and the bounds of it.
//!
//! Who publishes writes to a socket that is free by itself, without waking its task; only what does not fit at once waits.

use super::frame::Frame;
use super::topic::Topic;
use crate::domains::accounts::Verified;
use crate::http::Caller;
use axum::body::Bytes;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpStream;
use tokio::sync::Notify;

/// Somebody who listens.
#[derive(Debug)]
pub struct Client {
    pub number: u64,
    /// Of a WebSocket; server-sent events are fetched.
    pub socket: Option<TcpStream>,
    who: Mutex<Arc<Who>>,
    out: Mutex<Out>,
    /// There is something to do for the client's task.
    pub woken: Notify,
    /// Whether they were heard since they were asked.
    pub is_alive: AtomicBool,
    max_waiting: usize,
}

/// Who listens, as they were when it was looked last.
#[derive(Debug)]
pub struct Who {
    pub token: Verified,
    pub caller: Caller,
}

#[derive(Debug, Default)]
struct Out {
    queue: VecDeque<Bytes>,
    /// What comes while a snapshot is read; it is told after it.
    held: Option<Vec<(Topic, Arc<Frame>)>>,
    /// Bytes of the first in the queue that are written.
    written: usize,
    /// The event that was told last.
    last: i64,
    topics: Vec<Topic>,
    /// What snapshots knew already.
    known: Vec<(Topic, Known)>,
    end: Option<End>,
}

/// Which transactions a snapshot saw: `xmin:xmax:xip,…` of Postgres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    below: u64,
    from: u64,
    unfinished: Vec<u64>,
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    GoingAway,
    Protocol(&'static str),
    Binary,
    NotUtf8,
    TooLong,
    /// The token is bad, is over, or its login was ended.
    Unauthorized(&'static str),
    /// They do not read as fast as it happens.
    Slow,
    /// Nothing is heard of them.
    Dead,
    TooMany,
    /// The database is away, say; they may come again.
    Unavailable,
    /// They said goodbye, or the connection is lost.
    Gone,
}

impl End {
    /// The code of the close frame, and its reason.
    pub fn code(self) -> (u16, &'static str) {
        match self {
            Self::GoingAway => (1001, "going_away"),
            Self::Protocol(reason) => (1002, reason),
            Self::Binary => (1003, "text_only"),
            Self::NotUtf8 => (1007, "not_utf8"),
            Self::TooLong => (1009, "frame_too_long"),
            Self::Unauthorized(reason) => (4401, reason),
            Self::Slow => (4408, "slow_consumer"),
            Self::Dead => (4410, "not_answering"),
            Self::TooMany => (4429, "too_many_connections"),
            Self::Unavailable => (1013, "try_again_later"),
            Self::Gone => (1000, ""),
        }
    }
}

impl Known {
    /// Reads what `pg_current_snapshot` says.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (below, from) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let unfinished = parts.next()?.split(',').filter_map(|one| one.parse().ok()).collect();
        Some(Self { below, from, unfinished })
    }

    fn has(&self, transaction: u64) -> bool {
        transaction < self.below
            || transaction < self.from && !self.unfinished.contains(&transaction)
    }
}

impl Client {
    pub fn new(number: u64, socket: Option<TcpStream>, who: Who, max_waiting: usize) -> Self {
        Self {
            number,
            socket,
            who: Mutex::new(Arc::new(who)),
            out: Mutex::default(),
            woken: Notify::new(),
            is_alive: AtomicBool::new(true),
            max_waiting,
        }
    }

    pub fn who(&self) -> Arc<Who> {
        Arc::clone(&self.who.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn set_who(&self, who: Who) {
        *self.who.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(who);
    }

    /// Tells an event, unless they know it.
    pub fn publish(&self, topic: Topic, frame: &Arc<Frame>) {
        let mut out = self.out();
        if out.end.is_some() || !out.is_news(topic, frame) {
            return;
        }
        if let Some(held) = &mut out.held {
            held.push((topic, Arc::clone(frame)));
            if held.len() > self.max_waiting {
                self.end_now(&mut out, End::Slow);
            }
            return;
        }
        out.last = out.last.max(frame.id);
        self.send(&mut out, frame.bytes(self.socket.is_some()));
    }

    /// Tells something to this client alone. Never lost to a held queue: it goes before what is held.
    pub fn answer(&self, frame: &Frame) {
        let mut out = self.out();
        if out.end.is_none() {
            out.last = out.last.max(frame.id);
            self.send(&mut out, frame.bytes(self.socket.is_some()));
        }
    }

    /// Sends bytes of the protocol itself.
    pub fn send_raw(&self, bytes: Bytes) {
        let mut out = self.out();
        if out.end.is_none() {
            self.send(&mut out, bytes);
        }
    }

    fn send(&self, out: &mut Out, bytes: Bytes) {
        if out.queue.len() >= self.max_waiting {
            self.end_now(out, End::Slow);
            return;
        }
        let was_empty = out.queue.is_empty();
        out.queue.push_back(bytes);
        if self.socket.is_none() || !was_empty || !self.write(out) {
            self.woken.notify_one();
        }
    }

    /// Writes what waits; whether all of it could be written.
    pub fn flush(&self) -> bool {
        self.write(&mut self.out())
    }

    fn write(&self, out: &mut Out) -> bool {
        let Some(socket) = &self.socket else { return out.queue.is_empty() };
        while let Some(first) = out.queue.front() {
            match socket.try_write(&first[out.written..]) {
                Ok(bytes) if out.written + bytes < first.len() => out.written += bytes,
                Ok(_) => {
                    out.queue.pop_front();
                    out.written = 0;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(_) => {
                    out.queue.clear();
                    out.end = Some(End::Gone);
                    return false;
                }
            }
        }
        out.queue.shrink_to(KEPT_CAPACITY);
        true
    }

    /// The next bytes, for who fetches them.
    pub fn fetch(&self) -> Option<Bytes> {
        self.out().queue.pop_front()
    }

    pub fn has_waiting(&self) -> bool {
        !self.out().queue.is_empty()
    }

    /// Why the connection is to end, if it is.
    pub fn ended(&self) -> Option<End> {
        self.out().end
    }

    /// Ends the connection; the first reason counts.
    pub fn end(&self, end: End) {
        self.end_now(&mut self.out(), end);
    }

    fn end_now(&self, out: &mut Out, end: End) {
        if out.end.is_none() {
            out.end = Some(end);
            out.held = None;
            // What is half written has to be finished, so that the reason can be read.
            out.queue.truncate(usize::from(out.written > 0));
            let (code, reason) = end.code();
            match self.socket {
                Some(_) => out.queue.push_back(super::socket::frame::close(code, reason)),
                None => out.queue.push_back(super::frame::closing(code, reason)),
            }
            self.woken.notify_one();
        }
    }

    /// Topics that they hear.
    pub fn topics(&self) -> Vec<Topic> {
        self.out().topics.clone()
    }

    /// From now on what comes waits for [`Self::release`]. What is up to `position` is not told any more.
    pub fn hold(&self) {
        self.out().held.get_or_insert_default();
    }

    /// Notes topics; from which event on they are heard.
    pub fn heard_from(&self, topics: &[Topic], position: i64) {
        let mut out = self.out();
        out.topics.extend_from_slice(topics);
        out.last = out.last.max(position);
    }

    pub fn forget_topics(&self, topics: &[Topic]) {
        let mut out = self.out();
        out.topics.retain(|topic| !topics.contains(topic));
        out.known.retain(|(topic, _)| !topics.contains(topic));
    }

    /// Tells what came meanwhile, but for what the snapshot of these topics knew.
    pub fn release(&self, topics: &[Topic], known: Option<&Known>) {
        let mut out = self.out();
        if let Some(known) = known {
            out.known.extend(topics.iter().map(|topic| (*topic, known.clone())));
        }
        for (topic, frame) in out.held.take().unwrap_or_default() {
            if out.end.is_none() && out.is_news(topic, &frame) {
                out.last = out.last.max(frame.id);
                self.send(&mut out, frame.bytes(self.socket.is_some()));
            }
        }
    }

    pub fn set_alive(&self) {
        self.is_alive.store(true, Ordering::Relaxed);
    }

    /// Whether they were heard since this was last asked.
    pub fn was_alive(&self) -> bool {
        self.is_alive.swap(false, Ordering::Relaxed)
    }

    fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Out {
    fn is_news(&mut self, topic: Topic, frame: &Frame) -> bool {
        // Values of now have no number.
        if frame.id == 0 {
            return true;
        }
        if frame.id <= self.last {
            return false;
        }
        let mut is_known = false;
        self.known.retain(|(of, known)| {
            is_known |= *of == topic && known.has(frame.transaction);
            *of != topic || frame.transaction < known.from
        });
        !is_known
    }
}

/// A queue that was long once does not stay so.
const KEPT_CAPACITY: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_knows_what_was_committed_before_it() {
        let known = Known::read("10:20:12,15").unwrap();

        let seen: Vec<u64> = (9..22).filter(|transaction| known.has(*transaction)).collect();

        assert_eq!(seen, [9, 10, 11, 13, 14, 16, 17, 18, 19]);
        assert!(Known::read("7:7:").unwrap().unfinished.is_empty());
    }
}
