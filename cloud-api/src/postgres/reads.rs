//! A few connections that are kept between reads. The pool asks a connection after every use whether it is in order,
//! which is a round trip as long as the read of a row; whoever has read an answer to its end knows.

use super::DOUBTED_AFTER;
use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, PgPool, Postgres};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;

/// Lends them; clones are the same.
#[derive(Debug, Clone)]
pub struct Reads {
    pool: PgPool,
    places: Arc<Semaphore>,
    kept: Arc<Mutex<Vec<Kept>>>,
    stop: CancellationToken,
}

#[derive(Debug)]
struct Kept {
    connection: PoolConnection<Postgres>,
    used_at: Instant,
}

/// A connection for reads outside of transactions.
#[derive(Debug)]
pub struct Lent {
    connection: PoolConnection<Postgres>,
    reads: Reads,
    place: OwnedSemaphorePermit,
}

impl Reads {
    /// From a pool, of which others need most. Nothing is kept after `stop`, so that the pool can close.
    pub fn new(pool: &PgPool, stop: CancellationToken) -> Self {
        let places = (pool.options().get_max_connections() / PART).clamp(1, MAX_KEPT);
        let places = Arc::new(Semaphore::new(places as usize));
        Self { pool: pool.clone(), places, kept: Arc::default(), stop }
    }

    /// Waits for one, the first who asks first.
    pub async fn take(&self) -> sqlx::Result<Lent> {
        let limit = self.pool.options().get_acquire_timeout();
        let place = timeout(limit, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.map_err(|_| sqlx::Error::PoolTimedOut)?;
        let place = place.map_err(|_| sqlx::Error::PoolClosed)?;
        let connection = match self.known_good().await {
            Some(known) => known,
            None => self.pool.acquire().await?,
        };
        Ok(Lent { connection, reads: self.clone(), place })
    }

    /// The one that was used last, if it answers.
    async fn known_good(&self) -> Option<PoolConnection<Postgres>> {
        let Kept { mut connection, used_at } = self.kept().pop()?;
        if used_at.elapsed() >= DOUBTED_AFTER {
            connection.ping().await.ok()?;
        }
        Some(connection)
    }

    /// Gives the pool what nobody needs any more, and in the end everything.
    pub async fn run(self) -> anyhow::Result<()> {
        let mut ticks = interval(DOUBTED_AFTER);
        loop {
            tokio::select! {
                () = self.stop.cancelled() => break,
                _ = ticks.tick() => self.kept().retain(|kept| kept.used_at.elapsed() < DOUBTED_AFTER),
            }
        }
        self.kept().clear();
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of the pool's connections at most one in so many, and so many.
const PART: u32 = 2;
const MAX_KEPT: u32 = 8;

impl Lent {
    /// After the whole answer was read. Without this, as after an error, it goes to the pool, which looks at it.
    pub fn give_back(self) {
        let Self { connection, reads, place } = self;
        if !reads.stop.is_cancelled() {
            reads.kept().push(Kept { connection, used_at: Instant::now() });
        }
        drop(place);
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
