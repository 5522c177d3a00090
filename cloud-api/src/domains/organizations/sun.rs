//! The keys of an organization's NTAG 424 cards. They are JSON that branches are told as the setting `sun_keys`;
//! in the database they are sealed, there too.

use super::store;
use crate::domains::edges::secret_setting_changed;
use crate::http::{Error, Result};
use crate::ids::OrganizationId;
use crate::secrets::Secrets;
use anyhow::Context;
use sqlx::PgConnection;
use std::fmt;
use zeroize::Zeroizing;

/// Name of the setting, and what its value is sealed for.
pub const SUN_KEYS: &str = "sun_keys";

/// The keys as JSON: `{"meta": HEX, "file_master": HEX, "diversify": "an10922"|"hmac"|"none", …}`.
pub struct SunKeys(Zeroizing<String>);

impl SunKeys {
    /// New random keys; every card's own is made from them by NXP's application note 10922.
    pub fn generate() -> anyhow::Result<Self> {
        let key = || {
            let mut key = Zeroizing::new([0; 16]);
            getrandom::fill(&mut *key).context("no random numbers")?;
            anyhow::Ok(Zeroizing::new(hex::encode(*key)))
        };
        let (meta, file_master) = (key()?, key()?);
        Ok(Self(Zeroizing::new(format!(
            r#"{{"meta":"{}","file_master":"{}","diversify":"an10922"}}"#,
            *meta, *file_master,
        ))))
    }

    /// Reads what a branch will read; an error names the field and never the value.
    pub fn read(json: &str) -> anyhow::Result<Self> {
        let read = protocol::credential::sun::SunKeys::parse(json).map_err(anyhow::Error::msg)?;
        anyhow::ensure!(read.is_some(), "there are no keys in it");
        Ok(Self(Zeroizing::new(json.trim().to_owned())))
    }

    /// The text itself; not for logs.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SunKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Replaces the keys, and tells every branch.
pub async fn set_sun_keys(
    db: &mut PgConnection,
    secrets: &Secrets,
    organization: OrganizationId,
    keys: &SunKeys,
) -> Result<()> {
    let sealed = secrets.seal(SUN_KEYS, keys.expose().as_bytes())?;
    store::set_sun_keys(db, organization, &sealed).await?;
    for branch in store::branches(db, organization).await? {
        secret_setting_changed(db, branch, SUN_KEYS, &sealed).await?;
    }
    Ok(())
}

/// The keys, opened.
pub async fn sun_keys(
    db: &mut PgConnection,
    secrets: &Secrets,
    organization: OrganizationId,
) -> Result<SunKeys> {
    let sealed = store::sun_keys(db, organization).await?.ok_or(Error::NotFound)?;
    let json = secrets.open(SUN_KEYS, &sealed)?;
    Ok(SunKeys::read(std::str::from_utf8(&json).context("the keys of cards are damaged")?)?)
}

/// As they are stored.
pub async fn sealed_sun_keys(
    db: &mut PgConnection,
    organization: OrganizationId,
) -> sqlx::Result<Option<Vec<u8>>> {
    store::sun_keys(db, organization).await
}

/// Whether everything that is sealed can be opened: said at the start rather than when a branch asks.
pub async fn check_secrets(db: &mut PgConnection, secrets: &Secrets) -> anyhow::Result<()> {
    for sealed in store::sealed_samples(db).await? {
        secrets.open(SUN_KEYS, &sealed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_do_not_fit_are_refused_without_repeating_them() {
        let json = r#"{"meta":"0011","file_master":"ff","diversify":"none"}"#;

        let error = SunKeys::read(json).unwrap_err().to_string();

        assert!(error.contains("meta") || error.contains("file_master"), "{error}");
        assert!(!error.contains("0011"), "{error}");
    }

    #[test]
    fn new_keys_are_read_by_branches() {
        let keys = SunKeys::generate().unwrap();

        assert!(SunKeys::read(keys.expose()).is_ok());
        assert_eq!(format!("{keys:?}"), "[redacted]");
    }
}
