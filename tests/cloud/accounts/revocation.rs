//! What ends or changes somebody counts at once here, within a second on other instances, and also while the bus is
//! not heard.

use super::{cloud, profile, registered};
use anyhow::Result;
use cloud_api::domains::accounts::Role;
use cloud_api::{App, events};
use serde_json::json;
use std::time::Duration;
use tests::api::Api;
use tests::wait;
use tokio::task::JoinSet;

/// Another instance over the same database, whose bus is heard.
async fn instance(api: &Api, tasks: &mut JoinSet<Result<()>>) -> Result<Api> {
    let (config, clock) = ((*api.app.config).clone(), api.app.clock.clone());
    let app = App::open(api.db().pool().await?, config, clock, api.app.stop.clone()).await?;
    tasks.spawn(events::run(app.bus.clone(), app.db.clone(), app.stop.clone()));
    let bus = app.bus.clone();
    wait::until_true("the bus is heard", Duration::from_secs(20), || {
        let is_heard = bus.is_heard();
        async move { Ok(is_heard) }
    })
    .await?;
    Ok(Api::over(app))
}

#[tokio::test]
async fn a_logout_on_one_instance_is_heard_on_another() -> Result<()> {
    let (api, _) = cloud().await?;
    let mut tasks = JoinSet::new();
    let other = instance(&api, &mut tasks).await?;
    let (access, _) = registered(&api, "ada@example.com").await?;
    assert_eq!(profile(&other, &access).await?.status, 200);

    api.post("/api/v1/auth/logout", Some(&access), &json!({})).await?;

    assert_eq!(profile(&api, &access).await?.status, 401);
    wait::until_true("the other instance knows", Duration::from_secs(20), || async {
        Ok(profile(&other, &access).await?.status == 401)
    })
    .await
}

#[tokio::test]
async fn who_is_remembered_is_not_looked_up_again_until_something_changes() -> Result<()> {
    let (api, gym) = cloud().await?;
    let mut tasks = JoinSet::new();
    let other = instance(&api, &mut tasks).await?;
    let token = gym.token(&api, Role::Admin, &[]).await?;
    let machines = || other.get("/api/v1/machines", Some(&token));
    assert_eq!(machines().await?.status, 200);
    // Whoever is asked now waits in vain: the table cannot be read.
    let mut locked = api.app.db.begin().await?;
    sqlx::query("LOCK TABLE users IN ACCESS EXCLUSIVE MODE").execute(&mut *locked).await?;

    let remembered = tokio::time::timeout(Duration::from_secs(20), machines()).await;

    assert_eq!(remembered??.status, 200);
    locked.rollback().await?;
    sqlx::query("UPDATE users SET role = 'member'").execute(&api.app.db).await?;
    wait::until_true("the new role counts", Duration::from_secs(20), || async {
        Ok(machines().await?.status == 403)
    })
    .await
}

#[tokio::test]
async fn while_the_bus_is_not_heard_every_request_looks() -> Result<()> {
    let (api, _) = cloud().await?;
    let mut tasks = JoinSet::new();
    let other = instance(&api, &mut tasks).await?;
    let (access, _) = registered(&api, "ada@example.com").await?;
    assert_eq!(profile(&other, &access).await?.status, 200);
    tasks.shutdown().await;
    let bus = other.app.bus.clone();
    wait::until_true("the bus counts as not heard", Duration::from_secs(20), || {
        let is_heard = bus.is_heard();
        async move { Ok(!is_heard) }
    })
    .await?;

    api.post("/api/v1/auth/logout", Some(&access), &json!({})).await?;

    assert_eq!(profile(&other, &access).await?.status, 401);
    Ok(())
}
