//! Who this edge is: its key, born here, and what the cloud said when it was enrolled.
//!
//! `enrolment.json` names the public key it goes with and is written last, so whichever moment the power fails
//! at, the key that matches is found. A key that is to take its place lies beside it, under a name that says whether the
//! cloud knows of it already (docs/adr/0023).

use crate::ops::durable::{rename_synced, write_private};
use anyhow::{Context as _, Result, bail};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use protocol::sync::changes::CloudKey;
use protocol::sync::enroll::{EnrollAnswer, EnrollKey};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// What the cloud said when the edge was enrolled.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// Base URL of the cloud.
    pub cloud_url: String,
    /// The public half of the edge's key, hex.
    pub public_key: String,
    /// The cloud's words.
    #[serde(flatten)]
    pub answer: EnrollAnswer,
}

impl std::fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enrolment")
            .field("cloud_url", &self.cloud_url)
            .field("edge_id", &self.answer.edge_id)
            .field("branch_id", &self.answer.branch_id)
            .finish_non_exhaustive()
    }
}

impl Enrolment {
    /// The cloud's public keys that count.
    pub fn cloud_keys(&self) -> Vec<CloudKey> {
        self.answer.cloud_keys.iter().filter_map(cloud_key).collect()
    }

    /// The key that card numbers are hashed with in this organization.
    pub fn credential_key(&self) -> Option<[u8; 32]> {
        bytes(&self.answer.credential_key)
    }

    pub(super) fn set_cloud_keys(&mut self, keys: &[CloudKey]) {
        let hex =
            |key: &CloudKey| EnrollKey { key_id: key.key_id, public: hex::encode(key.public) };
        self.answer.cloud_keys = keys.iter().map(hex).collect();
    }
}

fn cloud_key(key: &EnrollKey) -> Option<CloudKey> {
    bytes(&key.public).map(|public| CloudKey { key_id: key.key_id, public })
}

fn bytes(hex_text: &str) -> Option<[u8; 32]> {
    hex::decode(hex_text).ok()?.try_into().ok()
}

/// A key that is to take the place of the present one.
pub struct NextKey {
    /// The key.
    pub key: SigningKey,
    /// The cloud knows of it: it may be used.
    pub is_announced: bool,
}

impl std::fmt::Debug for NextKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NextKey").field("is_announced", &self.is_announced).finish_non_exhaustive()
    }
}

/// The folder that holds key and enrolment.
#[derive(Debug, Clone)]
pub struct Identity {
    folder: PathBuf,
}

impl Identity {
    /// The identity in a state folder.
    pub fn of(state_dir: &Path) -> Self {
        Self { folder: state_dir.join("identity") }
    }

    /// Key and enrolment, if the edge is enrolled.
    pub fn load(&self) -> Result<Option<(SigningKey, Enrolment)>> {
        let path = self.enrolment_path();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let enrolment: Enrolment = serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged: enrol the edge again", path.display()))?;
        self.key_of(&enrolment).map(|key| Some((key, enrolment)))
    }

    /// Draws a new key and keeps it until an enrolment is [`store`](Self::store)d with it.
    pub fn draw_key(&self) -> Result<SigningKey> {
        draw(&self.new_key_path())
    }

    /// The key that is to take the place of the present one, if there is one.
    pub fn next_key(&self) -> Option<NextKey> {
        let announced = read_key(&self.announced_path()).map(|key| (key, true));
        let found = announced.or_else(|_| read_key(&self.born_path()).map(|key| (key, false)));
        found.ok().map(|(key, is_announced)| NextKey { key, is_announced })
    }

    /// Draws the key that is to take the place of the present one, unless there is one already.
    pub fn draw_next_key(&self) -> Result<NextKey> {
        match self.next_key() {
            Some(next) => Ok(next),
            None => Ok(NextKey { key: draw(&self.born_path())?, is_announced: false }),
        }
    }

    /// Notes whether the cloud knows of the next key.
    pub fn set_announced(&self, is_announced: bool) -> Result<()> {
        let (from, to) = (self.born_path(), self.announced_path());
        let (from, to) = if is_announced { (from, to) } else { (to, from) };
        rename_synced(&from, &to)
    }

