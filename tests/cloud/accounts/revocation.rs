//! What ends or changes somebody counts at once here, within a second on other instances, and also while the bus is
//! not heard.

use super::{cloud, instance, not_heard, profile, registered};
use anyhow::Result;
use cloud_api::domains::accounts::Role;
use serde_json::json;
use std::time::Duration;
use tests::wait;
use tokio::task::JoinSet;

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
    let branches = || other.get("/api/v1/admin/branches", Some(&token));
    assert_eq!(branches().await?.status, 200);
    // Whoever is asked now waits in vain: the table cannot be read.
    let mut locked = api.app.db.begin().await?;
    sqlx::query("LOCK TABLE users IN ACCESS EXCLUSIVE MODE").execute(&mut *locked).await?;

    let remembered = tokio::time::timeout(Duration::from_secs(20), branches()).await;

    assert_eq!(remembered??.status, 200);
    locked.rollback().await?;
    sqlx::query("UPDATE users SET role = 'member'").execute(&api.app.db).await?;
    wait::until_true("the new role counts", Duration::from_secs(20), || async {
        Ok(branches().await?.status == 403)
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
    not_heard(&other, &mut tasks).await?;

    api.post("/api/v1/auth/logout", Some(&access), &json!({})).await?;

    assert_eq!(profile(&other, &access).await?.status, 401);
    Ok(())
}
