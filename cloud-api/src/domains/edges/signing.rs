//! The keys that branches believe, read when needed: another instance may have rotated them.

use super::registry_changed;
use anyhow::Context;
use ed25519_dalek::SigningKey;
use protocol::sync::changes::{Change, CloudKey};
use sqlx::{PgConnection, query};
use time::OffsetDateTime;

/// A key of the cloud that branches believe.
pub struct BranchKey {
    pub key_id: u16,
    pub signing: SigningKey,
}

impl BranchKey {
    /// Its public half, as branches are told.
    pub fn public(&self) -> CloudKey {
        CloudKey { key_id: self.key_id, public: self.signing.verifying_key().to_bytes() }
    }
}

/// All keys that count, oldest first.
pub async fn believed(db: &mut PgConnection) -> anyhow::Result<Vec<BranchKey>> {
    let rows =
        query!("SELECT key_id, seed FROM signing_keys WHERE purpose = 'branch' ORDER BY key_id");
    let keys = rows.fetch_all(db).await?.into_iter().map(|row| {
        let seed = <[u8; 32]>::try_from(row.seed).ok().context("a signing key is damaged")?;
        let key_id = u16::try_from(row.key_id)?;
        Ok(BranchKey { key_id, signing: SigningKey::from_bytes(&seed) })
    });
    keys.collect()
}

/// Makes a new key and tells every branch. The former key is believed until it is deleted, and signs for
/// those that have not heard of the new one yet.
pub async fn rotate_branch_key(db: &mut PgConnection, now: OffsetDateTime) -> anyhow::Result<u16> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).context("no random numbers")?;
    query!("LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE").execute(&mut *db).await?;
    query!(
        "UPDATE signing_keys SET retired_at = $1 WHERE purpose = 'branch' AND retired_at IS NULL",
        now,
    )
    .execute(&mut *db)
    .await?;
    let row = query!(
        "INSERT INTO signing_keys (key_id, purpose, seed, created_at)
         SELECT COALESCE(max(key_id), 0) + 1, 'branch', $1, $2 FROM signing_keys RETURNING key_id",
        &seed,
        now,
    );
    let key_id = u16::try_from(row.fetch_one(&mut *db).await?.key_id)?;
    let key = BranchKey { key_id, signing: SigningKey::from_bytes(&seed) };
    tell_branches(db, &Change::CloudKey(key.public())).await?;
    Ok(key_id)
}

/// Deletes a key that was replaced, as after a leak: branches are told to believe it no more. A branch that has not
/// heard of a later key by now trusts nothing we say, and has to be enrolled again.
pub async fn retire_branch_key(db: &mut PgConnection, key_id: u16) -> anyhow::Result<()> {
    let deleted = query!(
        "DELETE FROM signing_keys WHERE purpose = 'branch' AND retired_at IS NOT NULL AND key_id = $1",
        i32::from(key_id),
    );
    anyhow::ensure!(
        deleted.execute(&mut *db).await?.rows_affected() == 1,
        "{key_id} is no key that was replaced; `rotate-keys` replaces the one in use"
    );
    tell_branches(db, &Change::CloudKeyRemoved(key_id)).await
}

async fn tell_branches(db: &mut PgConnection, change: &Change) -> anyhow::Result<()> {
    for branch in query!("SELECT id FROM branches ORDER BY id").fetch_all(&mut *db).await? {
        registry_changed(db, branch.id, change).await?;
    }
    Ok(())
}
