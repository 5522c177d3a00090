//! Who is signed in, in memory; times are monotonic. The cookie is known by its hash only.

use crate::registry::staff::SessionRow;
use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::time::Duration;
use uuid::Uuid;
use zeroize::Zeroizing;

/// Devices on which one account is signed in; the oldest makes way.
const MAX_PER_ACCOUNT: usize = 8;
/// Use is written this seldom; after a restart a session is believed to be that much older at most.
const WRITE_EVERY_MS: u64 = 60_000;

/// The sessions.
#[derive(Debug)]
pub struct Sessions {
    boot: u64,
    idle_ms: u64,
    life_ms: u64,
    open: HashMap<[u8; 32], Open>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    row: SessionRow,
    written_ms: u64,
}

/// A cookie, shown to its browser only.
pub struct Token(Zeroizing<String>);

impl Token {
    /// A new one, 256 bits.
    pub fn draw() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes).context("the system has no random numbers")?;
        Ok(Self(Zeroizing::new(hex::encode(*bytes))))
    }

    /// What a browser sent; `None` if it cannot be one of ours.
    pub fn of_cookie(value: &str) -> Option<Self> {
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (value.len() == 64 && value.bytes().all(is_hex))
            .then(|| Self(Zeroizing::new(value.to_owned())))
    }

    /// The cookie's value.
    pub fn value(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// What forms carry to prove that they are ours: bound to the cookie, and telling nothing of it.
    pub fn form_token(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(b"gymwire-form\0");
        hasher.update(self.0.as_bytes());
        hex::encode(hasher.finalize())
    }
}

impl Sessions {
    /// Those of an earlier start of the agent that are still good. Of another start of the computer: none.
    pub fn new(boot: u64, idle: Duration, life: Duration, rows: &[SessionRow]) -> Self {
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let open = rows.iter().filter(|row| row.boot == boot);
        let open = open.map(|row| (row.token, Open { row: *row, written_ms: row.seen_mono_ms }));
        Self { boot, idle_ms: ms(idle), life_ms: ms(life), open: open.collect() }
    }

    /// Begins one. Those that made way for it, or have ended, come back with it.
    pub fn begin(
        &mut self,
        token: &Token,
        account: Uuid,
        now_ms: u64,
    ) -> (SessionRow, Vec<[u8; 32]>) {
        let mut ended = self.sweep(now_ms);
        let mut own: Vec<_> =
            self.open.values().filter(|open| open.row.account == account).collect();
        own.sort_unstable_by_key(|open| open.row.seen_mono_ms);
        let too_many = (own.len() + 1).saturating_sub(MAX_PER_ACCOUNT);
        let oldest: Vec<_> = own.iter().take(too_many).map(|open| open.row.token).collect();
        for token in oldest {
            self.open.remove(&token);
            ended.push(token);
        }
        let row = SessionRow {
            token: token.hash(),
            account,
            boot: self.boot,
            began_mono_ms: now_ms,
            seen_mono_ms: now_ms,
        };
        self.open.insert(row.token, Open { row, written_ms: now_ms });
        (row, ended)
    }

    /// Whose session it is, if it has not ended. `uses` tells whether somebody does something: a page that only
    /// listens keeps nobody signed in. With it, what is to be written, if anything is.
    pub fn whose(
        &mut self,
        token: &[u8; 32],
        now_ms: u64,
        uses: bool,
    ) -> Option<(Uuid, Option<SessionRow>)> {
        let (idle_ms, life_ms) = (self.idle_ms, self.life_ms);
        let open = self.open.get_mut(token)?;
        if open.row.has_ended(now_ms, idle_ms, life_ms) {
            return None;
        }
        let mut write = None;
        if uses {
            open.row.seen_mono_ms = now_ms;
            if now_ms.saturating_sub(open.written_ms) >= WRITE_EVERY_MS {
                open.written_ms = now_ms;
                write = Some(open.row);
            }
        }
        Some((open.row.account, write))
    }

    /// Ends one.
    pub fn end(&mut self, token: &[u8; 32]) -> Vec<[u8; 32]> {
        self.open.remove(token).map(|open| open.row.token).into_iter().collect()
    }

