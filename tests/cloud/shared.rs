//! What instances share: counts, cache, messages and events, by a real Redis server or without one.

use crate::gym::Gym;
use anyhow::Result;
use cloud_api::cache::DEFAULT_LIFETIME;
use cloud_api::config::{Limits, Secret};
use cloud_api::events::outbox;
use cloud_api::{App, Config};
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tests::api::Api;
use tests::redis::Redis;
use tests::wait;
use tokio::task::JoinSet;

const LIMIT: Duration = Duration::from_secs(20);

async fn with(redis: Option<&Redis>, limits: Limits) -> Result<Api> {
    let mut config = Config { limits, ..Config::default() };
    config.redis.url = redis.map(|redis| Secret::from(redis.url()));
    Api::with(config).await
}

/// Another instance over the same database and Redis.
async fn beside(api: &Api) -> Result<App> {
    let config = (*api.app.config).clone();
    App::open(api.db().pool().await?, config, api.app.clock.clone(), api.app.stop.clone()).await
}

async fn eventually(what: &str, probe: impl AsyncFn() -> Result<bool>) -> Result<()> {
    wait::until_true(what, LIMIT, || probe()).await
}

#[tokio::test]
async fn instances_count_together_by_redis() -> Result<()> {
    let redis = Redis::start().await?;
    let api = with(Some(&redis), Limits { anonymous: 2, ..Limits::default() }).await?;
    let other = Api::over(beside(&api).await?);

    assert_eq!(api.get("/api/v1/machines", None).await?.status, 401);
    assert_eq!(other.get("/api/v1/machines", None).await?.status, 401);
    let third = api.get("/api/v1/machines", None).await?;

    assert_eq!(third.status, 429);
    assert!(third.headers["retry-after"].to_str()?.parse::<u64>()? > 800);
    Ok(())
}

#[tokio::test]
async fn without_redis_requests_go_on_and_with_it_again_too() -> Result<()> {
    let mut redis = Redis::start().await?;
    let api = with(Some(&redis), Limits { anonymous: 3, ..Limits::default() }).await?;
    let status = async || Ok::<_, anyhow::Error>(api.get("/api/v1/machines", None).await?.status);
    assert_eq!(status().await?, 401);

    redis.stop().await?;
    assert_eq!(api.get("/api/v1/machines", None).await?.headers["ratelimit-remaining"], "2");
    let cached = api.app.cache.get::<u32>("a").await;
    assert_eq!((status().await?.as_u16(), cached), (401, None));
    redis.start_again().await?;

    api.app.cache.set("b", &7, DEFAULT_LIFETIME).await;
    eventually("the cache works again", async || {
        api.app.cache.set("b", &7, DEFAULT_LIFETIME).await;
        Ok(api.app.cache.get::<u32>("b").await == Some(7))
    })
    .await
}

