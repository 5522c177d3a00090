//! The book of the certificates that devices were given: which there are, and which count no more. It lies beside the
//! authority that signed them and is part of every backup.
//!
//! A certificate that is not in it counts, since it may have been given out after the backup that was restored. But a
//! book that cannot be read lets nobody in whom the new one does not list: it may have held a revocation.

use crate::ops::durable::{rename_synced, write_private};
use anyhow::{Context as _, Result, bail, ensure};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use tokio::sync::watch;

/// A certificate that a device was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Serial number, lower-case hexadecimal.
    pub serial: String,
    /// The device's short name.
    pub code: String,
    /// Unix milliseconds of its end.
    pub until_ms: i64,
    /// Name of the authority that signed it; none of a book from before this was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Unix milliseconds since when it counts no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_ms: Option<i64>,
}

/// What the file holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Written {
    /// The former book was lost: what is not listed does not count.
    #[serde(default)]
    only_listed: bool,
    certificates: Vec<Given>,
}

/// The book, open. Whoever has to know what counts [follows](Book::counting) it.
#[derive(Debug)]
pub struct Book {
    path: PathBuf,
    written: Written,
    counting: watch::Sender<Counting>,
}

/// Which certificates count.
#[derive(Debug, Clone, Default)]
pub struct Counting {
    revoked: HashSet<String>,
    /// If these are all that there are.
    only: Option<HashSet<String>>,
}

/// The certificate that a client has shown, and whether it still counts.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The device's short name.
    pub code: String,
    serial: String,
    counting: watch::Receiver<Counting>,
}

const FILE: &str = "certificates.json";
/// More certificates than any branch has devices, many times over.
const MOST: usize = 10_000;
/// What has ended is forgotten after this: until then a clock that is behind may still believe it.
const KEPT_MS: i64 = 400 * 86_400_000;

impl Book {
    /// Opens the book in the authority's folder. One that cannot be read is set aside.
    pub fn open(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let written = read(&path).unwrap_or_else(|error| {
            tracing::error!(
                ?error,
                "the book of certificates cannot be read: no earlier one counts"
            );
            let aside = folder.join(format!("{FILE}.broken"));
            if let Err(error) = rename_synced(&path, &aside) {
                tracing::error!(?error, "it cannot be set aside either");
            }
            let fresh = Written { only_listed: true, certificates: Vec::new() };
            if let Err(error) = write(&path, &fresh) {
                tracing::error!(?error, "the new book cannot be written");
            }
            fresh
        });
        let counting = watch::Sender::new(Counting::of(&written));
        Self { path, written, counting }
    }

    /// Everything in it, by code, the newest first.
    pub fn list(&self) -> Vec<Given> {
        let mut listed = self.written.certificates.clone();
        listed.reverse();
        listed.sort_by(|one, other| one.code.cmp(&other.code));
        listed
    }

    /// Tells which certificates count, now and later.
    pub fn counting(&self) -> watch::Receiver<Counting> {
        self.counting.subscribe()
    }

    /// Enters a certificate (PEM), before anybody is given it.
    pub fn enter(&mut self, code: &str, certificate: &str, now_ms: i64) -> Result<()> {
        let der = CertificateDer::from_pem_slice(certificate.as_bytes())?;
        let (_, parsed) = x509_parser::parse_x509_certificate(&der)?;
        let until_ms = parsed.validity().not_after.timestamp().saturating_mul(1_000);
        let given = Given {
            serial: serial_of(&parsed),
            code: code.to_owned(),
            until_ms,
            authority: Some(parsed.issuer().to_string()),
            revoked_ms: None,
        };
        let mut written = self.written.clone();
        written.certificates.retain(|known| known.until_ms.saturating_add(KEPT_MS) > now_ms);
        ensure!(written.certificates.len() < MOST, "there are {MOST} certificates already");
        written.certificates.push(given);
        self.keep(written)
    }

    /// From now on this certificate does not count.
    pub fn revoke(&mut self, serial: &str, now_ms: i64) -> Result<Given> {
        let serial = plain(serial);
        let mut written = self.written.clone();
        let found = written.certificates.iter_mut().find(|given| given.serial == serial);
        let given = found.with_context(|| {
            format!("no certificate with the serial number {serial} was given out here: `edge-agent device list` \
                     shows those that were")
        })?;
        if given.revoked_ms.is_some() {
            bail!("this certificate of {} is revoked already", given.code);
        }
        given.revoked_ms = Some(now_ms);
        let revoked = given.clone();
        self.keep(written)?;
        Ok(revoked)
    }

