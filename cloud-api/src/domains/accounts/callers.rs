//! Who callers are, remembered by their logins.

use super::store::{self, CurrentUser};
use super::token::Verified;
use crate::app::App;
use crate::events::{Remembered, Signal};
use crate::ids::{LoginId, UserId};

/// Callers by their login.
#[derive(Debug)]
pub struct Callers(Remembered<LoginId, CurrentUser>);

impl Default for Callers {
    fn default() -> Self {
        Self(Remembered::new(MAX_KNOWN))
    }
}

impl Callers {
    /// As they are now; `None` if the login has ended.
    pub async fn find(&self, app: &App, token: Verified) -> sqlx::Result<Option<CurrentUser>> {
        let now = app.clock.now();
        let read = async || {
            let mut db = app.reads.take().await?;
            let found = store::caller(&mut db, token.user, token.login, now).await?;
            db.give_back();
            Ok(found)
        };
        let is_good = |known: &CurrentUser| known.good_until > now;
        self.0.find(&app.bus, (token.user, token.login), is_good, read).await
    }

    /// Takes in what the bus tells.
    pub fn hear(&self, signal: Signal) {
        self.0.hear(signal);
    }

    /// Somebody has changed; the next request looks.
    pub fn forget(&self, user: UserId) {
        self.0.forget(user);
    }
}

const MAX_KNOWN: usize = 50_000;
