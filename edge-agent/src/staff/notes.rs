//! A word for the next page that a session opens ("The door is open."), kept in memory only.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Beyond it, all that nobody has read is dropped: it is only a word.
const MAX: usize = 256;

/// The words, by session.
#[derive(Debug, Default)]
pub struct Notes(Mutex<HashMap<[u8; 32], String>>);

impl Notes {
    /// Leaves a word for a session.
    pub fn leave(&self, session: [u8; 32], words: String) {
        let mut notes = self.lock();
        if notes.len() >= MAX {
            notes.clear();
        }
        notes.insert(session, words);
    }

    /// Takes it.
    pub fn take(&self, session: &[u8; 32]) -> Option<String> {
        self.lock().remove(session)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
