//! Accounts of the branch's staff and who is signed in: in memory, written through to `branch.db`. Nothing here needs
//! the cloud; who is locked out there is locked out here too.

mod password;
mod role;
mod secret;
mod sessions;
mod sign_in;
mod strength;
mod throttle;

pub use password::{Busy, COST, Cost, random_words};
pub use role::{Permission, Role, UnknownRole};
pub use secret::Secret;
pub use sessions::Token;
pub use sign_in::{SignInRefused, SignedIn};

use super::config::Config;
use crate::ops::clock::Clock;
use crate::registry::Registry;
use crate::registry::staff::AccountRow;
use anyhow::{Context as _, Result, bail, ensure};
use password::{Passwords, objection};
use protocol::ids::UserId;
use sessions::Sessions;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use throttle::Throttle;
use tokio::sync::watch;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Handle to the accounts; clones share it.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

struct Inner {
    registry: Registry,
    clock: Clock,
    passwords: Passwords,
    state: Mutex<State>,
    /// Counts up when somebody is signed out.
    ended: watch::Sender<u64>,
}

struct State {
    /// By name in lower case.
    accounts: BTreeMap<String, AccountRow>,
    sessions: Sessions,
    throttle: Throttle,
}

/// An account, as colleagues see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Which account.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The same person in the cloud's roster.
    pub staff: Option<UserId>,
    /// On how many devices it is signed in.
    pub signed_in: usize,
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Caller {
    /// Which account.
    pub account: Uuid,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The same person in the cloud's roster.
    pub staff: Option<UserId>,
    /// Hash of the session's cookie.
    pub session: [u8; 32],
    /// What its forms carry.
    pub form_token: String,
}

/// Bound on accounts of a branch.
const MAX_ACCOUNTS: usize = 200;

impl Accounts {
    /// What `branch.db` has.
    pub async fn open(
        registry: Registry,
        clock: Clock,
        config: &Config,
        cost: Cost,
    ) -> Result<Self> {
        let rows = registry.staff_rows().await?;
        let now = clock.stamp();
        let state = State {
            accounts: rows.accounts.into_iter().map(|row| (login(&row.name), row)).collect(),
            sessions: Sessions::new(now.boot, config.idle(), config.session(), &rows.sessions),
            throttle: Throttle::new(now.boot, now.mono_ms, &rows.failures),
        };
        let passwords = Passwords::new(cost)?;
        let (state, ended) = (Mutex::new(state), watch::Sender::default());
        Ok(Self(Arc::new(Inner { registry, clock, passwords, state, ended })))
    }

    /// Nobody can sign in.
    pub fn is_empty(&self) -> bool {
        self.lock().accounts.is_empty()
    }

    /// All accounts, by name.
    pub fn list(&self) -> Vec<Account> {
        let state = self.lock();
        let now_ms = self.0.clock.mono_ms();
        state.accounts.values().map(|row| shown(row, &state.sessions, now_ms)).collect()
    }

    /// Adds an account. The password is drawn if none is given; it comes back either way.
    pub async fn add(
        &self,
        name: &str,
        role: Role,
        password: Option<Zeroizing<String>>,
        staff: Option<UserId>,
    ) -> Result<Zeroizing<String>> {
        self.insert(name, role, password, staff, false).await
    }

    /// Adds an account if there is none: of two who are first at the same moment, one is.
    pub async fn add_first(
        &self,
        name: &str,
        role: Role,
        password: Zeroizing<String>,
    ) -> Result<()> {
        self.insert(name, role, Some(password), None, true).await.map(drop)
    }

