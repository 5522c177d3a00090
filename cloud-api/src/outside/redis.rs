//! Redis, if it is configured. It holds nothing that cannot be lost: while it does not answer, callers go on
//! without it, and nobody waits for it more than once a second.

use crate::config::{ConfigError, Secret};
use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSub};
use redis::{AsyncCommands, Client, FromRedisValue, RedisResult, Script};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// A handle; clones share the connection.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    connection: ConnectionManager,
    /// Set while it is taken for away.
    away_until: Arc<Mutex<Option<Instant>>>,
}

impl Redis {
    /// Connects when it is needed. Wants a runtime.
    pub fn open(url: &Secret) -> anyhow::Result<Self> {
        let wrong = |error| ConfigError::new(format!("redis.url: is no Redis URL: {error}"));
        let client = Client::open(url.expose()).map_err(wrong)?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(0)
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let connection = client.get_connection_manager_lazy(config).map_err(wrong)?;
        Ok(Self { client, connection, away_until: Arc::default() })
    }

    /// Counts one more under a key; answers the count and the milliseconds until it ends.
    pub async fn count(&self, key: &str, window: Duration) -> Option<(u32, i64)> {
        let window_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        let mut connection = self.connection.clone();
        let script = Script::new(COUNT);
        let mut call = script.key(place(key));
        let call = call.arg(window_ms);
        self.ask(call.invoke_async(&mut connection)).await
    }

    /// Takes back one that was counted.
    pub async fn uncount(&self, key: &str) {
        let mut connection = self.connection.clone();
        let script = Script::new(UNCOUNT);
        self.ask::<()>(script.key(place(key)).invoke_async(&mut connection)).await;
    }

    /// What is kept under a key; the outer `None` is silence.
    pub async fn get(&self, key: &str) -> Option<Option<Vec<u8>>> {
        let mut connection = self.connection.clone();
        self.ask(connection.get(place(key))).await
    }

    /// Keeps something for a while.
    pub async fn set(&self, key: &str, value: &[u8], lifetime: Duration) -> Option<()> {
        let mut connection = self.connection.clone();
        let lifetime_s = lifetime.as_secs().max(1);
        self.ask(connection.set_ex(place(key), value, lifetime_s)).await
    }

    /// Keeps it no longer.
    pub async fn delete(&self, key: &str) -> Option<()> {
        let mut connection = self.connection.clone();
        self.ask(connection.del(place(key))).await
    }

    /// Keeps nothing longer whose key begins so.
    pub async fn delete_prefix(&self, prefix: &str) -> Option<()> {
        let escaped: String = prefix.chars().flat_map(escape).collect();
        let pattern = format!("{}*", place(&escaped));
        let mut connection = self.connection.clone();
        let script = Script::new(DELETE_ALL);
        self.ask(script.arg(pattern).invoke_async(&mut connection)).await
    }

    /// Tells all who listen.
    pub async fn publish(&self, channel: &str, text: &str) -> Option<()> {
        let mut connection = self.connection.clone();
        self.ask(connection.publish(place(channel), text)).await
    }

    /// A connection of its own that hears a channel.
    pub async fn listen(&self, channel: &str) -> RedisResult<PubSub> {
        let mut heard = self.client.get_async_pubsub().await?;
        heard.subscribe(place(channel)).await?;
        Ok(heard)
    }

    /// Whether it answers, for the health page.
    pub async fn is_up(&self) -> bool {
        let mut connection = self.connection.clone();
        self.ask::<String>(connection.ping()).await.is_some()
    }

    /// `None` where it does not answer; then it is left alone for a moment.
    async fn ask<T: FromRedisValue>(
        &self,
        call: impl Future<Output = RedisResult<T>>,
    ) -> Option<T> {
        let is_away = |until: Instant| Instant::now() < until;
        if self.away().is_some_and(is_away) {
            return None;
        }
        let answer = timeout(PATIENCE, call).await;
        let mut away_until = self.away_until.lock().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Ok(Ok(value)) => {
                if away_until.take().is_some() {
                    tracing::info!("redis answers again");
                }
                return Some(value);
            }
            Ok(Err(error)) if away_until.is_none() => {
                tracing::warn!(%error, "redis does not answer");
            }
            Err(_) if away_until.is_none() => tracing::warn!("redis does not answer in time"),
            Ok(Err(_)) | Err(_) => {}
        }
        *away_until = Some(Instant::now() + LEFT_ALONE);
        None
    }

    fn away(&self) -> Option<Instant> {
        *self.away_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const PATIENCE: Duration = Duration::from_millis(250);
const LEFT_ALONE: Duration = Duration::from_secs(1);

/// Other programs may share the server.
fn place(key: &str) -> String {
    format!("gymwire:{key}")
}

/// Characters that mean something in a pattern.
fn escape(c: char) -> impl Iterator<Item = char> {
    let before = "*?[]\\".contains(c).then_some('\\');
    before.into_iter().chain(std::iter::once(c))
}

const COUNT: &str = r"
local hits = redis.call('INCR', KEYS[1])
if hits == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {hits, redis.call('PTTL', KEYS[1])}
";

const UNCOUNT: &str = r"
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('DECR', KEYS[1]) end
";

const DELETE_ALL: &str = r"
local cursor = '0'
repeat
    local found = redis.call('SCAN', cursor, 'MATCH', ARGV[1], 'COUNT', 1000)
    cursor = found[1]
    for _, key in ipairs(found[2]) do redis.call('DEL', key) end
until cursor == '0'
";

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}
