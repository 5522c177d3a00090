//! What a sign-in by way of a provider's page has to remember until the browser is back. It travels along, sealed, as
//! the `state`: nothing is kept here, and any instance can go on.

use super::federated::Which;
use super::token::{digest, random};
use crate::app::App;
use crate::http::{Error, Result};
use crate::ids::OrganizationId;
use crate::outside::identity::Begun;
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// A sign-in that was begun.
#[derive(Debug, Serialize, Deserialize)]
pub struct State {
    pub which: Which,
    pub nonce: String,
    pub verifier: String,
    /// Digest of the cookie of the browser that began.
    browser: [u8; 32],
    pub app: Option<Return>,
    pub organization: Option<OrganizationId>,
    expires_at: i64,
}

/// The app that goes on afterwards.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Return {
    pub url: String,
    /// What it shows the origin of when it takes over.
    pub challenge: String,
}

/// The cookie and the time that there is for signing in.
pub const COOKIE_NAME: &str = "gymwire_sign_in";
pub const LIFETIME_S: i64 = 600;

const PURPOSE: &str = "sign-in by redirect";
/// Somebody else's, an old one, or none.
const INVALID: Error = Error::Unauthorized("invalid_state");

impl State {
    /// Begins; with what the browser has to keep.
    pub fn begin(
        app: &App,
        which: Which,
        back: Option<Return>,
        organization: Option<OrganizationId>,
    ) -> anyhow::Result<(Self, String)> {
        let cookie = random()?;
        let state = Self {
            which,
            nonce: random()?,
            verifier: random()?,
            browser: digest(&cookie),
            app: back,
            organization,
            expires_at: app.clock.now().unix_timestamp() + LIFETIME_S,
        };
        Ok((state, cookie))
    }

    pub fn seal(&self, app: &App) -> anyhow::Result<String> {
        let sealed = app.secrets.seal(PURPOSE, &serde_json::to_vec(self)?)?;
        Ok(URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The state that a browser came back with, if it is ours and of this provider, and the time is not over.
    pub fn open(app: &App, which: Which, sealed: &str) -> Result<Self> {
        let state = URL_SAFE_NO_PAD.decode(sealed).ok().and_then(|sealed| {
            let plain = app.secrets.open(PURPOSE, &sealed).ok()?;
            serde_json::from_slice::<Self>(&plain).ok()
        });
        let now = app.clock.now().unix_timestamp();
        state.filter(|state| state.which == which && state.expires_at > now).ok_or(INVALID)
    }

    /// Refuses another browser than the one that began. Where an app goes on, its challenge does that.
    pub fn check_browser(&self, headers: &HeaderMap) -> Result<()> {
        let told = cookie(headers).map(digest);
        let is_same = told.is_some_and(|told| bool::from(told.ct_eq(&self.browser)));
        if self.app.is_some() || is_same { Ok(()) } else { Err(INVALID) }
    }

    /// As the provider needs it.
    pub fn begun<'a>(&'a self, redirect_uri: &'a str, state: &'a str) -> Begun<'a> {
        Begun { redirect_uri, state, nonce: &self.nonce, verifier: &self.verifier }
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(COOKIE).into_iter().filter_map(|header| header.to_str().ok());
    all.flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE_NAME).then_some(value))
}
