//! Brings the edge's next key to the cloud: announced under the present key, then used. Each step is on disk before the
//! next one, so whatever ends the agent, the next start goes on, and the cloud never refuses it.

use super::Uplink;
use super::backoff::Backoff;
use super::http::Failure;
use super::link::Lane;
use super::token::Cloud;
use crate::registry::identity::NextKey;
use protocol::sync::enroll::KeyAnnouncement;
use std::convert::Infallible;
use std::time::Duration;

/// Waits for keys to replace, for as long as the edge is enrolled this way.
pub(super) async fn run(uplink: &Uplink, cloud: &Cloud) -> Infallible {
    let mut next_keys = uplink.registry.next_keys();
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_mins(5));
    let mut waiter = uplink.link.waiter();
    loop {
        uplink.link.hold().await;
        let next = next_keys.borrow_and_update().clone();
        let Some(next) = next else {
            if next_keys.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            continue;
        };
        let step = if next.is_announced {
            cloud.renew().await
        } else {
            announce(uplink, cloud, &next).await
        };
        match step {
            Ok(()) => {
                uplink.link.reached(Lane::Key);
                backoff.reset();
            }
            Err(failure) => {
                uplink.failed(Lane::Key, &failure).await;
                waiter.pause(backoff.next_wait(), &failure).await;
            }
        }
    }
}

async fn announce(uplink: &Uplink, cloud: &Cloud, next: &NextKey) -> Result<(), Failure> {
    // The token may be the first of this start, and bring out that the cloud knows the next key already.
    cloud.renew().await?;
    let is_used = uplink.registry.next_keys().borrow().is_none();
    let Some(enrolled) = uplink.registry.enrolled().filter(|_| !is_used) else { return Ok(()) };
    let announced = KeyAnnouncement::make(cloud.edge(), &enrolled.key, &next.key);
    let url = cloud.url("/key");
    cloud.call(|clients| clients.live.put(&url).json(&announced)).await?;
    let kept = uplink.registry.key_announced(next, true);
    kept.map_err(|error| Failure::Unreachable(format!("the key's state is not kept: {error:#}")))
}
