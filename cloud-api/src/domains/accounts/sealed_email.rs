//! An address in the payload of a job: sealed, since the queue can be read.

use super::model::Email;
use crate::secrets::Secrets;
use serde::{Deserialize, Serialize};

/// It opens for jobs only.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealedEmail(String);

const SEALED_AS: &str = "letter_address";

impl SealedEmail {
    pub fn seal(secrets: &Secrets, email: &Email) -> anyhow::Result<Self> {
        Ok(Self(hex::encode(secrets.seal(SEALED_AS, email.as_str().as_bytes())?)))
    }

    pub fn open(&self, secrets: &Secrets) -> anyhow::Result<Email> {
        let opened = secrets.open(SEALED_AS, &hex::decode(&self.0)?)?;
        Ok(std::str::from_utf8(&opened)?.parse()?)
    }
}
