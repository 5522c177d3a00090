//! The certificates of the branch: its authority, which devices and browsers trust, and what this gateway shows them.

use sha2::{Digest as _, Sha256};
use x509_parser::pem::Pem;
use x509_parser::prelude::X509Certificate;

/// It is made anew before it has less than this left, see `front_door/tls`; less means that this did not work.
const SOON_MS: i64 = 30 * 86_400_000;

/// A certificate.
pub struct Certificate {
    pub title: &'static str,
    /// Whose it is.
    pub subject: String,
    pub until: String,
    pub look: &'static str,
    pub fingerprint: String,
}

/// The authorities in this PEM, the present one and then the former one.
pub fn authorities(pem: &str, now_ms: i64) -> Vec<Certificate> {
    let blocks = Pem::iter_from_buffer(pem.as_bytes()).filter_map(Result::ok);
    let authority = |(place, block): (usize, Pem)| {
        let title = if place == 0 { "The authority" } else { "The former authority" };
        Some(of(title, &block.parse_x509().ok()?, &block.contents, now_ms))
    };
    blocks.enumerate().filter_map(authority).collect()
}

/// The certificate that this gateway shows.
pub fn shown(der: &[u8], now_ms: i64) -> Option<Certificate> {
    let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
    Some(of("This gateway", &parsed, der, now_ms))
}

fn of(
    title: &'static str,
    certificate: &X509Certificate<'_>,
    der: &[u8],
    now_ms: i64,
) -> Certificate {
    let end = certificate.validity().not_after;
    let left_ms = end.timestamp().saturating_mul(1_000).saturating_sub(now_ms);
    let pairs: Vec<_> = Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect();
    Certificate {
        title,
        subject: certificate.subject().to_string(),
        until: end.to_datetime().date().to_string(),
        look: if left_ms > SOON_MS { "good" } else { "bad" },
        fingerprint: pairs.join(":"),
    }
}