async fn remembers_and_forgets(api: &Api) -> Result<()> {
    let cache = &api.app.cache;
    cache.set("profile:1", &json!({"name": "Ada"}), DEFAULT_LIFETIME).await;
    cache.set("profile:2", &"Eve", DEFAULT_LIFETIME).await;
    cache.set("machine:1", &"Rower", DEFAULT_LIFETIME).await;

    assert_eq!(cache.get("profile:1").await, Some(json!({"name": "Ada"})));
    assert_eq!(cache.get::<u32>("profile:2").await, None);
    cache.delete("profile:").await;

    assert_eq!(cache.get::<String>("profile:2").await, None);
    assert_eq!(cache.get::<String>("machine:1").await, Some("Rower".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_cache_in_memory_remembers_forgets_and_lets_values_go_with_time() -> Result<()> {
    let api = with(None, Limits::default()).await?;
    remembers_and_forgets(&api).await?;
    api.app.cache.set("a", &1, Duration::from_mins(1)).await;

    api.app.clock.advance(time::Duration::seconds(61));

    assert_eq!(api.app.cache.get::<u32>("a").await, None);
    Ok(())
}

#[tokio::test]
async fn a_cache_in_redis_remembers_forgets_and_is_shared() -> Result<()> {
    let redis = Redis::start().await?;
    let api = with(Some(&redis), Limits::default()).await?;
    let other = beside(&api).await?;
    remembers_and_forgets(&api).await?;

    assert_eq!(other.cache.get::<String>("machine:1").await, Some("Rower".to_owned()));
    Ok(())
}

#[tokio::test]
async fn what_one_instance_deletes_from_its_memory_is_deleted_in_all() -> Result<()> {
    let api = with(None, Limits::default()).await?;
    let other = beside(&api).await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(other.relay.clone().run(other.stop.clone()));

    eventually("the other one forgets", async || {
        other.cache.set("profile:1", &"Ada", DEFAULT_LIFETIME).await;
        api.app.cache.delete("profile:1").await;
        wait::until_true("it is told", Duration::from_millis(200), || async {
            Ok(other.cache.get::<String>("profile:1").await.is_none())
        })
        .await?;
        Ok(true)
    })
    .await
}

/// What an instance hears of events.
fn heard(app: &App, tasks: &mut JoinSet<Result<()>>) -> Arc<Mutex<Vec<outbox::Event>>> {
    let events = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&events);
    app.relay.on_message(move |topic, text| {
        if topic == outbox::TOPIC {
            let event = serde_json::from_str(text).expect("an event");
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        }
    });
    tasks.spawn(app.relay.clone().run(app.stop.clone()));
    events
}

/// Until somebody hears, what is told is lost; so a first message is told until it is heard.
async fn is_heard(app: &App, tasks: &mut JoinSet<Result<()>>) -> Result<()> {
    let came = Arc::new(Mutex::new(false));
    let set = Arc::clone(&came);
    app.relay.on_message(move |topic, _| {
        if topic == "ready" {
            *set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        }
    });
    assert!(!tasks.is_empty());
    eventually("a message is heard", async || {
        app.relay.tell("ready", "").await?;
        Ok(*came.lock().unwrap_or_else(PoisonError::into_inner))
    })
    .await
}

async fn two_register(api: &Api) -> Result<()> {
    Gym::open(api, "Gym").await?;
    for email in ["ada@example.com", "eve@example.com"] {
        let new = json!({"email": email, "password": "marble otter sings 7 tangos", "name": "A"});
        assert_eq!(api.post("/api/v1/auth/register", None, &new).await?.status, 201);
    }
    Ok(())
}

async fn events_are_told(api: &Api) -> Result<()> {
    let other = beside(api).await?;
    let mut tasks = JoinSet::new();
    let events = heard(&other, &mut tasks);
    is_heard(&other, &mut tasks).await?;
    two_register(api).await?;

    outbox::tell_all(&api.app).await?;
    outbox::tell_all(&api.app).await?;

    eventually("both events came", async || {
        Ok(events.lock().unwrap_or_else(PoisonError::into_inner).len() >= 2)
    })
    .await?;
    let events = events.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(events.len(), 2);
    assert!(events[0].id < events[1].id);
    assert_eq!(events[0].kind, "account.registered");
    Ok(())
}

#[tokio::test]
async fn events_are_told_to_other_instances_once_and_in_order_by_postgres() -> Result<()> {
    events_are_told(&with(None, Limits::default()).await?).await
}

#[tokio::test]
async fn events_are_told_to_other_instances_once_and_in_order_by_redis() -> Result<()> {
    let redis = Redis::start().await?;
    events_are_told(&with(Some(&redis), Limits::default()).await?).await
}

#[tokio::test]
async fn what_cannot_be_told_waits_and_keeps_its_order() -> Result<()> {
    let mut redis = Redis::start().await?;
    let api = with(Some(&redis), Limits::default()).await?;
    two_register(&api).await?;
    redis.stop().await?;

    assert!(outbox::tell_all(&api.app).await.is_err());
    redis.start_again().await?;
    let other = beside(&api).await?;
    let mut tasks = JoinSet::new();
    let events = heard(&other, &mut tasks);
    is_heard(&other, &mut tasks).await?;

    eventually("both are told", async || {
        // Redis is left alone for a moment after it was away.
        let told = outbox::tell_all(&api.app).await;
        let count = events.lock().unwrap_or_else(PoisonError::into_inner).len();
        Ok(told.is_ok() && count >= 2)
    })
    .await?;
    let events = events.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(events.len(), 2);
    assert!(events[0].id < events[1].id);
    Ok(())
}
