//! Signing in and out.

use super::sessions::Token;
use super::throttle::{Attempt, Written};
use super::{Accounts, Busy, Caller, login, role_of};
use crate::registry::staff::AccountRow;
use anyhow::Result;
use protocol::ids::UserId;
use protocol::sync::roster::StaffRecord;
use std::net::IpAddr;
use tokio::sync::watch;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Somebody signed in.
pub struct SignedIn {
    /// The new cookie.
    pub token: Token,
    /// Who.
    pub caller: Caller,
}

/// Why nobody signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInRefused {
    /// Name or password is wrong; which of them is not told.
    #[error("name or password is wrong")]
    Wrong,
    /// There were too many wrong ones.
    #[error("too many wrong passwords: wait {wait_s} s")]
    Wait {
        /// Until the next may be tried.
        wait_s: u64,
    },
    /// Others are signing in.
    #[error("{}", Busy)]
    Busy,
    /// The cloud says that they do not work here any more.
    #[error("this account is switched off in the cloud")]
    SwitchedOff,
    /// It could not be checked.
    #[error("the sign-in could not be checked")]
    Failed(#[source] anyhow::Error),
}

impl From<anyhow::Error> for SignInRefused {
    fn from(error: anyhow::Error) -> Self {
        if error.is::<Busy>() { Self::Busy } else { Self::Failed(error) }
    }
}

impl Accounts {
    /// Checks name and password and begins a session with a cookie of its own, whatever cookie came with the request.
    pub async fn sign_in(
        &self,
        name: &str,
        password: Zeroizing<String>,
        address: IpAddr,
    ) -> Result<SignedIn, SignInRefused> {
        let attempt = Attempt::new(&login(name), address);
        let known = self.admitted(&attempt, name).await?;
        let hash = known.as_ref().map(|row| row.password.clone());
        let is_right = self.0.passwords.verify(password, hash).await?;
        let (Some(row), true) = (known, is_right) else {
            return Err(SignInRefused::Wrong);
        };
        let written = self.lock().throttle.succeeded(&attempt);
        self.keep(written).await;
        self.ensure_employed(&row).await?;
        let token = Token::draw()?;
        let (session, ended) = self.lock().sessions.begin(&token, row.id, self.0.clock.mono_ms());
        self.0.registry.put_staff_session(session, ended).await?;
        let caller = caller(&row, &token);
        Ok(SignedIn { token, caller })
    }

    /// Counts the attempt as failed before it is checked: many at the same moment must not all be the first.
    async fn admitted(
        &self,
        attempt: &Attempt,
        name: &str,
    ) -> Result<Option<AccountRow>, SignInRefused> {
        let (written, known) = {
            let now_ms = self.0.clock.mono_ms();
            let mut state = self.lock();
            let wait_ms = state.throttle.wait_ms(attempt, now_ms);
            if wait_ms > 0 {
                return Err(SignInRefused::Wait { wait_s: wait_ms.div_ceil(1_000) });
            }
            let written = state.throttle.failed(attempt, now_ms);
            (written, state.accounts.get(&login(name)).cloned())
        };
        self.keep(written).await;
        Ok(known)
    }

    async fn keep(&self, written: Written) {
        let Written { counted, forgotten } = written;
        if counted.is_empty() && forgotten.is_empty() {
            return;
        }
        // The count in memory holds; only a restart would forget it.
        if let Err(error) = self.0.registry.keep_staff_failures(counted, forgotten).await {
            tracing::warn!(?error, "failed sign-ins are not written");
        }
    }

    /// Of an account that stands for somebody in the cloud's roster: they still work here.
    async fn ensure_employed(&self, row: &AccountRow) -> Result<(), SignInRefused> {
        let Some(id) = row.staff else { return Ok(()) };
        let roster = self.0.registry.cloud_staff().await?;
        if is_dismissed(id, &roster) { Err(SignInRefused::SwitchedOff) } else { Ok(()) }
    }

    /// Signs out whoever the cloud has switched off meanwhile.
    pub async fn sign_out_dismissed(&self) -> Result<()> {
        let tied: Vec<_> = {
            let (state, now_ms) = (self.lock(), self.0.clock.mono_ms());
            let tied = state.accounts.values().filter_map(|row| Some((row.id, row.staff?)));
            tied.filter(|(account, _)| state.sessions.count(*account, now_ms) > 0).collect()
        };
        if tied.is_empty() {
            return Ok(());
        }
        let roster = self.0.registry.cloud_staff().await?;
        for (account, staff) in tied.into_iter().filter(|(_, staff)| is_dismissed(*staff, &roster))
        {
            tracing::info!(%staff, "signed out: switched off in the cloud");
            self.sign_out_everywhere(account, None).await?;
        }
        Ok(())
    }

    /// Who has this cookie. `uses`: somebody does something, see `Sessions::whose`.
    pub async fn who(&self, token: &Token, uses: bool) -> Option<Caller> {
        let (row, write) = {
            let mut state = self.lock();
            let now_ms = self.0.clock.mono_ms();
            let (account, write) = state.sessions.whose(&token.hash(), now_ms, uses)?;
            let row = state.accounts.values().find(|row| row.id == account)?.clone();
            (row, write)
        };
        if let Some(session) = write
            && let Err(error) = self.0.registry.put_staff_session(session, Vec::new()).await
        {
            tracing::warn!(?error, "a session's use is not written");
        }
        Some(caller(&row, token))
    }

    /// Whether a session is still open, for pages that listen.
    pub fn is_open(&self, session: &[u8; 32]) -> bool {
        let now_ms = self.0.clock.mono_ms();
        self.lock().sessions.whose(session, now_ms, false).is_some()
    }

    /// Changes when somebody was signed out.
    pub fn ended(&self) -> watch::Receiver<u64> {
        self.0.ended.subscribe()
    }

    /// Ends a session.
    pub async fn sign_out(&self, session: &[u8; 32]) -> Result<()> {
        let ended = self.lock().sessions.end(session);
        self.0.ended.send_modify(|count| *count += 1);
        self.0.registry.drop_staff_sessions(ended).await
    }

    /// Ends all sessions of an account, but for one.
    pub async fn sign_out_everywhere(&self, account: Uuid, but: Option<[u8; 32]>) -> Result<()> {
        let ended = self.lock().sessions.end_all(account, but);
        self.0.ended.send_modify(|count| *count += 1);
        self.0.registry.drop_staff_sessions(ended).await
    }

    /// Whether this is the password of an account, for what is asked twice.
    pub async fn is_password(
        &self,
        name: &str,
        password: Zeroizing<String>,
        address: IpAddr,
    ) -> Result<(), SignInRefused> {
        let attempt = Attempt::new(&login(name), address);
        let known = self.admitted(&attempt, name).await?;
        let hash = known.map(|row| row.password);
        if !self.0.passwords.verify(password, hash).await? {
            return Err(SignInRefused::Wrong);
        }
        let written = self.lock().throttle.succeeded(&attempt);
        self.keep(written).await;
        Ok(())
    }
}

/// An empty roster says nothing: it may just be on its way.
fn is_dismissed(staff: UserId, roster: &[StaffRecord]) -> bool {
    match roster.iter().find(|record| record.id == staff) {
        Some(record) => !record.enabled,
        None => !roster.is_empty(),
    }
}

fn caller(row: &AccountRow, token: &Token) -> Caller {
    Caller {
        account: row.id,
        name: row.name.clone(),
        role: role_of(row),
        staff: row.staff,
        session: token.hash(),
        form_token: token.form_token(),
    }
}
