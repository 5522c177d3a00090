//! Nonces for phones: random, for one reader, for a moment, for one use. They are kept nowhere: after a restart no
//! old answer of a phone fits any of them.

use anyhow::{Result, anyhow};
use protocol::ids::DeviceId;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How long a phone may take to answer, in milliseconds.
pub const VALID_MS: u32 = 2_000;
/// The answer may be on its way for as long again.
const KEPT_MS: u64 = 2 * VALID_MS as u64;
/// A reader has one phone before it; a few more for questions whose answers were lost.
const MAX_OPEN: usize = 8;

/// The open nonces of all readers; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Nonces(Arc<Mutex<HashMap<DeviceId, VecDeque<Open>>>>);

#[derive(Debug, Clone, Copy)]
struct Open {
    nonce: [u8; 16],
    until_mono_ms: u64,
}

impl Nonces {
    /// A new nonce for a reader; its oldest one is void if there are too many.
    pub fn draw(&self, reader: DeviceId, mono_ms: u64) -> Result<[u8; 16]> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| anyhow!("no random numbers: {error}"))?;
        let mut readers = self.lock();
        let open = readers.entry(reader).or_default();
        open.retain(|open| open.until_mono_ms >= mono_ms);
        if open.len() >= MAX_OPEN {
            open.pop_front();
        }
        open.push_back(Open { nonce, until_mono_ms: mono_ms + KEPT_MS });
        Ok(nonce)
    }

    /// Whether a nonce was given to this reader and may still be used.
    pub fn is_open(&self, reader: DeviceId, nonce: &[u8], mono_ms: u64) -> bool {
        self.lock().get(&reader).is_some_and(|open| find(open, nonce, mono_ms).is_some())
    }

    /// Uses a nonce up. Whether it could be used.
    pub fn spend(&self, reader: DeviceId, nonce: &[u8], mono_ms: u64) -> bool {
        let mut readers = self.lock();
        let Some(open) = readers.get_mut(&reader) else { return false };
        find(open, nonce, mono_ms).is_some_and(|place| open.remove(place).is_some())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceId, VecDeque<Open>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find(open: &VecDeque<Open>, nonce: &[u8], mono_ms: u64) -> Option<usize> {
    open.iter().position(|open| open.nonce == nonce && open.until_mono_ms >= mono_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const DOOR: DeviceId = DeviceId(Uuid::nil());
    const GATE: DeviceId = DeviceId(Uuid::max());

    #[test]
    fn a_nonce_is_good_once_at_its_reader() {
        let nonces = Nonces::default();
        let nonce = nonces.draw(DOOR, 1_000).unwrap();

        assert!(nonces.is_open(DOOR, &nonce, 1_500));
        assert!(!nonces.spend(GATE, &nonce, 1_500));
        assert!(nonces.spend(DOOR, &nonce, 1_500));
        assert!(!nonces.spend(DOOR, &nonce, 1_500) && !nonces.is_open(DOOR, &nonce, 1_500));
    }

    #[test]
    fn a_nonce_expires() {
        let nonces = Nonces::default();
        let nonce = nonces.draw(DOOR, 1_000).unwrap();

        assert!(!nonces.spend(DOOR, &nonce, 1_001 + KEPT_MS));
        assert!(nonces.spend(DOOR, &nonce, 1_000 + KEPT_MS));
    }

    #[test]
    fn a_reader_that_only_asks_pushes_out_its_own() {
        let nonces = Nonces::default();
        let other = nonces.draw(GATE, 0).unwrap();
        let first = nonces.draw(DOOR, 0).unwrap();

        let rest: Vec<_> = (0..MAX_OPEN).map(|_| nonces.draw(DOOR, 0).unwrap()).collect();

        assert!(!nonces.is_open(DOOR, &first, 0));
        assert!(rest.iter().all(|nonce| nonces.is_open(DOOR, nonce, 0)));
        assert!(nonces.is_open(GATE, &other, 0));
    }
}
