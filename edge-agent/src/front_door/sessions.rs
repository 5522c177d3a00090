//! Who is connected: one connection per login. A second login takes over, and waits until the first one is gone, so
//! that the will of the old connection cannot overwrite what the new one says.

use super::codec::Reason;
use super::urgent::{Urgent, Urgently};
use protocol::ids::DeviceId;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The connections that are logged in.
#[derive(Debug, Clone, Default)]
pub struct Sessions(Arc<Mutex<HashMap<DeviceId, Arc<Live>>>>);

/// A logged-in connection, as others see it.
#[derive(Debug, Default)]
pub struct Live {
    stop: CancellationToken,
    why: OnceLock<Reason>,
    ended: CancellationToken,
    urgent: Arc<Urgent>,
    /// What it has subscribed to.
    filters: Mutex<HashSet<String>>,
}

/// Takes the connection out of the list when it is dropped.
#[derive(Debug)]
pub struct Session {
    sessions: Sessions,
    device: DeviceId,
    live: Arc<Live>,
}

/// A connection that does not end when it is taken over is left behind after this time.
const PATIENCE: Duration = Duration::from_secs(2);

impl Sessions {
    /// Logs a device in and ends its former connection. `None`: as many are connected as may be.
    pub async fn log_in(&self, device: DeviceId, limit: usize) -> Option<Session> {
        let live = Arc::new(Live::default());
        let former = {
            let mut map = self.lock();
            if map.len() >= limit && !map.contains_key(&device) {
                return None;
            }
            map.insert(device, Arc::clone(&live))
        };
        let session = Session { sessions: self.clone(), device, live };
        if let Some(former) = former {
            former.end(Reason::TAKEN_OVER);
            let _ = tokio::time::timeout(PATIENCE, former.ended.cancelled()).await;
        }
        Some(session)
    }

    /// Tells a device something at once, if it is connected; how many older messages gave way.
    pub fn tell(&self, device: DeviceId, message: Urgently) -> usize {
        let urgent = self.lock().get(&device).map(|live| Arc::clone(&live.urgent));
        urgent.map_or(0, |urgent| urgent.put(message))
    }

    pub fn is_online(&self, device: DeviceId) -> bool {
        self.lock().contains_key(&device)
    }

    /// A device has subscribed.
    pub fn subscribed(&self, device: DeviceId, filter: &str) {
        if let Some(live) = self.lock().get(&device) {
            live.filters().insert(filter.to_owned());
        }
    }

    /// Whether a device is connected and has subscribed to just this topic: what is said before it has is lost.
    pub fn hears(&self, device: DeviceId, topic: &str) -> bool {
        self.lock().get(&device).is_some_and(|live| live.filters().contains(topic))
    }

    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceId, Arc<Live>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn filters(&self) -> MutexGuard<'_, HashSet<String>> {
        self.filters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, why: Reason) {
        let _ = self.why.set(why);
        self.stop.cancel();
    }
}

impl Session {
    /// What the connection is to be told at once.
    pub fn urgent(&self) -> Arc<Urgent> {
        Arc::clone(&self.live.urgent)
    }

    /// Waits until somebody wants the connection to end, and tells why.
    pub async fn stopped(&self) -> Reason {
        self.live.stop.cancelled().await;
        self.live.why.get().copied().unwrap_or(Reason::ADMINISTRATIVE)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut map = self.sessions.lock();
        if map.get(&self.device).is_some_and(|live| Arc::ptr_eq(live, &self.live)) {
            map.remove(&self.device);
        }
        drop(map);
        self.live.ended.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const DEVICE: DeviceId = DeviceId(Uuid::nil());
    const OTHER: DeviceId = DeviceId(Uuid::max());

    #[tokio::test]
    async fn a_second_login_waits_for_the_end_of_the_first() {
        let sessions = Sessions::default();
        let first = sessions.log_in(DEVICE, 1).await.unwrap();

        let (second, why) = tokio::join!(sessions.log_in(DEVICE, 1), async {
            let why = first.stopped().await;
            drop(first);
            why
        });

        assert_eq!(why, Reason::TAKEN_OVER);
        assert!(second.is_some() && sessions.is_online(DEVICE));
    }

    #[tokio::test]
    async fn the_limit_counts_logins() {
        let sessions = Sessions::default();
        let _first = sessions.log_in(DEVICE, 1).await.unwrap();

        assert!(sessions.log_in(OTHER, 1).await.is_none());
    }

    #[tokio::test]
    async fn who_is_connected_hears_nothing_before_it_has_subscribed() {
        let sessions = Sessions::default();
        let first = sessions.log_in(DEVICE, 1).await.unwrap();
        assert!(!sessions.hears(DEVICE, "commands"));

        sessions.subscribed(DEVICE, "commands");

        assert!(sessions.hears(DEVICE, "commands") && !sessions.hears(DEVICE, "other"));
        drop(first);
        assert!(!sessions.hears(DEVICE, "commands"));
    }

    #[tokio::test]
    async fn after_the_end_it_is_offline() {
        let sessions = Sessions::default();

        drop(sessions.log_in(DEVICE, 1).await);

        assert!(!sessions.is_online(DEVICE));
    }
}