    async fn insert(
        &self,
        name: &str,
        role: Role,
        password: Option<Zeroizing<String>>,
        staff: Option<UserId>,
        is_first: bool,
    ) -> Result<Zeroizing<String>> {
        let name = checked_name(name)?;
        let (password, hash) = self.new_password(&name, password).await?;
        let row =
            AccountRow { id: Uuid::now_v7(), name, role: role.to_string(), password: hash, staff };
        {
            let mut state = self.lock();
            ensure!(!is_first || state.accounts.is_empty(), "somebody else was first");
            ensure!(state.accounts.len() < MAX_ACCOUNTS, "there are {MAX_ACCOUNTS} accounts");
            let login = login(&row.name);
            ensure!(!state.accounts.contains_key(&login), "there is an account named {}", row.name);
            state.accounts.insert(login, row.clone());
        }
        let written = self.0.registry.put_staff_account(row.clone()).await;
        if written.is_err() {
            self.lock().accounts.remove(&login(&row.name));
        }
        written.map(|()| password)
    }

    /// Gives an account another password and signs it out everywhere, but for one session.
    pub async fn reset(
        &self,
        name: &str,
        password: Option<Zeroizing<String>>,
        but: Option<[u8; 32]>,
    ) -> Result<Zeroizing<String>> {
        let mut row = self.known(name)?;
        let (password, hash) = self.new_password(&row.name, password).await?;
        row.password = hash;
        self.0.registry.put_staff_account(row.clone()).await?;
        self.lock().accounts.insert(login(&row.name), row.clone());
        self.sign_out_everywhere(row.id, but).await?;
        Ok(password)
    }

    /// Gives an account another role. The last manager stays one.
    pub async fn set_role(&self, name: &str, role: Role) -> Result<()> {
        let mut row = self.known(name)?;
        self.ensure_manager_besides(&row, role == Role::Manager)?;
        row.role = role.to_string();
        self.0.registry.put_staff_account(row.clone()).await?;
        self.lock().accounts.insert(login(&row.name), row);
        Ok(())
    }

    /// Removes an account and signs it out. `is_last_allowed`: on the computer itself everything can be undone.
    pub async fn remove(&self, name: &str, is_last_allowed: bool) -> Result<()> {
        let row = self.known(name)?;
        self.ensure_manager_besides(&row, is_last_allowed)?;
        self.lock().accounts.remove(&login(&row.name));
        self.0.registry.drop_staff_account(row.id).await?;
        self.sign_out_everywhere(row.id, None).await
    }

    fn ensure_manager_besides(&self, row: &AccountRow, is_fine: bool) -> Result<()> {
        let is_other =
            |other: &&AccountRow| other.id != row.id && other.role == Role::Manager.as_str();
        let others = self.lock().accounts.values().filter(is_other).count();
        if row.role == Role::Manager.as_str() && others == 0 && !is_fine {
            bail!("{} is the only manager", row.name);
        }
        Ok(())
    }

    async fn new_password(
        &self,
        name: &str,
        password: Option<Zeroizing<String>>,
    ) -> Result<(Zeroizing<String>, Zeroizing<String>)> {
        let password = match password {
            Some(password) => {
                if let Some(objection) = objection(&password, name) {
                    bail!("{objection}");
                }
                password
            }
            None => random_words(4)?,
        };
        let hash = self.0.passwords.hash(password.clone()).await?;
        Ok((password, hash))
    }

    fn known(&self, name: &str) -> Result<AccountRow> {
        let known = self.lock().accounts.get(&login(name)).cloned();
        known.with_context(|| format!("there is no account named {}", name.trim()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shown(row: &AccountRow, sessions: &Sessions, now_ms: u64) -> Account {
    Account {
        id: row.id,
        name: row.name.clone(),
        role: role_of(row),
        staff: row.staff,
        signed_in: sessions.count(row.id, now_ms),
    }
}

/// A word that a later version may have written counts as the role that may least.
fn role_of(row: &AccountRow) -> Role {
    row.role.parse().unwrap_or(Role::Trainer)
}

fn login(name: &str) -> String {
    name.trim().to_lowercase()
}

fn checked_name(name: &str) -> Result<String> {
    let name = name.trim();
    let length = name.chars().count();
    ensure!((2..=60).contains(&length), "a name has 2 to 60 characters");
    ensure!(!name.chars().any(char::is_control), "a name has no control characters");
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests;
