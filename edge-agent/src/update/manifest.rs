//! What a release is made of, signed by its makers. Who is trusted is a file that root owns; what is signed is the
//! text of the manifest, byte by byte.

use super::version::Version;
use anyhow::{Context as _, Result, bail, ensure};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// A manifest as it travels: one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// The text of a [`Manifest`].
    pub manifest: String,
    /// Made by whom; one that is trusted is enough.
    pub signatures: Vec<MakersSignature>,
}

/// A signature of the manifest's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MakersSignature {
    /// The public key, hex.
    pub key: String,
    /// Ed25519, hex.
    pub signature: String,
}

/// What a release is made of. Unknown members are ignored, so that older agents read newer manifests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// 1; agents refuse what they do not know.
    pub format: u32,
    /// Of the release.
    pub version: Version,
    /// Older ones cannot be updated to it directly.
    pub min_version: Version,
    /// The schema versions that its programs write.
    pub databases: Databases,
    /// Programs by the processor they are for (`x86_64`, `aarch64`, `arm`).
    pub programs: BTreeMap<String, Vec<Program>>,
}

/// Schema versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Databases {
    /// Of `journal.db`.
    pub journal: i64,
    /// Of `branch.db`.
    pub branch: i64,
}

/// One program of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// One of [`PROGRAMS`].
    pub name: String,
    /// Where it is, beside the manifest: one file name. Packed by zstd.
    pub file: String,
    /// Bytes of that file.
    pub packed_size: u64,
    /// Bytes of the program.
    pub size: u64,
    /// Of the program, hex.
    pub sha256: String,
}

/// Programs that a release may have.
pub const PROGRAMS: [&str; 2] = ["edge-agent", "firmware-bridge"];
/// The agent, which each release has.
pub const AGENT: &str = PROGRAMS[0];
/// What is read of a manifest at most.
pub const MAX_MANIFEST_BYTES: usize = 256 << 10;
const FORMAT: u32 = 1;
const MAX_PROGRAM_BYTES: u64 = 1 << 30;
/// A signature of something else is none of a manifest.
const CONTEXT: &[u8] = b"gymwire-release-v1";

impl Manifest {
    /// Signs it.
    pub fn sign(&self, key: &SigningKey) -> Result<Signed> {
        let manifest = serde_json::to_string_pretty(self)?;
        let signature = key.sign(&signed_bytes(&manifest));
        let signature = MakersSignature {
            key: hex::encode(key.verifying_key().as_bytes()),
            signature: hex::encode(signature.to_bytes()),
        };
        Ok(Signed { manifest, signatures: vec![signature] })
    }

    /// The programs for this computer.
    pub fn programs_here(&self) -> Result<&[Program]> {
        let here = std::env::consts::ARCH;
        let found = self.programs.get(here);
        found
            .map(Vec::as_slice)
            .with_context(|| format!("release {} has nothing for {here}", self.version))
    }

    fn check(&self) -> Result<()> {
        ensure!(self.format == FORMAT, "its format {} is not known here", self.format);
        for program in self.programs.values().flatten() {
            let is_known = PROGRAMS.contains(&program.name.as_str());
            ensure!(is_known, "a program is called {:?}", program.name);
            let is_plain =
                program.file.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
            ensure!(
                is_plain && !program.file.starts_with('.'),
                "a file is called {:?}",
                program.file
            );
            let sizes = [program.size, program.packed_size];
            ensure!(
                sizes.iter().all(|size| *size <= MAX_PROGRAM_BYTES),
                "{} is too large",
                program.name
            );
        }
        let has_agent = |programs: &Vec<Program>| programs.iter().any(|one| one.name == AGENT);
        ensure!(self.programs.values().all(has_agent), "there is no {AGENT} in it");
        Ok(())
    }
}

impl Signed {
    /// Reads one; nothing is checked yet.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).context("this is no signed manifest")
    }

    /// The manifest, if a trusted maker signed it and it makes sense.
    pub fn verify(&self, trusted: &[VerifyingKey]) -> Result<Manifest> {
        let bytes = signed_bytes(&self.manifest);
        let is_signed = trusted.iter().any(|key| {
            let by_key =
                self.signatures.iter().filter(|one| one.key == hex::encode(key.as_bytes()));
            by_key.filter_map(|one| hex::decode(&one.signature).ok()).any(|signature| {
                Signature::from_slice(&signature)
                    .is_ok_and(|signature| key.verify_strict(&bytes, &signature).is_ok())
            })
        });
        if !is_signed {
            bail!("the release is not signed by a maker that is trusted here");
        }
        let manifest: Manifest =
            serde_json::from_str(&self.manifest).context("the manifest cannot be read")?;
        manifest.check().context("the manifest makes no sense")?;
        Ok(manifest)
    }
}