    /// There is no next key any more.
    pub fn forget_next_key(&self) -> Result<()> {
        for path in [self.born_path(), self.announced_path()] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("cannot delete {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Keeps an enrolment, made with the key drawn last or with the present one.
    pub fn store(&self, enrolment: &Enrolment) -> Result<()> {
        write_private(&self.enrolment_path(), &serde_json::to_vec_pretty(enrolment)?)?;
        self.key_of(enrolment).map(drop)
    }

    fn key_of(&self, enrolment: &Enrolment) -> Result<SigningKey> {
        if let Ok(key) = read_key(&self.key_path())
            && is_pair(&key, enrolment)
        {
            return Ok(key);
        }
        for path in [self.new_key_path(), self.announced_path(), self.born_path()] {
            if let Ok(key) = read_key(&path)
                && is_pair(&key, enrolment)
            {
                rename_synced(&path, &self.key_path())?;
                return Ok(key);
            }
        }
        bail!("the key of the enrolment is gone: enrol the edge again")
    }

    fn born_path(&self) -> PathBuf {
        self.folder.join("edge.key.next")
    }

    fn announced_path(&self) -> PathBuf {
        self.folder.join("edge.key.announced")
    }

    fn enrolment_path(&self) -> PathBuf {
        self.folder.join("enrolment.json")
    }

    fn key_path(&self) -> PathBuf {
        self.folder.join("edge.key")
    }

    fn new_key_path(&self) -> PathBuf {
        self.folder.join("edge.key.new")
    }
}

fn draw(path: &Path) -> Result<SigningKey> {
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).context("the system has no random numbers")?;
    let key = SigningKey::from_bytes(&seed);
    let pem = key.to_pkcs8_pem(LineEnding::LF).context("cannot write the key as PEM")?;
    write_private(path, pem.as_bytes())?;
    Ok(key)
}

fn read_key(path: &Path) -> Result<SigningKey> {
    let pem = zeroize::Zeroizing::new(fs::read_to_string(path)?);
    SigningKey::from_pkcs8_pem(&pem).context("the key is damaged")
}

fn is_pair(key: &SigningKey, enrolment: &Enrolment) -> bool {
    hex::encode(key.verifying_key().as_bytes()) == enrolment.public_key
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::ids::{BranchId, EdgeId, OrganizationId};
    use uuid::Uuid;

    fn enrolment(key: &SigningKey) -> Enrolment {
        Enrolment {
            cloud_url: "https://cloud.example".to_owned(),
            public_key: hex::encode(key.verifying_key().as_bytes()),
            answer: EnrollAnswer {
                edge_id: EdgeId(Uuid::from_u128(1)),
                organization_id: OrganizationId(Uuid::from_u128(2)),
                branch_id: BranchId(Uuid::from_u128(3)),
                branch_name: "Nordend".to_owned(),
                site_no: 7,
                cloud_keys: vec![EnrollKey { key_id: 1, public: hex::encode([9; 32]) }],
                credential_key: hex::encode([5; 32]),
                now_ms: 0,
            },
        }
    }

    #[test]
    fn an_enrolment_is_found_again_with_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::of(folder.path());
        let key = identity.draw_key().unwrap();
        identity.store(&enrolment(&key)).unwrap();

        let (found, kept) = Identity::of(folder.path()).load().unwrap().unwrap();

        assert_eq!(found.to_bytes(), key.to_bytes());
        assert_eq!(kept, enrolment(&key));
        assert_eq!(kept.credential_key(), Some([5; 32]));
    }

    #[test]
    fn a_key_drawn_for_an_enrolment_that_never_came_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::of(folder.path());
        let key = identity.draw_key().unwrap();
        identity.store(&enrolment(&key)).unwrap();
        identity.draw_key().unwrap();

        let (found, _) = identity.load().unwrap().unwrap();

        assert_eq!(found.to_bytes(), key.to_bytes());
    }

    #[test]
    fn a_power_cut_between_enrolment_and_key_is_repaired() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::of(folder.path());
        let old = identity.draw_key().unwrap();
        identity.store(&enrolment(&old)).unwrap();
        let new = identity.draw_key().unwrap();
        let json = serde_json::to_vec(&enrolment(&new)).unwrap();
        write_private(&identity.enrolment_path(), &json).unwrap();

        let (found, _) = identity.load().unwrap().unwrap();

        assert_eq!(found.to_bytes(), new.to_bytes());
    }

    #[test]
    fn a_power_cut_between_enrolment_and_next_key_is_repaired() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::of(folder.path());
        let old = identity.draw_key().unwrap();
        identity.store(&enrolment(&old)).unwrap();
        let next = identity.draw_next_key().unwrap().key;
        identity.set_announced(true).unwrap();
        let json = serde_json::to_vec(&enrolment(&next)).unwrap();
        write_private(&identity.enrolment_path(), &json).unwrap();

        let (found, _) = identity.load().unwrap().unwrap();

        assert_eq!(found.to_bytes(), next.to_bytes());
        assert!(identity.next_key().is_none());
    }

    #[test]
    fn there_is_one_next_key_until_it_is_used_or_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::of(folder.path());
        let next = identity.draw_next_key().unwrap();
        identity.set_announced(true).unwrap();

        let again = identity.draw_next_key().unwrap();
        identity.set_announced(false).unwrap();
        let unknown = identity.next_key().unwrap();
        identity.forget_next_key().unwrap();

        assert_eq!(again.key.to_bytes(), next.key.to_bytes());
        assert_eq!((next.is_announced, again.is_announced), (false, true));
        assert!(!unknown.is_announced && identity.next_key().is_none());
    }

    #[test]
    fn a_damaged_enrolment_is_an_error_with_advice() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::of(folder.path());
        write_private(&identity.enrolment_path(), b"{").unwrap();

        let error = identity.load().unwrap_err();

        assert!(format!("{error:#}").contains("enrol the edge again"));
    }
}
