//! What the next page of a session says ("The door is open."), kept in memory only.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Beyond it, all that nobody has read is dropped: it is only a word.
const MAX: usize = 256;

/// What came of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// It was done.
    Done(String),
    /// It was not.
    Refused(Objection),
}

/// Why a form was not carried out, and where it is to be said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Objection {
    /// Why.
    pub words: String,
    /// Path that the form was sent to.
    pub action: String,
    /// The field that it is about; empty if it is about the whole.
    pub field: &'static str,
    /// What was typed, but for what is secret.
    pub given: Vec<(String, String)>,
}

/// The notes, by session.
#[derive(Debug, Default)]
pub struct Notes(Mutex<HashMap<[u8; 32], Note>>);

impl Notes {
    /// Leaves a note for a session.
    pub fn leave(&self, session: [u8; 32], note: Note) {
        let mut notes = self.lock();
        if notes.len() >= MAX {
            notes.clear();
        }
        notes.insert(session, note);
    }

    /// Takes it.
    pub fn take(&self, session: &[u8; 32]) -> Option<Note> {
        self.lock().remove(session)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Note>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