    /// Ends all of an account, but for one.
    pub fn end_all(&mut self, account: Uuid, but: Option<[u8; 32]>) -> Vec<[u8; 32]> {
        let is_of = |open: &&Open| open.row.account == account && Some(open.row.token) != but;
        let ended: Vec<_> = self.open.values().filter(is_of).map(|open| open.row.token).collect();
        for token in &ended {
            self.open.remove(token);
        }
        ended
    }

    /// How many of an account there are.
    pub fn count(&self, account: Uuid, now_ms: u64) -> usize {
        let is_open = |open: &&Open| {
            open.row.account == account && !open.row.has_ended(now_ms, self.idle_ms, self.life_ms)
        };
        self.open.values().filter(is_open).count()
    }

    fn sweep(&mut self, now_ms: u64) -> Vec<[u8; 32]> {
        let (idle_ms, life_ms) = (self.idle_ms, self.life_ms);
        let has_ended = |open: &&Open| open.row.has_ended(now_ms, idle_ms, life_ms);
        let ended: Vec<_> =
            self.open.values().filter(has_ended).map(|open| open.row.token).collect();
        for token in &ended {
            self.open.remove(token);
        }
        ended
    }
}

impl SessionRow {
    fn has_ended(&self, now_ms: u64, idle_ms: u64, life_ms: u64) -> bool {
        now_ms.saturating_sub(self.seen_mono_ms) >= idle_ms
            || now_ms.saturating_sub(self.began_mono_ms) >= life_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: Uuid = Uuid::from_u128(1);
    const IDLE: Duration = Duration::from_mins(15);
    const LIFE: Duration = Duration::from_hours(12);

    fn none() -> Sessions {
        Sessions::new(1, IDLE, LIFE, &[])
    }

    #[test]
    fn who_only_listens_is_signed_out() {
        let (mut sessions, token) = (none(), Token::draw().unwrap());
        sessions.begin(&token, ADA, 0);

        assert!(sessions.whose(&token.hash(), 600_000, true).is_some());
        assert!(sessions.whose(&token.hash(), 1_400_000, false).is_some());
        assert!(sessions.whose(&token.hash(), 1_500_000, false).is_none());
        assert!(sessions.whose(&token.hash(), 1_500_000, true).is_none(), "for good");
    }

    #[test]
    fn nobody_stays_signed_in_for_ever() {
        let (mut sessions, token) = (none(), Token::draw().unwrap());
        sessions.begin(&token, ADA, 0);

        let minute = |n: u64| n * 60_000;
        let last = (0..=900)
            .step_by(10)
            .map(minute)
            .take_while(|&now| sessions.whose(&token.hash(), now, true).is_some());

        assert_eq!(last.last(), Some(minute(710)));
    }

    #[test]
    fn a_restart_of_the_agent_keeps_sessions_and_one_of_the_computer_none() {
        let (mut sessions, token) = (none(), Token::draw().unwrap());
        let (row, _) = sessions.begin(&token, ADA, 0);

        let mut same = Sessions::new(1, IDLE, LIFE, &[row]);
        let mut other = Sessions::new(2, IDLE, LIFE, &[row]);

        assert!(same.whose(&token.hash(), 1_000, true).is_some());
        assert!(other.whose(&token.hash(), 1_000, true).is_none());
    }

    #[test]
    fn the_ninth_device_signs_out_the_one_that_was_used_longest_ago() {
        let mut sessions = none();
        let tokens: Vec<_> = (0..9).map(|_| Token::draw().unwrap()).collect();
        let ended: Vec<_> = (0..)
            .zip(&tokens)
            .flat_map(|(now_ms, token)| sessions.begin(token, ADA, now_ms).1)
            .collect();

        assert_eq!(ended, [tokens[0].hash()]);
        assert_eq!(sessions.count(ADA, 10), 8);
        assert_eq!(sessions.end_all(ADA, Some(tokens[3].hash())).len(), 7);
        assert!(sessions.whose(&tokens[3].hash(), 10, true).is_some());
    }

    #[test]
    fn only_what_looks_like_a_cookie_of_ours_is_looked_up() {
        let token = Token::draw().unwrap();

        assert!(Token::of_cookie(token.value()).is_some());
        for forged in ["", "0", &token.value().to_uppercase(), &format!("{}0", token.value())] {
            assert!(Token::of_cookie(forged).is_none() || forged == token.value());
        }
        assert_ne!(token.form_token(), token.value());
    }
}
