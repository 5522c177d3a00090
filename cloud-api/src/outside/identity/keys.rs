//! The keys that an issuer publishes: remembered, and fetched anew when a token names one that is not known, at most
//! once a minute.

use crate::outside::web::client;
use anyhow::{Context, ensure};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::JwkSet;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Published keys.
#[derive(Debug)]
pub struct PublishedKeys {
    url: String,
    client: reqwest::Client,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    set: Option<JwkSet>,
    looked_at: Option<Instant>,
}

const LOOK_AGAIN: Duration = Duration::from_mins(1);

impl PublishedKeys {
    pub fn new(url: String) -> anyhow::Result<Self> {
        Ok(Self { url, client: client()?, known: Mutex::default() })
    }

    /// The key of that name; an error if the issuer does not answer.
    pub async fn key(&self, kid: &str) -> anyhow::Result<Option<DecodingKey>> {
        let mut known = self.known.lock().await;
        if let Some(key) = find(known.set.as_ref(), kid)? {
            return Ok(Some(key));
        }
        if known.looked_at.is_some_and(|at| at.elapsed() < LOOK_AGAIN) {
            // Without any keys it is the issuer that fails, not the token.
            ensure!(known.set.is_some(), "it did not a moment ago");
            return Ok(None);
        }
        known.looked_at = Some(Instant::now());
        known.set = Some(self.fetch().await?);
        find(known.set.as_ref(), kid)
    }

    async fn fetch(&self) -> anyhow::Result<JwkSet> {
        let answer = self.client.get(&self.url).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        Ok(answer.context("no keys")?.json().await?)
    }
}

fn find(set: Option<&JwkSet>, kid: &str) -> anyhow::Result<Option<DecodingKey>> {
    let key = set.and_then(|set| set.find(kid));
    Ok(key.map(DecodingKey::from_jwk).transpose()?)
}
