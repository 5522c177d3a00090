//! The cloud's signing keys: made at the first start, kept in the database, shared by all instances.

use crate::app::App;
use anyhow::Context;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::{SigningKey, VerifyingKey};
use jsonwebtoken::{DecodingKey, EncodingKey};
use ring::hmac;
use sqlx::PgConnection;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::Instant;

/// What a key signs. Keys are not shared between purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Access tokens of users.
    UserToken,
    /// Access tokens of edges.
    EdgeToken,
    /// What branches verify without asking us: changes, QR codes.
    Branch,
}

/// All keys.
#[derive(Debug)]
pub struct Keys {
    user_token: RwLock<Arc<Ring>>,
    /// When keys of tokens were looked for that are not known here.
    looked_at: Mutex<Option<Instant>>,
    pub edge_token: Ring,
    pub branch: Ring,
}

/// The keys of one purpose.
pub struct Ring {
    key_id: u16,
    signing: SigningKey,
    encoding: EncodingKey,
    believed: Vec<Believed>,
}

/// A key that counts.
struct Believed {
    key_id: u16,
    public: VerifyingKey,
    decoding: DecodingKey,
    mac: hmac::Key,
}

impl Believed {
    fn new(key_id: u16, key: &SigningKey) -> Self {
        let public = key.verifying_key();
        // Not the seed itself: a key has one use.
        let seed = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        let mac = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&seed, MAC_LABEL).as_ref());
        Self { key_id, public, decoding: DecodingKey::from_ed_der(public.as_bytes()), mac }
    }
}

const MAC_LABEL: &[u8] = b"gymwire-mac-v1";

impl Keys {
    /// Reads the keys, making those that are missing. `db` is a transaction: until it ends, other instances
    /// that start wait here.
    pub async fn load(db: &mut PgConnection, now: OffsetDateTime) -> anyhow::Result<Self> {
        sqlx::query!("SELECT pg_advisory_xact_lock($1)", START_LOCK).execute(&mut *db).await?;
        Ok(Self {
            user_token: RwLock::new(Arc::new(Ring::load(db, Purpose::UserToken, now).await?)),
            looked_at: Mutex::default(),
            edge_token: Ring::load(db, Purpose::EdgeToken, now).await?,
            branch: Ring::load(db, Purpose::Branch, now).await?,
        })
    }
}

impl Keys {
    /// The keys of user tokens.
    pub fn user_token(&self) -> Arc<Ring> {
        Arc::clone(&self.user_token.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The keys that a user's token is verified with: one that is not known may be new, from another instance.
    pub async fn user_token_for(&self, app: &App, token: &str) -> Arc<Ring> {
        let known = self.user_token();
        let kid = jsonwebtoken::decode_header(token).ok().and_then(|header| header.kid);
        let is_new = kid.is_some_and(|kid| known.decoding(&kid).is_none());
        if !is_new || !self.may_look() {
            return known;
        }
        match self.reload_user_token(app).await {
            Ok(()) => self.user_token(),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "keys cannot be read");
                known
            }
        }
    }

    /// Reads the keys of user tokens anew.
    pub async fn reload_user_token(&self, app: &App) -> anyhow::Result<()> {
        let mut db = app.db.acquire().await?;
        let ring = Ring::load(&mut db, Purpose::UserToken, app.clock.now()).await?;
        *self.user_token.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        Ok(())
    }

    /// Anybody can make key numbers up, so the database is not asked for each.
    fn may_look(&self) -> bool {
        let mut looked_at = self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        if looked_at.is_some_and(|at| at.elapsed() < LOOK_AGAIN) {
            return false;
        }
        *looked_at = Some(Instant::now());
        true
    }
}

