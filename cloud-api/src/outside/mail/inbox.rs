//! A mail server in memory, for tests: it can be asked what came, and told to fail.

use super::{MailError, Mailer, Rendered};
use futures_util::future::BoxFuture;
use std::sync::{Arc, Mutex, PoisonError};

/// What came; clones are the same box.
#[derive(Debug, Clone, Default)]
pub struct Inbox(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    letters: Vec<Rendered>,
    fails: u32,
}

impl Inbox {
    /// Takes out everything that came.
    pub fn take(&self) -> Vec<Rendered> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).letters)
    }

    /// Refuses the next letters for now.
    pub fn fail(&self, times: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).fails = times;
    }
}

impl Mailer for Inbox {
    fn send<'a>(&'a self, letter: &'a Rendered) -> BoxFuture<'a, Result<(), MailError>> {
        Box::pin(async move {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if state.fails > 0 {
                state.fails -= 1;
                return Err(MailError::Later("the box was told to fail".to_owned()));
            }
            state.letters.push(letter.clone());
            Ok(())
        })
    }
}
