//! Secrets that the database holds only sealed: AES-256-GCM under `service.secrets_key` or, where that is not set,
//! under a key in the state folder that is made when it is first needed. Former keys still open.

use crate::config::{SECRETS_KEY_BYTES, Secret, Service};
use anyhow::{Context, ensure};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest, Sha256};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, fs};
use zeroize::Zeroizing;

/// Seals and opens. Keys are read when they are first needed.
pub struct Secrets {
    file: PathBuf,
    configured: Vec<Secret>,
    /// The first one seals.
    keys: Mutex<Option<Arc<[Key]>>>,
}

struct Key {
    id: [u8; KEY_ID],
    aead: LessSafeKey,
}

const VERSION: u8 = 1;
const KEY_ID: usize = 4;
/// Version, number of the key, nonce.
const HEAD: usize = 1 + KEY_ID + NONCE_LEN;

impl Secrets {
    pub fn new(service: &Service) -> Self {
        let configured = service.secrets_key.iter().chain(&service.former_secrets_keys);
        Self {
            file: service.state_dir.join("secrets.key"),
            configured: configured.cloned().collect(),
            keys: Mutex::default(),
        }
    }

    /// Seals for one purpose: sealed bytes that are moved elsewhere do not open.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> anyhow::Result<Vec<u8>> {
        let keys = self.keys()?;
        let key = keys.first().context("there is no key")?;
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).context("no random numbers")?;
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(&key.id);
        sealed.extend_from_slice(&nonce);
        let mut body = plain.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let done = key.aead.seal_in_place_append_tag(nonce, Aad::from(purpose), &mut body);
        done.ok().context("a secret cannot be sealed")?;
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// What was sealed for that purpose.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> anyhow::Result<Zeroizing<Vec<u8>>> {
        ensure!(sealed.first() == Some(&VERSION) && sealed.len() > HEAD, "a secret is damaged");
        let (id, nonce) = (&sealed[1..=KEY_ID], &sealed[1 + KEY_ID..HEAD]);
        let keys = self.keys()?;
        let key = keys.iter().find(|key| key.id == id).with_context(|| {
            format!(
                "a secret was sealed with key {}, which is neither service.secrets_key nor one of \
                 service.former_secrets_keys",
                hex::encode(id),
            )
        })?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok().context("a secret is damaged")?;
        let mut body = Zeroizing::new(sealed[HEAD..].to_vec());
        let opened = key.aead.open_in_place(nonce, Aad::from(purpose), &mut body);
        let plain = opened.ok().context("a secret does not open: it was changed or moved")?.len();
        body.truncate(plain);
        Ok(body)
    }

    fn keys(&self) -> anyhow::Result<Arc<[Key]>> {
        let mut known = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keys) = &*known {
            return Ok(Arc::clone(keys));
        }
        let texts = if self.configured.is_empty() {
            vec![read_or_make(&self.file)?]
        } else {
            self.configured.iter().map(|key| Zeroizing::new(key.expose().to_owned())).collect()
        };
        let keys = texts.iter().map(|text| Key::parse(text)).collect::<anyhow::Result<_>>()?;
        Ok(Arc::clone(known.insert(keys)))
    }
}

impl Key {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut bytes = Zeroizing::new([0; SECRETS_KEY_BYTES]);
        hex::decode_to_slice(text.trim(), &mut *bytes)
            .ok()
            .context("a key of secrets is not 64 hexadecimal digits")?;
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&Sha256::digest(*bytes)[..KEY_ID]);
        let aead = UnboundKey::new(&AES_256_GCM, &*bytes).ok().context("a key has 32 bytes")?;
        Ok(Self { id, aead: LessSafeKey::new(aead) })
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Of several processes that make it at once, one wins and all read the same.
fn read_or_make(file: &Path) -> anyhow::Result<Zeroizing<String>> {
    let about = || format!("{} (or set service.secrets_key)", file.display());
    match fs::read_to_string(file) {
        Ok(text) => return Ok(Zeroizing::new(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(about),
    }
    make(file).with_context(about)?;
    Ok(Zeroizing::new(fs::read_to_string(file).with_context(about)?))
}

fn make(file: &Path) -> anyhow::Result<()> {
    let mut key = Zeroizing::new([0; SECRETS_KEY_BYTES]);
    getrandom::fill(&mut *key).context("no random numbers")?;
    let folder = file.parent().context("no folder")?;
    fs::create_dir_all(folder)?;
    let draft = folder.join(format!("secrets.key.{}", uuid::Uuid::now_v7().simple()));
    let mut written =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let text = Zeroizing::new(hex::encode(*key));
    written.write_all(text.as_bytes())?;
    written.sync_all()?;
    // A link is made whole or not at all, and never in place of one that is there.
    let linked = fs::hard_link(&draft, file);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(fs::File::open(folder)?.sync_all()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(keys: &[&str]) -> Secrets {
        let mut keys = keys.iter().map(|key| Secret::from(key.repeat(32)));
        let (secrets_key, former_secrets_keys) = (keys.next(), keys.collect());
        Secrets::new(&Service { secrets_key, former_secrets_keys, ..Service::default() })
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_only() {
        let secrets = configured(&["11"]);

        let sealed = secrets.seal("cards", b"geheim").unwrap();

        assert!(!sealed.windows(6).any(|window| window == b"geheim"));
        assert_eq!(*secrets.open("cards", &sealed).unwrap(), b"geheim");
        assert!(secrets.open("mail", &sealed).is_err());
    }

    #[test]
    fn a_former_key_still_opens_and_an_unknown_one_is_named() {
        let sealed = configured(&["11"]).seal("cards", b"geheim").unwrap();

        let error = configured(&["22"]).open("cards", &sealed).unwrap_err().to_string();

        assert!(error.contains("service.former_secrets_keys"), "{error}");
        assert_eq!(*configured(&["22", "11"]).open("cards", &sealed).unwrap(), b"geheim");
    }

    #[test]
    fn sealed_bytes_that_were_changed_or_cut_do_not_open() {
        let secrets = configured(&["11"]);
        let sealed = secrets.seal("cards", b"geheim").unwrap();

        for end in 0..sealed.len() {
            assert!(secrets.open("cards", &sealed[..end]).is_err(), "{end} bytes");
        }
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(secrets.open("cards", &changed).is_err(), "byte {place}");
        }
    }

    #[test]
    fn without_a_configured_key_one_is_made_once_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let state_dir = folder.path().join("state");
        let service = Service { state_dir: state_dir.clone(), ..Service::default() };

        let sealed = Secrets::new(&service).seal("cards", b"geheim").unwrap();

        assert_eq!(*Secrets::new(&service).open("cards", &sealed).unwrap(), b"geheim");
        let file = fs::metadata(state_dir.join("secrets.key")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(state_dir).unwrap().count(), 1);
    }
}