fn signed_bytes(manifest: &str) -> Vec<u8> {
    [CONTEXT, manifest.as_bytes()].concat()
}

/// The makers' public keys in a file: one in hex a line, `#` begins a comment. Without the file nobody is trusted.
pub fn trusted_keys(file: &Path) -> Result<Vec<VerifyingKey>> {
    let text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.with_context(|| format!("cannot read {}", file.display()))?,
    };
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines
        .filter(|line| !line.is_empty())
        .map(|line| public_key(line).with_context(|| format!("{}: {line:?}", file.display())))
        .collect()
}

fn public_key(line: &str) -> Result<VerifyingKey> {
    let bytes: [u8; 32] =
        hex::decode(line)?.try_into().ok().context("a key has 64 hexadecimal digits")?;
    Ok(VerifyingKey::from_bytes(&bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn manifest() -> Manifest {
        let agent = Program {
            name: AGENT.to_owned(),
            file: "edge-agent-0.2.0-x86_64.zst".to_owned(),
            packed_size: 10,
            size: 20,
            sha256: "00".repeat(32),
        };
        Manifest {
            format: FORMAT,
            version: "0.2.0".parse().unwrap(),
            min_version: "0.1.0".parse().unwrap(),
            databases: Databases { journal: 2, branch: 2 },
            programs: [("x86_64".to_owned(), vec![agent])].into(),
        }
    }

    fn with_program(change: impl Fn(&mut Program)) -> Manifest {
        let mut manifest = manifest();
        manifest.programs.values_mut().flatten().for_each(change);
        manifest
    }

    #[test]
    fn what_a_trusted_maker_signed_is_believed() {
        let signed = manifest().sign(&key(1)).unwrap();
        let bytes = serde_json::to_vec(&signed).unwrap();
        let trusted = [key(2).verifying_key(), key(1).verifying_key()];

        let verified = Signed::parse(&bytes).unwrap().verify(&trusted).unwrap();

        assert_eq!(verified, manifest());
    }

    #[test]
    fn what_others_signed_or_somebody_changed_is_refused() {
        let signed = manifest().sign(&key(1)).unwrap();
        let mut changed = signed.clone();
        changed.manifest = changed.manifest.replace("0.2.0", "0.2.1");
        let mut lent = signed.clone();
        lent.signatures[0].key = hex::encode(key(2).verifying_key().as_bytes());

        assert!(signed.verify(&[]).is_err());
        assert!(signed.verify(&[key(2).verifying_key()]).is_err());
        assert!(changed.verify(&[key(1).verifying_key()]).is_err());
        assert!(lent.verify(&[key(2).verifying_key()]).is_err());
    }

    #[test]
    fn files_stay_beside_the_manifest_and_programs_are_known_ones() {
        let wrong = [
            with_program(|one| one.file = "../agent".to_owned()),
            with_program(|one| one.file = "/bin/sh".to_owned()),
            with_program(|one| one.name = "../../bin/sh".to_owned()),
            with_program(|one| one.name = "firmware-bridge".to_owned()),
            with_program(|one| one.size = u64::MAX),
            Manifest { format: 2, ..manifest() },
        ];

        for manifest in wrong {
            let signed = manifest.sign(&key(1)).unwrap();
            assert!(signed.verify(&[key(1).verifying_key()]).is_err(), "{manifest:?}");
        }
    }

    #[test]
    fn keys_are_lines_of_a_file_and_no_file_trusts_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("release-keys");
        let absent = trusted_keys(&file).unwrap();
        let hex = hex::encode(key(1).verifying_key().as_bytes());
        std::fs::write(&file, format!("# makers\n\n{hex}  # since 2026\n")).unwrap();

        assert_eq!(absent, []);
        assert_eq!(trusted_keys(&file).unwrap(), [key(1).verifying_key()]);
        std::fs::write(&file, "12").unwrap();
        assert!(trusted_keys(&file).is_err());
    }
}
