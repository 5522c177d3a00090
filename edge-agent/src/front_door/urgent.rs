//! Messages that count now or never: decisions and nonces. They pass by the router straight to the connections that
//! are there, and whatever could not be written in time is thrown away: nothing old may move a door.

use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// What one connection is to be told at once. Bounded: when it is full, the oldest is dropped.
#[derive(Debug, Default)]
pub struct Urgent {
    waiting: Mutex<VecDeque<Urgently>>,
    news: Notify,
}

/// One such message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Urgently {
    pub topic: String,
    pub payload: Bytes,
    /// Monotonic milliseconds after which it is void.
    pub until_mono_ms: u64,
}

/// A bridge with a dozen readers has hardly more than that many people at its doors.
const MAX_WAITING: usize = 64;

impl Urgent {
    /// Puts a message in; how many were dropped for it.
    pub fn put(&self, message: Urgently) -> usize {
        let mut waiting = self.lock();
        let dropped = usize::from(waiting.len() >= MAX_WAITING);
        waiting.drain(..dropped);
        waiting.push_back(message);
        drop(waiting);
        self.news.notify_one();
        dropped
    }

    /// Waits for a message.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// The next message that still counts, and how many before it do not.
    pub fn take(&self, mono_ms: u64) -> (Option<Urgently>, u64) {
        let mut waiting = self.lock();
        let mut void = 0;
        while let Some(message) = waiting.pop_front() {
            if message.until_mono_ms >= mono_ms {
                return (Some(message), void);
            }
            void += 1;
        }
        (None, void)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Urgently>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(until_mono_ms: u64) -> Urgently {
        Urgently { topic: "t".to_owned(), payload: Bytes::new(), until_mono_ms }
    }

    #[test]
    fn what_is_void_is_not_told() {
        let urgent = Urgent::default();
        for until_mono_ms in [100, 90, 300] {
            urgent.put(message(until_mono_ms));
        }

        assert_eq!(urgent.take(200), (Some(message(300)), 2));
        assert_eq!(urgent.take(200), (None, 0));
    }

    #[test]
    fn the_oldest_gives_way() {
        let urgent = Urgent::default();
        let dropped: usize = (0..=MAX_WAITING as u64).map(|n| urgent.put(message(n))).sum();

        assert_eq!(dropped, 1);
        assert_eq!(urgent.take(0), (Some(message(1)), 0));
    }
}
