//! Profiles as they were answered, remembered.

use super::store;
use crate::app::App;
use crate::domains::accounts::Plan;
use crate::events::{Remembered, Signal};
use crate::http::{Caller, Result, Tagged};
use crate::ids::UserId;

/// Answers by user. The plan tells them apart, since it changes without a trace in the tables when its time is over.
#[derive(Debug)]
pub struct Profiles(Remembered<Plan, Tagged>);

impl Profiles {
    /// Remembers those of so many users.
    pub fn new(max: usize) -> Self {
        Self(Remembered::new(max))
    }

    /// The caller's own one as it is now.
    pub(super) async fn find(&self, app: &App, caller: &Caller) -> Result<Option<Tagged>> {
        let read = async || {
            let mut db = app.reads.take().await?;
            let found = store::profile(&mut db, caller.user, app.clock.now()).await?;
            db.give_back();
            found.as_ref().map(Tagged::of).transpose()
        };
        self.0.find(&app.bus, (caller.user, caller.plan), |_| true, read).await
    }

    /// Takes in what the bus tells.
    pub fn hear(&self, signal: Signal) {
        self.0.hear(signal);
    }

    /// Somebody has changed; the next request looks.
    pub fn forget(&self, user: UserId) {
        self.0.forget(user);
    }
}
