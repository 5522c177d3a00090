//! Counts of the recent past: calls, failed logins. With Redis they are those of all instances; without it, or while
//! it does not answer, those of this one.

use crate::outside::redis::Redis;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Counts by key. A key's window begins with its first hit; then it starts anew.
#[derive(Debug, Clone, Default)]
pub struct Counters {
    memory: Arc<Mutex<HashMap<Key, Count>>>,
    redis: Option<Redis>,
}

/// Keys name people and addresses, so only their digests are kept.
type Key = [u8; 16];

/// What was counted for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub hits: u32,
    /// When the window ends, in Unix milliseconds.
    pub ends_ms: i64,
}

impl Count {
    /// How long the window still lasts.
    pub fn left(self, now_ms: i64) -> Duration {
        Duration::from_millis(u64::try_from(self.ends_ms - now_ms).unwrap_or(0))
    }
}

impl Counters {
    pub fn new(redis: Option<Redis>) -> Self {
        Self { memory: Arc::default(), redis }
    }

    /// Counts one more, and says how many there are now.
    pub async fn hit(&self, key: &str, window: Duration, now_ms: i64) -> Count {
        let digest = digest(key);
        if let Some(redis) = &self.redis
            && let Some((hits, left_ms)) = redis.count(&name(&digest), window).await
        {
            return Count { hits, ends_ms: now_ms + left_ms };
        }
        self.hit_here(digest, window, now_ms)
    }

    /// Takes one back that turned out not to count.
    pub async fn give_back(&self, key: &str) {
        let digest = digest(key);
        if let Some(redis) = &self.redis {
            redis.uncount(&name(&digest)).await;
        }
        let mut counts = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&digest) {
            count.hits = count.hits.saturating_sub(1);
        }
    }

    /// Starts anew.
    pub async fn forget(&self, key: &str) {
        let digest = digest(key);
        if let Some(redis) = &self.redis {
            redis.delete(&name(&digest)).await;
        }
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest);
    }

    fn hit_here(&self, key: Key, window: Duration, now_ms: i64) -> Count {
        let window_ms = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let mut counts = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut counts, now_ms);
        let fresh = Count { hits: 0, ends_ms: now_ms.saturating_add(window_ms) };
        let count = counts.entry(key).or_insert(fresh);
        if count.ends_ms <= now_ms {
            *count = fresh;
        }
        count.hits = count.hits.saturating_add(1);
        *count
    }
}

fn digest(key: &str) -> Key {
    let whole: [u8; 32] = Sha256::digest(key).into();
    let mut short = Key::default();
    short.copy_from_slice(&whole[..16]);
    short
}

fn name(key: &Key) -> String {
    format!("count:{}", hex::encode(key))
}

/// Keeps memory flat: forgets what is over, and if that is not enough, everything.
fn make_room(counts: &mut HashMap<Key, Count>, now_ms: i64) {
    if counts.len() < MAX_KEYS {
        return;
    }
    counts.retain(|_, count| count.ends_ms > now_ms);
    if counts.len() >= MAX_KEYS {
        tracing::warn!("too many keys to count; counting anew");
        counts.clear();
    }
}

const MAX_KEYS: usize = 200_000;

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_window_begins_with_the_first_hit_and_then_starts_anew() {
        let counters = Counters::default();

        assert_eq!(counters.hit("a", WINDOW, 1_000).await, Count { hits: 1, ends_ms: 11_000 });
        assert_eq!(counters.hit("a", WINDOW, 10_999).await, Count { hits: 2, ends_ms: 11_000 });
        assert_eq!(counters.hit("a", WINDOW, 11_000).await, Count { hits: 1, ends_ms: 21_000 });
        assert_eq!(counters.hit("b", WINDOW, 11_000).await.hits, 1);
    }

    #[tokio::test]
    async fn what_is_given_back_does_not_count() {
        let counters = Counters::default();
        counters.hit("a", WINDOW, 0).await;
        counters.hit("a", WINDOW, 0).await;

        counters.give_back("a").await;
        assert_eq!(counters.hit("a", WINDOW, 0).await.hits, 2);
        counters.forget("a").await;
        assert_eq!(counters.hit("a", WINDOW, 0).await.hits, 1);
    }
}
