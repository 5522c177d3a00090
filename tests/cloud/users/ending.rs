//! Accounts that the operator ends.

use super::{Person, Scene, log_in, told};
use anyhow::Result;
use axum::http::Method;
use cloud_api::domains::accounts::Role;
use cloud_api::jobs::run_due_jobs;
use protocol::sync::changes::Change;
use serde_json::{Value, json};
use tests::api::Answer;
use time::Duration;

async fn end(scene: &Scene, by: &Person, whom: &Person) -> Result<Answer> {
    scene.send(by, Method::DELETE, &format!("/admin/users/{}", whom.id), Value::Null).await
}

#[tokio::test]
async fn an_account_that_the_operator_ends_is_erased_when_its_time_is_over() -> Result<()> {
    let scene = Scene::open().await?;
    let admin = scene.person("admin@example.com", Role::Admin, &[]).await?;

    let asked = end(&scene, &admin, &scene.ada).await?;
    let letters = scene.letters().await?;
    let own = scene.post("/users/account/restore", json!({})).await?;
    scene.api.app.clock.advance(Duration::days(29));
    run_due_jobs(&scene.api.app).await?;
    let before = log_in(&scene.api, &scene.ada.email).await?.status;
    scene.api.app.clock.advance(Duration::days(2));
    run_due_jobs(&scene.api.app).await?;

    assert_eq!(asked.status, 202);
    assert_eq!(letters, ["Your account will be deleted"]);
    assert_eq!(told(&own)?, (409, json!("ended_by_operator")));
    assert_eq!(
        (before.as_u16(), log_in(&scene.api, &scene.ada.email).await?.status.as_u16()),
        (200, 401)
    );
    let by: Vec<Option<uuid::Uuid>> = sqlx::query_scalar(
        "SELECT actor_id FROM audit_log WHERE action = 'account.deletion_asked'",
    )
    .fetch_all(&scene.api.app.db)
    .await?;
    assert_eq!(by, [Some(admin.id.0)]);
    Ok(())
}

#[tokio::test]
async fn the_operator_thinks_better_of_it_whoever_asked() -> Result<()> {
    let scene = Scene::open().await?;
    let admin = scene.person("admin@example.com", Role::Admin, &[]).await?;
    let restore = format!("/admin/users/{}/restore", scene.ada.id);
    scene.delete("/users/account").await?;
    end(&scene, &admin, &scene.ada).await?;

    let restored = scene.send(&admin, Method::POST, &restore, json!({})).await?;
    scene.api.app.clock.advance(Duration::days(31));
    scene.letters().await?;

    assert_eq!(restored.status, 204);
    assert_eq!(log_in(&scene.api, &scene.ada.email).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn asking_again_does_not_put_it_off() -> Result<()> {
    let scene = Scene::open().await?;
    let admin = scene.person("admin@example.com", Role::Admin, &[]).await?;

    let first = scene.delete("/users/account").await?.json()?;
    scene.api.app.clock.advance(Duration::minutes(5));
    let second = end(&scene, &admin, &scene.ada).await?.json()?;

    let at = |answer: &Value| -> Result<i64> {
        let text = answer["erased_at"].as_str().unwrap_or_default().to_owned();
        let form = &time::format_description::well_known::Rfc3339;
        Ok(time::OffsetDateTime::parse(&text, form)?.unix_timestamp())
    };
    assert_eq!(at(&first)?, at(&second)?);
    Ok(())
}

#[tokio::test]
async fn the_last_who_runs_the_organization_stays() -> Result<()> {
    let scene = Scene::open().await?;
    let first = scene.person("first@example.com", Role::Admin, &[]).await?;

    let alone = end(&scene, &first, &first).await?;
    let second = scene.person("second@example.com", Role::Admin, &[]).await?;
    let of_two = end(&scene, &first, &first).await?;
    let the_other = end(&scene, &first, &second).await?;
    let member = end(&scene, &scene.ada, &second).await?;

    assert_eq!(told(&alone)?, (409, json!("last_admin")));
    assert_eq!(of_two.status, 202);
    // Who is about to go does not count.
    assert_eq!(told(&the_other)?, (409, json!("last_admin")));
    assert_eq!(member.status, 403);
    Ok(())
}

#[tokio::test]
async fn a_branch_forgets_staff_whose_account_was_erased() -> Result<()> {
    use crate::changes::ask;
    let scene = crate::edge::Scene::open().await?;
    let (api, gym) = (&scene.api, &scene.gym);
    let admin = Person::enter(api, gym, "admin@example.com", Role::Admin, &[]).await?;
    let staff = Person::enter(api, gym, "staff@example.com", Role::Staff, &[gym.branch.id]).await?;
    let before = ask(&scene, 0, 0).await?.to;
    let path = format!("/api/v1/admin/users/{}", staff.id);
    api.delete(&path, Some(&admin.token)).await?;

    api.app.clock.advance(Duration::days(31));
    run_due_jobs(&api.app).await?;
    api.app.clock.advance(-Duration::days(31));

    let told = ask(&scene, before, 0).await?.changes;
    let is_gone = |change: &Change| {
        matches!(change, Change::Roster { id, item, .. }
            if *id == *staff.id.0.as_bytes() && item.is_empty())
    };
    assert!(told.iter().any(is_gone), "{told:?}");
    Ok(())
}
