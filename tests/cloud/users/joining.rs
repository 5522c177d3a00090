//! Joining and leaving branches by the app.

use super::{Scene, told};
use anyhow::{Context, Result};
use axum::http::Method;
use cloud_api::domains::accounts::Role;
use cloud_api::domains::joining::{self, Joining};
use cloud_api::domains::members;
use serde_json::{Value, json};

async fn open_branch(scene: &Scene) -> Result<()> {
    let mut db = scene.api.app.db.acquire().await?;
    Ok(joining::set(&mut db, scene.gym.branch.id, Joining::Open).await?)
}

fn states(list: &Value) -> Vec<Value> {
    let items = list["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|one| one["state"].clone()).collect()
}

#[tokio::test]
async fn an_open_branch_is_joined_at_once_and_left_again() -> Result<()> {
    let scene = Scene::open().await?;
    open_branch(&scene).await?;
    let path = format!("/users/branches/{}", scene.gym.branch.id);

    let joined = scene.post(&path, json!({})).await?.json()?;
    scene.post(&path, json!({})).await?;
    let own = scene.get("/users/branches").await?.json()?;
    let account = scene.get("/users/account").await?.json()?;

    assert_eq!(joined["state"], "member");
    assert_eq!(states(&own), [json!("member")]);
    assert!(account["member_no"].is_i64());
    assert_eq!(scene.delete(&path).await?.status, 204);
    assert_eq!(states(&scene.get("/users/branches").await?.json()?), Vec::<Value>::new());
    assert_eq!(scene.delete(&path).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn elsewhere_staff_of_the_branch_decide() -> Result<()> {
    let scene = Scene::open().await?;
    let staff = scene.person("staff@example.com", Role::Staff, &[scene.gym.branch.id]).await?;
    let other = scene.person("other@example.com", Role::Staff, &[scene.gym.other.id]).await?;
    let path = format!("/users/branches/{}", scene.gym.branch.id);
    scene.post(&path, json!({})).await?;
    scene.post(&path, json!({})).await?;

    let asked = scene.api.get("/api/v1/join-requests", Some(&staff.token)).await?.json()?;
    let id = asked["items"][0]["id"].as_str().context("no request")?;
    let approve = format!("/join-requests/{id}/approve");
    let before = scene.get("/users/branches").await?.json()?;
    let foreign = scene.send(&other, Method::POST, &approve, json!({})).await?;
    let approved = scene.send(&staff, Method::POST, &approve, json!({})).await?;
    let twice = scene.send(&staff, Method::POST, &approve, json!({})).await?;

    assert_eq!(asked["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(states(&before), [json!("requested")]);
    assert_eq!(
        [foreign.status, approved.status, twice.status].map(|s| s.as_u16()),
        [404, 204, 404]
    );
    assert_eq!(states(&scene.get("/users/branches").await?.json()?), [json!("member")]);
    Ok(())
}

#[tokio::test]
async fn who_was_a_member_before_the_app_stays_the_same_member() -> Result<()> {
    let scene = Scene::open().await?;
    open_branch(&scene).await?;
    let known = scene.gym.member(&scene.api, "Ada", Some(scene.gym.other.id)).await?;
    sqlx::query("UPDATE members SET email = $1")
        .bind(&scene.ada.email)
        .execute(&scene.api.app.db)
        .await?;

    scene.post(&format!("/users/branches/{}", scene.gym.branch.id), json!({})).await?;
    let contract = scene.delete(&format!("/users/branches/{}", scene.gym.other.id)).await?;

    let account = scene.get("/users/account").await?.json()?;
    assert_eq!(account["member_no"], known.member_no);
    assert_eq!(told(&contract)?, (409, json!("contract")));
    let mut db = scene.api.app.db.acquire().await?;
    assert_eq!(members::memberships(&mut db, known.id).await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_request_is_declined_or_withdrawn() -> Result<()> {
    let scene = Scene::open().await?;
    let admin = scene.person("admin@example.com", Role::Admin, &[]).await?;
    let path = format!("/users/branches/{}", scene.gym.branch.id);
    let asked = async || {
        let list = scene.api.get("/api/v1/join-requests", Some(&admin.token)).await?.json()?;
        anyhow::Ok(list["items"][0]["id"].as_str().map(str::to_owned))
    };

    scene.post(&path, json!({})).await?;
    let id = asked().await?.context("no request")?;
    let decline = format!("/join-requests/{id}/decline");
    scene.send(&admin, Method::POST, &decline, json!({})).await?;
    let after_declining = asked().await?;
    scene.post(&path, json!({})).await?;
    let withdrawn = scene.delete(&path).await?;

    assert_eq!((after_declining, asked().await?), (None, None));
    assert_eq!(withdrawn.status, 204);
    assert_eq!(scene.get("/branches").await?.json()?["items"][0]["joining"], "approval");
    Ok(())
}
