//! What handlers and jobs share. One value, cheap to clone.

use crate::clock::Clock;
use crate::config::Config;
use crate::domains::accounts::{Passwords, Throttle, Tokens};
use crate::domains::edges::{EnrollAttempts, LiveFloor, Polls, Watched};
use crate::domains::organizations;
use crate::events::Bus;
use crate::http::ops;
use crate::keys::Keys;
use crate::secrets::Secrets;
use anyhow::Context;
use sqlx::PgPool;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The state of the service.
#[derive(Debug, Clone)]
pub struct App {
    pub db: PgPool,
    pub clock: Clock,
    pub config: Arc<Config>,
    pub keys: Arc<Keys>,
    pub secrets: Arc<Secrets>,
    pub passwords: Passwords,
    pub throttle: Arc<Throttle>,
    pub tokens: Arc<Tokens>,
    pub enroll_attempts: Arc<EnrollAttempts>,
    pub polls: Arc<Polls>,
    /// What is going on in the branches right now.
    pub live: Arc<LiveFloor>,
    /// Who looks at it.
    pub watched: Arc<Watched>,
    pub bus: Bus,
    /// Bounds the memory that unpacked batches take.
    pub batch_slots: Arc<Semaphore>,
    /// Cancelled when the service stops: long polls and jobs end themselves.
    pub stop: CancellationToken,
    pub started: Instant,
}

impl App {
    /// Over a database whose schema is up to date.
    pub async fn open(
        db: PgPool,
        config: Config,
        clock: Clock,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        ops::recorder();
        let mut tx = db.begin().await?;
        let keys = Keys::load(&mut tx, clock.now()).await.context("no signing keys")?;
        let secrets = Secrets::new(&config.service);
        organizations::check_secrets(&mut tx, &secrets).await?;
        tx.commit().await?;
        Ok(Self {
            db,
            keys: Arc::new(keys),
            secrets: Arc::new(secrets),
            passwords: Passwords::new(&config.auth)?,
            throttle: Arc::new(Throttle::new(&config.auth)),
            tokens: Arc::new(Tokens::new(config.auth.access_token_s)),
            enroll_attempts: Arc::default(),
            polls: Arc::default(),
            live: Arc::default(),
            watched: Arc::default(),
            bus: Bus::default(),
            batch_slots: Arc::new(Semaphore::new(config.edges.batch_concurrency)),
            config: Arc::new(config),
            clock,
            stop,
            started: Instant::now(),
        })
    }
}
