//! How many long polls of one edge wait at the same time. Each takes a connection: without a limit one edge
//! could take those of all.

use crate::http::{Refusal, Result};
use crate::ids::EdgeId;
use axum::http::{HeaderValue, StatusCode, header};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Edges that wait, and how many times.
#[derive(Debug, Default)]
pub struct Polls(Mutex<HashMap<EdgeId, usize>>);

/// A long poll that waits; it ends with this value, also when its client goes away.
#[derive(Debug)]
pub struct Waiting {
    polls: Arc<Polls>,
    edge: EdgeId,
}

/// An agent has two. Those of lines that broke unnoticed still count until their wait is over.
const MAX_PER_EDGE: usize = 16;

impl Polls {
    /// Refuses an edge that waits too many times already.
    pub fn begin(self: &Arc<Self>, edge: EdgeId) -> Result<Waiting> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.entry(edge).or_default();
        if *count >= MAX_PER_EDGE {
            return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_polls")
                .detail("this edge has too many long polls open")
                .header(header::RETRY_AFTER, HeaderValue::from_static("5"))
                .into());
        }
        *count += 1;
        Ok(Waiting { polls: Arc::clone(self), edge })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut waiting = self.polls.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = waiting.get_mut(&self.edge) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.edge);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_has_its_own_number_of_polls_and_gets_them_back() {
        let (polls, edge) = (Arc::new(Polls::default()), EdgeId::new());
        let open: Vec<_> = (0..MAX_PER_EDGE).map(|_| polls.begin(edge).unwrap()).collect();

        assert!(polls.begin(edge).is_err());
        assert!(polls.begin(EdgeId::new()).is_ok());
        drop(open);
        assert!(polls.begin(edge).is_ok());
        assert!(polls.0.lock().unwrap().is_empty());
    }
}
