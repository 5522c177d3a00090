//! Which branches somebody looks at right now: their edges tell of samples often, the others once in a while.

use super::live_store;
use crate::app::App;
use crate::ids::BranchId;
use std::collections::{BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock};
use time::{Duration, OffsetDateTime};

/// When each branch was looked at last, by way of any instance.
#[derive(Debug, Default)]
pub struct Watched(RwLock<HashMap<BranchId, OffsetDateTime>>);

/// Who asked so long ago is thought to look still.
const WATCHED_FOR: Duration = Duration::seconds(30);
/// Other instances are told so often while somebody goes on looking.
const TELL_EVERY: Duration = Duration::seconds(10);

impl Watched {
    /// Somebody looks. Says whether that is news for other instances.
    pub fn note(&self, branch: BranchId, now: OffsetDateTime) -> bool {
        let mut watched = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_news = watched.get(&branch).is_none_or(|&at| now - at >= TELL_EVERY);
        if is_news {
            watched.retain(|_, at| now - *at < WATCHED_FOR);
            watched.insert(branch, now);
        }
        is_news
    }

    /// Whether somebody looks.
    pub fn has(&self, branch: BranchId, now: OffsetDateTime) -> bool {
        let watched = self.0.read().unwrap_or_else(PoisonError::into_inner);
        watched.get(&branch).is_some_and(|&at| now - at < WATCHED_FOR)
    }
}

/// Somebody looks at these branches; every instance knows it from now on.
pub async fn watch(app: &App, branches: impl IntoIterator<Item = BranchId>) -> sqlx::Result<()> {
    let branches: BTreeSet<_> = branches.into_iter().collect();
    let now = app.clock.now();
    for branch in branches.into_iter().filter(|branch| app.watched.note(*branch, now)) {
        live_store::tell_watched(&mut *app.db.acquire().await?, branch).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_watched_for_a_while_and_that_is_news_now_and_then() {
        let (watched, branch) = (Watched::default(), BranchId::new());
        let start = time::macros::datetime!(2026-11-20 12:00 UTC);
        let at = |seconds| start + Duration::seconds(seconds);

        let news: Vec<_> = [0, 1, 9, 10, 11].map(|s| watched.note(branch, at(s))).into();

        assert_eq!(news, [true, false, false, true, false]);
        assert!(watched.has(branch, at(39)) && !watched.has(branch, at(40)));
        assert!(!watched.has(BranchId::new(), at(11)));
    }
}
