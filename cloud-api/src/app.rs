//! What handlers and jobs share. One value, cheap to clone.

use crate::cache::Cache;
use crate::clock::Clock;
use crate::config::Config;
use crate::counters::Counters;
use crate::domains::accounts::{Callers, Passwords, Throttle, Tokens};
use crate::domains::edges::{EnrollAttempts, LiveFloor, Polls, Watched};
use crate::domains::organizations;
use crate::domains::realtime::{Followed, Hub};
use crate::domains::users::Profiles;
use crate::events::{Bus, Relay};
use crate::http::ops;
use crate::http::rate::Rates;
use crate::ids::UserId;
use crate::keys::Keys;
use crate::outside::files::Files;
use crate::outside::identity::{ExternalIssuer, Provider};
use crate::outside::mail::{self, Mailer};
use crate::outside::redis::Redis;
use crate::outside::web;
use crate::postgres::Reads;
use crate::secrets::Secrets;
use anyhow::Context;
use sqlx::PgPool;
use std::ops::Deref;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The state of the service. Every request takes some copies of it.
#[derive(Debug, Clone)]
pub struct App(Arc<State>);

/// What there is of it.
#[derive(Debug, Clone)]
pub struct State {
    pub db: PgPool,
    /// Of the same connections, for what is read often.
    pub reads: Reads,
    pub clock: Clock,
    pub config: Arc<Config>,
    pub keys: Arc<Keys>,
    pub secrets: Arc<Secrets>,
    pub passwords: Passwords,
    pub redis: Option<Redis>,
    pub counters: Counters,
    pub rates: Rates,
    pub throttle: Throttle,
    pub tokens: Arc<Tokens>,
    pub callers: Arc<Callers>,
    pub profiles: Arc<Profiles>,
    pub mailer: Arc<dyn Mailer>,
    pub files: Files,
    pub google: Arc<Provider>,
    pub apple: Arc<Provider>,
    pub external: Option<Arc<ExternalIssuer>>,
    pub cache: Cache,
    /// Messages between instances.
    pub relay: Relay,
    pub enroll_attempts: Arc<EnrollAttempts>,
    pub polls: Arc<Polls>,
    /// What is going on in the branches right now.
    pub live: Arc<LiveFloor>,
    /// Who looks at it.
    pub watched: Arc<Watched>,
    /// Who listens to what happens.
    pub realtime: Arc<Hub>,
    /// Machines whose values somebody listens to.
    pub followed: Arc<Followed>,
    /// Tells this instance from others.
    pub instance: Uuid,
    pub bus: Bus,
    /// Bounds the memory that unpacked batches take.
    pub batch_slots: Arc<Semaphore>,
    /// Cancelled when the service stops: long polls and jobs end themselves.
    pub stop: CancellationToken,
    pub started: Instant,
}

impl Deref for App {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
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
        web::use_ring();
        let mut tx = db.begin().await?;
        let keys = Keys::load(&mut tx, clock.now()).await.context("no signing keys")?;
        let secrets = Secrets::new(&config.service);
        organizations::check_secrets(&mut tx, &secrets).await?;
        tx.commit().await?;
        let redis = config.redis.url.as_ref().map(Redis::open).transpose()?;
        let counters = Counters::new(redis.clone());
        let (bus, callers) = (Bus::default(), Arc::<Callers>::default());
        let profiles = Arc::new(Profiles::new(config.auth.remembered_profiles));
        let told = (Arc::clone(&callers), Arc::clone(&profiles));
        bus.on_signal(move |signal| {
            told.0.hear(signal);
            told.1.hear(signal);
        });
        let relay = Relay::new(redis.clone(), db.clone());
        let cache = Cache::new(redis.clone(), clock.clone(), relay.clone());
        let files = Files::open(&config.files, &config.service.state_dir)?;
        let mailer = mail::open(&config.mail, &config.service.state_dir)?;
        Ok(Self(Arc::new(State {
            reads: Reads::new(&db, stop.clone()),
            db,
            keys: Arc::new(keys),
            secrets: Arc::new(secrets),
            passwords: Passwords::new(&config.auth)?,
            rates: Rates::new(counters.clone(), &config.limits),
            throttle: Throttle::new(counters.clone(), &config.auth),
            counters,
            redis,
            tokens: Arc::new(Tokens::new(config.auth.access_token_s)),
            enroll_attempts: Arc::default(),
            polls: Arc::default(),
            live: Arc::default(),
            bus,
            callers,
            profiles,
            mailer,
            google: Arc::new(Provider::google(&config.google)?),
            apple: Arc::new(Provider::apple(&config.apple)?),
            external: ExternalIssuer::new(&config.external)?.map(Arc::new),
            files,
            cache,
            relay,
            watched: Arc::default(),
            realtime: Arc::new(Hub::new(config.realtime.clone())),
            followed: Arc::default(),
            instance: Uuid::now_v7(),
            batch_slots: Arc::new(Semaphore::new(config.edges.batch_concurrency)),
            config: Arc::new(config),
            clock,
            stop,
            started: Instant::now(),
        })))
    }

    /// The same, with letters going elsewhere.
    #[must_use]
    pub fn with_mailer(mut self, mailer: Arc<dyn Mailer>) -> Self {
        Arc::make_mut(&mut self.0).mailer = mailer;
        self
    }

    /// A user has changed: what is remembered of them here counts no longer. Other instances are told by the database.
    pub fn forget(&self, user: UserId) {
        self.callers.forget(user);
        self.profiles.forget(user);
    }
}
