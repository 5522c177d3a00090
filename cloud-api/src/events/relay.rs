//! Messages between the instances of the service: by Redis where it is configured, else by Postgres. Every instance
//! hears them, the one that told as well. A message may be lost while a carrier is away; nothing may depend on it
//! alone.

use crate::outside::redis::Redis;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Tells and hears; clones are the same.
#[derive(Clone)]
pub struct Relay {
    carrier: Arc<dyn Carrier>,
    hooks: Arc<RwLock<Vec<Hook>>>,
}

type Hook = Box<dyn Fn(&str, &str) + Send + Sync>;

/// Brings messages to all instances.
trait Carrier: Send + Sync {
    fn tell<'a>(&'a self, message: &'a str) -> BoxFuture<'a, anyhow::Result<()>>;

    /// Hears until the connection is lost.
    fn hear<'a>(
        &'a self,
        each: &'a (dyn Fn(&str) + Send + Sync),
    ) -> BoxFuture<'a, anyhow::Result<()>>;
}

impl Relay {
    pub fn new(redis: Option<Redis>, db: PgPool) -> Self {
        let carrier: Arc<dyn Carrier> = match redis {
            Some(redis) => Arc::new(redis),
            None => Arc::new(db),
        };
        Self { carrier, hooks: Arc::default() }
    }

    /// Tells all instances that listen now. At most some kilobytes. An error: nobody was told.
    pub async fn tell(&self, topic: &str, text: &str) -> anyhow::Result<()> {
        self.carrier.tell(&format!("{topic} {text}")).await
    }

    /// Calls this for every message, with its topic.
    pub fn on_message(&self, hook: impl Fn(&str, &str) + Send + Sync + 'static) {
        self.hooks.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(hook));
    }

    /// Hears until `stop`.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let each = |message: &str| {
            let (topic, text) = message.split_once(' ').unwrap_or((message, ""));
            for hook in self.hooks.read().unwrap_or_else(PoisonError::into_inner).iter() {
                hook(topic, text);
            }
        };
        loop {
            let ended = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                ended = self.carrier.hear(&each) => ended,
            };
            if let Err(error) = ended {
                tracing::warn!(error = format!("{error:#}"), "other instances are not heard");
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = sleep(RETRY) => {}
            }
        }
    }
}

const RETRY: Duration = Duration::from_millis(500);
const CHANNEL: &str = "instances";

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}

impl Carrier for PgPool {
    fn tell<'a>(&'a self, message: &'a str) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(async move {
            let tell = sqlx::query!("SELECT pg_notify('instances', $1)", message);
            tell.execute(self).await?;
            Ok(())
        })
    }

    fn hear<'a>(
        &'a self,
        each: &'a (dyn Fn(&str) + Send + Sync),
    ) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(async move {
            let mut listener = PgListener::connect_with(self).await?;
            listener.listen(CHANNEL).await?;
            while let Some(notification) = listener.try_recv().await? {
                each(notification.payload());
            }
            Ok(())
        })
    }
}

impl Carrier for Redis {
    fn tell<'a>(&'a self, message: &'a str) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(async move {
            let told = self.publish(CHANNEL, message).await;
            told.ok_or_else(|| anyhow::anyhow!("redis does not answer"))
        })
    }

    fn hear<'a>(
        &'a self,
        each: &'a (dyn Fn(&str) + Send + Sync),
    ) -> BoxFuture<'a, anyhow::Result<()>> {
        Box::pin(async move {
            let mut heard = self.listen(CHANNEL).await?;
            let mut messages = heard.on_message();
            while let Some(message) = messages.next().await {
                each(&message.get_payload::<String>()?);
            }
            Ok(())
        })
    }
}
