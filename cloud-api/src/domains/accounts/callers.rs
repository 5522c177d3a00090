//! Who callers are, remembered. What changes them is told over the bus by triggers of the database; while the bus is
//! not heard, nothing is remembered and every request looks into the tables.

use super::store::{self, CurrentUser};
use super::token::Verified;
use crate::app::App;
use crate::events::Signal;
use crate::ids::{LoginId, UserId};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use time::OffsetDateTime;

/// Callers by their login.
#[derive(Debug, Default)]
pub struct Callers(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    known: HashMap<LoginId, CurrentUser>,
    /// Counts what was forgotten, so that what was read before is not remembered after.
    generation: u64,
}

impl Callers {
    /// As they are now; `None` if the login has ended.
    pub async fn find(&self, app: &App, token: Verified) -> sqlx::Result<Option<CurrentUser>> {
        let now = app.clock.now();
        let is_told = app.bus.is_heard();
        if is_told && let Some(known) = self.remembered(token.login, now) {
            return Ok(Some(known));
        }
        let generation = self.lock().generation;
        let found =
            store::caller(&mut *app.db.acquire().await?, token.user, token.login, now).await?;
        if is_told && let Some(found) = &found {
            self.remember(token.login, found, generation);
        }
        Ok(found)
    }

    /// Takes in what the bus tells.
    pub fn hear(&self, signal: Signal) {
        match signal {
            Signal::Caller(user) => self.forget(user),
            Signal::Any => self.forget_all(),
            _ => {}
        }
    }

    /// Somebody has changed; the next request looks.
    pub fn forget(&self, user: UserId) {
        let mut state = self.lock();
        state.generation += 1;
        state.known.retain(|_, known| known.caller.user != user);
    }

    fn forget_all(&self) {
        let mut state = self.lock();
        state.generation += 1;
        state.known.clear();
    }

    fn remembered(&self, login: LoginId, now: OffsetDateTime) -> Option<CurrentUser> {
        let state = self.lock();
        state.known.get(&login).filter(|known| known.good_until > now).cloned()
    }

    fn remember(&self, login: LoginId, found: &CurrentUser, generation: u64) {
        let mut state = self.lock();
        if state.generation != generation {
            return;
        }
        if state.known.len() >= MAX_KNOWN {
            state.known.clear();
        }
        state.known.insert(login, found.clone());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const MAX_KNOWN: usize = 50_000;
