//! An instance is killed while a thousand listen: all go on at the other one, by a proxy that leads them there.

use super::{Person, number, numbered};
use crate::gym::Gym;
use anyhow::{Context, Result};
use cloud_api::events::log::{self, Audience};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tests::api::Api;
use tests::chaos::ChaosLink;
use tests::cloud::Cloud;
use tests::live::{Heard, Socket};
use tests::wait;
use tokio::task::JoinSet;

const CLIENTS: usize = 1_000;
const EVENTS: u128 = 60;
const LIMIT: Duration = Duration::from_mins(1);

/// Listens until it has heard everything, and goes on wherever the proxy leads when it is cut off.
async fn listen(
    proxy: std::net::SocketAddr,
    token: Arc<str>,
    listening: Arc<AtomicUsize>,
) -> Result<Vec<u128>> {
    let (mut numbers, mut last, mut has_begun) = (Vec::new(), None::<String>, false);
    while numbers.len() < usize::try_from(EVENTS)? {
        let after = last.as_ref().map(|id| format!("&last_event_id={id}")).unwrap_or_default();
        let path = format!("/api/v1/ws?channels=user{after}");
        let Ok(mut socket) = Socket::open(proxy, &path, Some(&token)).await else {
            tokio::task::yield_now().await;
            continue;
        };
        while let Ok(Heard::Frame(frame)) = socket.next().await {
            if let Some(id) = frame["id"].as_str() {
                last = Some(id.to_owned());
            }
            match frame["type"].as_str() {
                Some("subscribed") if !std::mem::replace(&mut has_begun, true) => {
                    listening.fetch_add(1, Ordering::Relaxed);
                }
                Some("sync:workout") => numbers.push(number(&frame)?),
                Some("reset") => anyhow::bail!("told to begin anew"),
                _ => {}
            }
            if numbers.len() == usize::try_from(EVENTS)? {
                break;
            }
        }
    }
    Ok(numbers)
}

#[tokio::test]
async fn a_thousand_clients_of_a_killed_instance_miss_nothing_and_hear_nothing_twice() -> Result<()>
{
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Live").await?;
    let ada = Person::enter(&api, &gym, "Ada").await?;
    let folders = (tempfile::tempdir()?, tempfile::tempdir()?);
    let mut clouds = Vec::new();
    for folder in [&folders.0, &folders.1] {
        let mut cloud = Cloud::over(&api.db().url(), folder.path())?;
        cloud.env("GYMWIRE_REALTIME__MAX_CONNECTIONS_PER_USER", "5000");
        cloud.env("GYMWIRE_LIMITS__ANONYMOUS", "1000000");
        cloud.start().await?;
        clouds.push(cloud);
    }
    let proxy = ChaosLink::start(clouds[0].address()).await?;
    let (token, listening) = (Arc::from(ada.token.as_str()), Arc::new(AtomicUsize::new(0)));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(listen(proxy.address(), Arc::clone(&token), Arc::clone(&listening)));
    }
    let all = || async { Ok(listening.load(Ordering::Relaxed) >= CLIENTS) };
    wait::until_true("all listen", LIMIT, all).await?;
    let tell = async |number| {
        let mut db = api.app.db.acquire().await?;
        let (to, now) = (Audience::User(ada.id), api.app.clock.now());
        log::append(&mut db, to, &numbered(number), now).await
    };

    for number in 0..EVENTS {
        if number == EVENTS / 3 {
            proxy.retarget(clouds[1].address());
            clouds[0].kill().await?;
        }
        tell(number).await?;
    }

    let expected: Vec<u128> = (0..EVENTS).collect();
    while let Some(heard) = clients.join_next().await {
        assert_eq!(heard?.context("a client")?, expected);
    }
    clouds[1].stop().await?;
    Ok(())
}
