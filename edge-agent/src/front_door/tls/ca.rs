//! The branch's own certificate authority. It is made at the first start, signs the server's certificate and those of
//! devices, and can be replaced: the former root stays trusted beside the new one until it is dropped.
//!
//! Everything is valid from 1970 on: a Pi without a clock battery, and many a microcontroller, believes to be there
//! after a power cut, and a certificate "not valid yet" would lock it out although nothing is wrong.

use crate::ops::durable::{rename_synced, sync_folder, write_private};
use anyhow::{Context as _, Result, bail};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use std::fs;
use std::path::{Path, PathBuf};
use time::{Duration, OffsetDateTime};
use tracing::error;

/// A certificate with its key, both PEM.
pub struct Certified {
    /// The certificate, and for a server the root behind it.
    pub certificate: String,
    /// PKCS #8.
    pub key: String,
}

/// The authority of a branch.
pub struct BranchCa {
    folder: PathBuf,
    root: String,
    issuer: Issuer<'static, KeyPair>,
}

const ROOT: &str = "root.pem";
const ROOT_KEY: &str = "root.key";
const FORMER_ROOT: &str = "former-root.pem";
const ROOT_YEARS: i64 = 30;
const SERVER_DAYS: i64 = 825;
const DEVICE_YEARS: i64 = 10;

impl BranchCa {
    /// Opens the authority in this folder, or makes one. `now_ms` is only used to say how long it is valid.
    pub fn open(folder: &Path, now_ms: i64) -> Result<Self> {
        if folder.join(ROOT).exists() || folder.join(ROOT_KEY).exists() {
            match Self::load(folder) {
                Ok(ca) => return Ok(ca),
                Err(error) => {
                    error!(?error, "the branch CA cannot be read and is set aside");
                    set_aside(folder)?;
                }
            }
        }
        Self::make(folder, now_ms)
    }

    /// Makes a new root; the present one stays trusted as the former one. Two former ones would be one too many.
    pub fn rotate(&mut self, now_ms: i64) -> Result<()> {
        if self.folder.join(FORMER_ROOT).exists() {
            bail!("there is a former root already: `edge-agent ca drop-former` comes first");
        }
        write_private(&self.folder.join(FORMER_ROOT), self.root.as_bytes())?;
        *self = Self::make(&self.folder, now_ms)?;
        Ok(())
    }

    /// Trusts the former root no more.
    pub fn drop_former(&self) -> Result<()> {
        match fs::remove_file(self.folder.join(FORMER_ROOT)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                bail!("there is no former root")
            }
            Err(error) => Err(error).context("cannot delete the former root"),
            Ok(()) => Ok(sync_folder(&self.folder)?),
        }
    }

    /// All roots that are trusted now: what devices are given.
    pub fn export(&self) -> String {
        let former = fs::read_to_string(self.folder.join(FORMER_ROOT)).unwrap_or_default();
        format!("{}{former}", self.root)
    }

    /// The folder it lives in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A certificate with which a device can log in under its code.
    pub fn issue_device(&self, code: &str, now_ms: i64) -> Result<Certified> {
        let mut params = leaf(code, Vec::new(), now_ms, Duration::days(DEVICE_YEARS * 365))?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    /// A certificate for our listeners.
    pub fn issue_server(&self, names: &[String], now_ms: i64) -> Result<Certified> {
        let mut params = leaf("gymwire", names.to_vec(), now_ms, Duration::days(SERVER_DAYS))?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let mut certified = self.sign(&params)?;
        certified.certificate.push_str(&self.root);
        Ok(certified)
    }

    fn sign(&self, params: &CertificateParams) -> Result<Certified> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Certified { certificate, key: key.serialize_pem() })
    }

    fn load(folder: &Path) -> Result<Self> {
        let root = fs::read_to_string(folder.join(ROOT)).context(ROOT)?;
        let key = fs::read_to_string(folder.join(ROOT_KEY)).context(ROOT_KEY)?;
        let key = KeyPair::from_pem(&key).context(ROOT_KEY)?;
        if !holds_key(&root, &key)? {
            bail!("{ROOT} and {ROOT_KEY} do not belong together");
        }
        let issuer = Issuer::from_ca_cert_pem(&root, key).context(ROOT)?;
        Ok(Self { folder: folder.to_owned(), root, issuer })
    }

    fn make(folder: &Path, now_ms: i64) -> Result<Self> {
        let mut params = CertificateParams::default();
        let mut id = [0; 4];
        getrandom::fill(&mut id).context("the system has no random numbers")?;
        // Two roots of one branch need different names, or verifiers try the wrong key.
        name(&mut params, &format!("Gymwire branch {}", hex::encode(id)));
        params.not_before = OffsetDateTime::UNIX_EPOCH;
        params.not_after = end(now_ms, Duration::days(ROOT_YEARS * 365))?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let key_pem = key.serialize_pem();
        let root = CertifiedIssuer::self_signed(params, key)?.pem();
        // The key first: a root without its key would be of no use, a key without its root is replaced.
        write_private(&folder.join(ROOT_KEY), key_pem.as_bytes())?;
        write_private(&folder.join(ROOT), root.as_bytes())?;
        Self::load(folder)
    }
}

fn holds_key(root: &str, key: &KeyPair) -> Result<bool> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(root.as_bytes()).context(ROOT)?;
    let certificate = pem.parse_x509().context(ROOT)?;
    Ok(certificate.public_key().subject_public_key.data.as_ref() == key.public_key_raw())
}

fn set_aside(folder: &Path) -> Result<()> {
    for file in [ROOT, ROOT_KEY] {
        if folder.join(file).exists() {
            rename_synced(&folder.join(file), &folder.join(format!("{file}.broken")))?;
        }
    }
    Ok(())
}

fn leaf(
    common_name: &str,
    names: Vec<String>,
    now_ms: i64,
    life: Duration,
) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(names)?;
    name(&mut params, common_name);
    params.not_before = OffsetDateTime::UNIX_EPOCH;
    params.not_after = end(now_ms, life)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn name(params: &mut CertificateParams, common_name: &str) {
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
}

fn end(now_ms: i64, life: Duration) -> Result<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(now_ms / 1_000)?
        .checked_add(life)
        .context("the clock is beyond all calendars")
}
