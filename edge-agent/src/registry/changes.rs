//! Applying what the cloud says has changed, and becoming enrolled.

use super::identity::Enrolment;
use super::tables::{self, Progress};
use super::{Enrolled, Registry};
use anyhow::{Context as _, Result, bail};
use ed25519_dalek::SigningKey;
use protocol::sync::changes::{Change, Changes, CloudKey};
use std::sync::Arc;

/// Changes written in one transaction; a device that logs in waits for at most one of them.
const UNIT: usize = 2_000;

impl Registry {
    /// The version to ask the cloud's changes from.
    pub async fn ask_from(&self) -> Result<u64> {
        Ok(self.progress().await?.ask_from())
    }

    /// Applies verified changes, in short units of work. Applying them twice, or again after a power cut in
    /// the middle, ends the same.
    pub async fn apply(&self, changes: Changes) -> Result<()> {
        let Changes { from, to, reset, more, changes, .. } = changes;
        let mut progress = self.progress().await?;
        if reset {
            let next = progress.target() + 1;
            progress.staged = Some((next, 0));
            self.advance(progress).await?;
            self.sweep(progress).await?;
        } else if from != progress.ask_from() {
            bail!("changes from version {from} do not follow {}", progress.ask_from());
        }
        let keys = KeyChanges::of(&changes);
        let changes: Arc<[Change]> = changes.into();
        self.write(progress.target(), Arc::clone(&changes)).await?;
        let former = progress.generation;
        let is_staged = progress.staged.is_some();
        progress = match progress.staged {
            Some((generation, _)) if more => {
                Progress { staged: Some((generation, to)), ..progress }
            }
            Some((generation, _)) => Progress { generation, cursor: to, staged: None },
            None => Progress { cursor: to, ..progress },
        };
        self.change_keys(&keys)?;
        self.advance(progress).await?;
        self.0.store.call(move |db| tables::drop_settled(db, progress.generation)).await?;
        self.reload().await?;
        if progress.generation != former {
            self.load_roster().await?;
        } else if !is_staged {
            self.follow_roster(&changes);
        }
        self.sweep(progress).await
    }

    /// Keeps an enrolment made with the key drawn for it. In another branch, everything known is forgotten.
    pub async fn enrol(&self, key: SigningKey, enrolment: Enrolment) -> Result<()> {
        self.identity()?.store(&enrolment)?;
        // It was for the place of the key that counts no more.
        self.identity()?.forget_next_key()?;
        self.0.next_key.send_replace(None);
        let former = self.enrolled();
        let same_branch = former
            .is_none_or(|former| former.enrolment.answer.branch_id == enrolment.answer.branch_id);
        let progress = self.progress().await?;
        let generation = if same_branch { progress.generation } else { progress.target() + 1 };
        let progress = Progress { generation, cursor: 0, staged: None };
        let forget = !same_branch;
        self.0
            .store
            .call(move |db| {
                if forget {
                    db.execute("DELETE FROM local_devices", [])?;
                }
                progress.write(db)
            })
            .await?;
        self.0.enrolment.send_replace(Some(Arc::new(Enrolled { key, enrolment })));
        self.reload().await?;
        if forget { self.load_roster().await } else { Ok(()) }
    }

    pub(super) fn identity(&self) -> Result<&super::Identity> {
        self.0.identity.as_ref().context("a registry in memory has no identity")
    }

    /// Draws the key for an enrolment that is about to be asked for.
    pub fn draw_key(&self) -> Result<SigningKey> {
        self.identity()?.draw_key()
    }

    pub(super) async fn progress(&self) -> Result<Progress> {
        self.0.store.call(|db| Progress::read(db)).await
    }

    async fn advance(&self, progress: Progress) -> Result<()> {
        self.0
            .store
            .call(move |db| {
                let tx = db.transaction()?;
                progress.write(&tx)?;
                tx.commit()
            })
            .await
    }

    async fn write(&self, generation: i64, changes: Arc<[Change]>) -> Result<()> {
        for start in (0..changes.len()).step_by(UNIT) {
            let changes = Arc::clone(&changes);
            let unit = move |db: &mut rusqlite::Connection| {
                let tx = db.transaction()?;
                let end = changes.len().min(start + UNIT);
                for change in &changes[start..end] {
                    tables::apply(&tx, generation, change)?;
                }
                tx.commit()
            };
            self.0.store.call(unit).await?;
        }
        Ok(())
    }

    async fn sweep(&self, progress: Progress) -> Result<()> {
        while self.0.store.call(move |db| tables::sweep(db, progress)).await? {}
        Ok(())
    }

    /// Public keys of the cloud belong to the identity, so that they outlive a lost `branch.db`.
    fn change_keys(&self, changes: &KeyChanges) -> Result<()> {
        let Some(enrolled) = self.enrolled().filter(|_| !changes.is_empty()) else {
            return Ok(());
        };
        let mut enrolment = enrolled.enrolment.clone();
        let keys = changes.applied_to(enrolment.cloud_keys());
        // Without any key no later change could ever be believed.
        if keys.is_empty() || keys == enrolment.cloud_keys() {
            return Ok(());
        }
        enrolment.set_cloud_keys(&keys);
        self.identity()?.store(&enrolment)?;
        let key = enrolled.key.clone();
        self.0.enrolment.send_replace(Some(Arc::new(Enrolled { key, enrolment })));
        Ok(())
    }
}

/// The changes of the cloud's keys among others.
#[derive(Debug, Default)]
struct KeyChanges(Vec<Change>);

impl KeyChanges {
    fn of(changes: &[Change]) -> Self {
        let is_key =
            |change: &&Change| matches!(change, Change::CloudKey(_) | Change::CloudKeyRemoved(_));
        Self(changes.iter().filter(is_key).cloned().collect())
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn applied_to(&self, mut keys: Vec<CloudKey>) -> Vec<CloudKey> {
        for change in &self.0 {
            match change {
                Change::CloudKey(key) => {
                    keys.retain(|known| known.key_id != key.key_id);
                    keys.push(*key);
                }
                Change::CloudKeyRemoved(key_id) => keys.retain(|known| known.key_id != *key_id),
                _ => {}
            }
        }
        keys
    }
}