    /// From now on no certificate of this device counts that was given out so far.
    pub fn revoke_all_of(&mut self, code: &str, now_ms: i64) -> Result<usize> {
        let mut written = self.written.clone();
        let mut count = 0;
        for given in &mut written.certificates {
            if given.code == code && given.revoked_ms.is_none() {
                given.revoked_ms = Some(now_ms);
                count += 1;
            }
        }
        if count > 0 {
            self.keep(written)?;
        }
        Ok(count)
    }

    /// On disk first, then told.
    fn keep(&mut self, written: Written) -> Result<()> {
        write(&self.path, &written)?;
        self.counting.send_replace(Counting::of(&written));
        self.written = written;
        Ok(())
    }
}

impl Counting {
    fn of(written: &Written) -> Self {
        let all = || written.certificates.iter();
        let serials = |given: &Given| given.serial.clone();
        Self {
            revoked: all().filter(|given| given.revoked_ms.is_some()).map(serials).collect(),
            only: written.only_listed.then(|| all().map(serials).collect()),
        }
    }

    fn has(&self, serial: &str) -> bool {
        !self.revoked.contains(serial)
            && self.only.as_ref().is_none_or(|only| only.contains(serial))
    }

    /// Whether a certificate counts. One that cannot be read does not.
    pub fn allows(&self, certificate: &CertificateDer<'_>) -> bool {
        x509_parser::parse_x509_certificate(certificate)
            .is_ok_and(|(_, parsed)| self.has(&serial_of(&parsed)))
    }
}

impl Shown {
    /// What a client has shown, if it names anybody.
    pub fn read(
        certificate: &CertificateDer<'_>,
        counting: watch::Receiver<Counting>,
    ) -> Option<Self> {
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
        let code = parsed.subject().iter_common_name().next()?.as_str().ok()?.to_owned();
        Some(Self { code, serial: serial_of(&parsed), counting })
    }

    /// Whether it counts now.
    pub fn counts(&self) -> bool {
        self.counting.borrow().has(&self.serial)
    }

    /// Waits until it does not count any more.
    pub async fn revoked(&self) {
        let mut counting = self.counting.clone();
        if counting.wait_for(|counting| !counting.has(&self.serial)).await.is_err() {
            // The agent is ending.
            std::future::pending::<()>().await;
        }
    }
}

/// As people type or copy it: with colons, spaces or capitals.
fn plain(serial: &str) -> String {
    let digits = serial.chars().filter(|c| !matches!(c, ':' | ' '));
    digits.collect::<String>().to_ascii_lowercase()
}

fn serial_of(certificate: &x509_parser::certificate::X509Certificate<'_>) -> String {
    hex::encode(certificate.raw_serial())
}

fn read(path: &Path) -> Result<Written> {
    match fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Written::default()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn write(path: &Path, written: &Written) -> Result<()> {
    write_private(path, &serde_json::to_vec_pretty(written)?)
}

#[cfg(test)]
mod tests {
    use super::super::BranchCa;
    use super::*;

    fn der(pem: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
    }

    #[test]
    fn a_book_that_cannot_be_read_lets_nobody_in_whom_the_new_one_does_not_list() {
        let folder = tempfile::tempdir().unwrap();
        let ca = BranchCa::open(folder.path(), 0).unwrap();
        let [before, after] = [(); 2].map(|()| ca.issue_device("bike", 0).unwrap().certificate);
        Book::open(folder.path()).enter("bike", &before, 0).unwrap();
        fs::write(folder.path().join(FILE), b"{\"certificates\": [").unwrap();

        let mut book = Book::open(folder.path());
        book.enter("bike", &after, 0).unwrap();
        let reopened = Book::open(folder.path());

        for book in [book, reopened] {
            let counting = book.counting().borrow().clone();
            assert!(!counting.allows(&der(&before)) && counting.allows(&der(&after)));
        }
        assert!(folder.path().join("certificates.json.broken").exists());
    }

    #[test]
    fn a_certificate_from_after_a_restored_backup_still_counts() {
        let folder = tempfile::tempdir().unwrap();
        let ca = BranchCa::open(folder.path(), 0).unwrap();
        let unlisted = ca.issue_device("bike", 0).unwrap().certificate;

        let book = Book::open(folder.path());

        assert!(book.counting().borrow().allows(&der(&unlisted)));
    }

    #[test]
    fn what_ended_long_ago_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let ca = BranchCa::open(folder.path(), 0).unwrap();
        let mut book = Book::open(folder.path());
        let issue = |at_ms| ca.issue_device("bike", at_ms).unwrap().certificate;
        book.enter("bike", &issue(0), 0).unwrap();
        let much_later_ms = book.list()[0].until_ms + KEPT_MS;

        book.enter("bike", &issue(much_later_ms), much_later_ms).unwrap();

        assert_eq!(book.list().len(), 1);
    }
}
