//! The certificates that devices and browsers trust.

use sha2::{Digest as _, Sha256};
use x509_parser::pem::Pem;

/// A root.
pub struct Root {
    pub title: String,
    pub until: String,
    pub fingerprint: String,
}

/// The roots in this PEM: the present one, then the former one.
pub fn of(pem: &str) -> Vec<Root> {
    let blocks = Pem::iter_from_buffer(pem.as_bytes()).filter_map(Result::ok);
    let root = |(place, block): (usize, Pem)| {
        let certificate = block.parse_x509().ok()?;
        let until = certificate.validity().not_after.to_datetime().date();
        let digest = Sha256::digest(&block.contents);
        let pairs: Vec<_> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        let title = if place == 0 { "The authority" } else { "The former authority" };
        Some(Root {
            title: title.to_owned(),
            until: until.to_string(),
            fingerprint: pairs.join(":"),
        })
    };
    blocks.enumerate().filter_map(root).collect()
}
