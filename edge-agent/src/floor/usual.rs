//! How long machines have been lent here lately: what somebody who waits may expect.

use protocol::rules::{Effect, LinkEnd};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What a link of a machine lasts where nobody knows better, in milliseconds.
const UNKNOWN_MS: i64 = 20 * 60_000;
/// So many of the last links count.
const REMEMBERED: usize = 64;
/// Fewer say little.
const ENOUGH: usize = 8;

/// The last links, in seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkTimes(VecDeque<u32>);

impl LinkTimes {
    /// Takes in what happened; whether a link is among it that says something.
    pub fn note(&mut self, effects: &[Effect]) -> bool {
        let ended = effects.iter().filter_map(lasted_s);
        let before = self.0.len();
        self.0.extend(ended);
        let is_news = self.0.len() > before;
        self.0.drain(..self.0.len().saturating_sub(REMEMBERED));
        is_news
    }

    /// The median, in milliseconds.
    pub fn usual_ms(&self) -> i64 {
        if self.0.len() < ENOUGH {
            return UNKNOWN_MS;
        }
        let mut sorted: Vec<u32> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        i64::from(sorted[sorted.len() / 2]) * 1_000
    }
}

fn lasted_s(effect: &Effect) -> Option<u32> {
    match effect {
        Effect::LinkEnded { since_ms, until_ms, why, .. } if *why != LinkEnd::Rejected => {
            u32::try_from((until_ms - since_ms) / 1_000).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::ids::{DeviceId, LinkId, MemberId};
    use uuid::Uuid;

    fn ended(minutes: i64, why: LinkEnd) -> Effect {
        let id = Uuid::from_u128(1);
        let (link, member, machine) = (LinkId(id), MemberId(id), DeviceId(id));
        Effect::LinkEnded { link, member, machine, since_ms: 0, until_ms: minutes * 60_000, why }
    }

    #[test]
    fn what_usually_is_follows_the_last_links_once_there_are_some() {
        let mut times = LinkTimes::default();
        times.note(&[ended(1, LinkEnd::Unlinked)]);
        assert_eq!(times.usual_ms(), 20 * 60_000);

        let lately: Vec<_> = (4..=10).map(|minutes| ended(minutes, LinkEnd::Moved)).collect();
        assert!(times.note(&lately));

        assert_eq!(times.usual_ms(), 7 * 60_000);
    }

    #[test]
    fn what_never_was_and_what_was_long_ago_says_nothing() {
        let mut times = LinkTimes::default();
        assert!(!times.note(&[ended(60, LinkEnd::Rejected)]));
        times.note(&vec![ended(60, LinkEnd::Idle); REMEMBERED]);

        times.note(&vec![ended(3, LinkEnd::Idle); REMEMBERED]);

        assert_eq!(times.usual_ms(), 3 * 60_000);
    }
}
