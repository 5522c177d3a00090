//! What was computed or read a moment ago, to be answered again. Nothing in it is true by itself: a cache that is
//! empty, slow or away only costs time. With Redis all instances share it; without, each has its own, and what one
//! deletes is deleted in all.

use crate::clock::Clock;
use crate::events::Relay;
use crate::outside::redis::Redis;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Values by key, each for a while. Clones share them.
#[derive(Clone)]
pub struct Cache {
    store: Store,
    relay: Relay,
}

#[derive(Clone)]
enum Store {
    Memory(Memory),
    Redis(Box<Redis>),
}

/// How long a value is kept where nothing is said.
pub const DEFAULT_LIFETIME: Duration = Duration::from_hours(1);

impl Cache {
    pub fn new(redis: Option<Redis>, clock: Clock, relay: Relay) -> Self {
        let Some(redis) = redis else {
            let memory = Memory { clock, values: Arc::default() };
            let heard = memory.clone();
            relay.on_message(move |topic, prefix| {
                if topic == FORGET {
                    heard.delete_prefix(prefix);
                }
            });
            return Self { store: Store::Memory(memory), relay };
        };
        Self { store: Store::Redis(Box::new(redis)), relay }
    }

    /// What was kept under a key.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let bytes = match &self.store {
            Store::Memory(memory) => memory.get(key)?,
            Store::Redis(redis) => redis.get(&named(key)).await??,
        };
        serde_json::from_slice(&bytes).ok()
    }

    /// Keeps a value for a while.
    pub async fn set<T: Serialize>(&self, key: &str, value: &T, lifetime: Duration) {
        let Ok(bytes) = serde_json::to_vec(value) else { return };
        match &self.store {
            Store::Memory(memory) => memory.set(key, bytes, lifetime),
            Store::Redis(redis) => {
                redis.set(&named(key), &bytes, lifetime).await;
            }
        }
    }

    /// Keeps nothing longer whose key begins so; a whole key is such a beginning.
    pub async fn delete(&self, prefix: &str) {
        match &self.store {
            Store::Memory(memory) => {
                memory.delete_prefix(prefix);
                if let Err(error) = self.relay.tell(FORGET, prefix).await {
                    let error = format!("{error:#}");
                    tracing::warn!(error, "other instances keep what should be forgotten");
                }
            }
            Store::Redis(redis) => {
                redis.delete_prefix(&named(prefix)).await;
            }
        }
    }
}

const FORGET: &str = "cache_forget";

fn named(key: &str) -> String {
    format!("cache:{key}")
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Memory {
    clock: Clock,
    values: Arc<Mutex<HashMap<String, Kept>>>,
}

struct Kept {
    bytes: Vec<u8>,
    until_ms: i64,
}

impl Memory {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        let now_ms = self.clock.now_ms();
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.get(key).filter(|kept| kept.until_ms > now_ms).map(|kept| kept.bytes.clone())
    }

    fn set(&self, key: &str, bytes: Vec<u8>, lifetime: Duration) {
        let now_ms = self.clock.now_ms();
        let lifetime_ms = i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX);
        let until_ms = now_ms.saturating_add(lifetime_ms);
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if values.len() >= MAX_VALUES {
            values.retain(|_, kept| kept.until_ms > now_ms);
        }
        if values.len() >= MAX_VALUES {
            values.clear();
        }
        values.insert(key.to_owned(), Kept { bytes, until_ms });
    }

    fn delete_prefix(&self, prefix: &str) {
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        values.retain(|key, _| !key.starts_with(prefix));
    }
}

/// Some kilobytes each.
const MAX_VALUES: usize = 20_000;
