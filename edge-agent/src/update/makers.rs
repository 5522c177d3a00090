//! For the makers of releases: their key, and signed manifests with the packed programs beside them.

use super::manifest::{AGENT, Databases, Manifest, PROGRAMS, Program, Signed};
use super::version::Version;
use crate::ops::durable::write_private;
use anyhow::{Context as _, Result, ensure};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use std::fs;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What is to be released.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its version.
    pub version: Version,
    /// Older ones cannot be updated to it directly.
    pub min_version: Version,
    /// The schema versions that its programs write.
    pub databases: Databases,
    /// Folders with programs, by processor.
    pub programs: Vec<(String, PathBuf)>,
    /// Where the release goes.
    pub out: PathBuf,
}

/// Makes a key and gives its public half, hex.
pub fn make_key(file: &Path) -> Result<String> {
    ensure!(!file.exists(), "{} is there already", file.display());
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).context("the system has no random numbers")?;
    let key = SigningKey::from_bytes(&seed);
    let pem = key.to_pkcs8_pem(LineEnding::LF).context("cannot write the key as PEM")?;
    write_private(&std::path::absolute(file)?, pem.as_bytes())?;
    Ok(hex::encode(key.verifying_key().as_bytes()))
}

/// Reads a key, PKCS #8 as PEM, as `openssl genpkey -algorithm ed25519` makes it too.
pub fn read_key(file: &Path) -> Result<SigningKey> {
    let pem =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let pem = Zeroizing::new(pem);
    SigningKey::from_pkcs8_pem(&pem)
        .with_context(|| format!("{} is no Ed25519 key", file.display()))
}

/// Packs and signs a release; says where its manifest is.
pub fn release(order: &Order, key: &SigningKey, level: i32) -> Result<PathBuf> {
    fs::create_dir_all(&order.out)?;
    let mut manifest = Manifest {
        format: 1,
        version: order.version,
        min_version: order.min_version,
        databases: order.databases,
        programs: [].into(),
    };
    for (processor, folder) in &order.programs {
        let mut programs = Vec::new();
        for name in PROGRAMS {
            let file = folder.join(name);
            if name == AGENT || file.exists() {
                programs.push(pack(order, processor, &file, name, level)?);
            }
        }
        manifest.programs.insert(processor.clone(), programs);
    }
    let signed: Signed = manifest.sign(key)?;
    signed.verify(&[key.verifying_key()])?;
    let file = order.out.join(format!("gymwire-{}.json", order.version));
    fs::write(&file, serde_json::to_vec_pretty(&signed)?)?;
    Ok(file)
}

fn pack(order: &Order, processor: &str, file: &Path, name: &str, level: i32) -> Result<Program> {
    let program = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let packed = zstd::encode_all(program.as_slice(), level)?;
    let packed_name = format!("{name}-{}-{processor}.zst", order.version);
    fs::write(order.out.join(&packed_name), &packed)?;
    Ok(Program {
        name: name.to_owned(),
        file: packed_name,
        packed_size: packed.len() as u64,
        size: program.len() as u64,
        sha256: hex::encode(ring::digest::digest(&ring::digest::SHA256, &program)),
    })
}