const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Makes a new key that signs users' tokens from the next start or look on. The former one is believed for another
/// week and a day, which is longer than a refresh token lasts unused.
pub async fn rotate_user_token_key(
    db: &mut PgConnection,
    now: OffsetDateTime,
) -> anyhow::Result<u16> {
    sqlx::query!("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE").execute(&mut *db).await?;
    sqlx::query!(
        "DELETE FROM signing_keys WHERE purpose = 'user_token' AND retired_at < $1",
        now - BELIEVED,
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "UPDATE signing_keys SET retired_at = $1
         WHERE purpose = 'user_token' AND retired_at IS NULL",
        now,
    )
    .execute(&mut *db)
    .await?;
    let ring = Ring::load(db, Purpose::UserToken, now).await?;
    Ok(ring.key_id)
}

/// Reads the keys of user tokens every minute, until `stop`: another instance may have rotated them.
pub async fn follow(app: App) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(FOLLOW_EVERY);
    loop {
        tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        if let Err(error) = app.keys.reload_user_token(&app).await {
            tracing::warn!(error = format!("{error:#}"), "keys cannot be read");
        }
    }
}

const FOLLOW_EVERY: Duration = Duration::from_mins(1);

const BELIEVED: time::Duration = time::Duration::days(8);

impl Ring {
    async fn load(
        db: &mut PgConnection,
        purpose: Purpose,
        now: OffsetDateTime,
    ) -> anyhow::Result<Self> {
        make_if_missing(&mut *db, purpose, now).await?;
        let rows = sqlx::query!(
            "SELECT key_id, seed FROM signing_keys WHERE purpose = $1
             ORDER BY retired_at IS NULL DESC, key_id DESC",
            purpose.name(),
        )
        .fetch_all(db)
        .await?;
        let mut keys = Vec::with_capacity(rows.len());
        for row in rows {
            let seed = <[u8; 32]>::try_from(row.seed).ok().context("a signing key is damaged")?;
            keys.push((u16::try_from(row.key_id)?, SigningKey::from_bytes(&seed)));
        }
        let (key_id, signing) = keys.first().cloned().context("there is no signing key")?;
        let encoding = EncodingKey::from_ed_der(signing.to_pkcs8_der()?.as_bytes());
        let believed = keys.iter().map(|(key_id, key)| Believed::new(*key_id, key));
        Ok(Self { key_id, encoding, believed: believed.collect(), signing })
    }

    /// Number of the key that signs.
    pub fn key_id(&self) -> u16 {
        self.key_id
    }

    /// The key that signs.
    pub fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// The key that signs, for tokens.
    pub fn encoding(&self) -> &EncodingKey {
        &self.encoding
    }

    /// The key that a token's header names.
    pub fn decoding(&self, kid: &str) -> Option<&DecodingKey> {
        self.find(kid.parse().ok()?).map(|key| &key.decoding)
    }

    /// For what only this service has to recognize again; shorter than a signature.
    pub fn mac(&self, key_id: u16) -> Option<&hmac::Key> {
        self.find(key_id).map(|key| &key.mac)
    }

    fn find(&self, key_id: u16) -> Option<&Believed> {
        self.believed.iter().find(|key| key.key_id == key_id)
    }

    /// Numbers and public halves of all keys that count.
    pub fn public(&self) -> impl Iterator<Item = (u16, VerifyingKey)> + '_ {
        self.believed.iter().map(|key| (key.key_id, key.public))
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::UserToken => "user_token",
            Self::EdgeToken => "edge_token",
            Self::Branch => "branch",
        }
    }
}

/// Any number, the same in all instances.
const START_LOCK: i64 = 0x6779_6d77_6972_6501;

async fn make_if_missing(
    db: &mut PgConnection,
    purpose: Purpose,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).context("no random numbers")?;
    sqlx::query!(
        "INSERT INTO signing_keys (key_id, purpose, seed, created_at)
         SELECT COALESCE(max(key_id), 0) + 1, $1, $2, $3 FROM signing_keys
         HAVING count(*) FILTER (WHERE purpose = $1 AND retired_at IS NULL) = 0",
        purpose.name(),
        &seed,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}
