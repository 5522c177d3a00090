//! Accounts as admins see and change them.

use super::{Scene, log_in, told};
use anyhow::Result;
use axum::http::Method;
use cloud_api::domains::accounts::Role;
use serde_json::{Value, json};

fn emails(list: &Value) -> Vec<Value> {
    let items = list["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|one| one["email"].clone()).collect()
}

#[tokio::test]
async fn accounts_are_listed_by_what_they_are() -> Result<()> {
    let scene = Scene::open().await?;
    let admin = scene.person("admin@example.com", Role::Admin, &[]).await?;
    scene.person("staff@example.com", Role::Staff, &[scene.gym.branch.id]).await?;
    crate::gym::Gym::open(&scene.api, "Elsewhere")
        .await?
        .user(&scene.api, "eve@example.com", Role::Member, &[])
        .await?;
    let list = async |query: &str| {
        let path = format!("/api/v1/admin/users{query}");
        anyhow::Ok(emails(&scene.api.get(&path, Some(&admin.token)).await?.json()?))
    };

    let newest_first = ["staff@example.com", "admin@example.com", "ada@example.com"];
    assert_eq!(list("").await?, newest_first.map(|email| json!(email)));
    assert_eq!(list("?role=staff").await?, [json!("staff@example.com")]);
    assert_eq!(list("?q=ADA&status=active").await?, [json!("ada@example.com")]);
    assert_eq!(list("?status=locked").await?, Vec::<Value>::new());
    Ok(())
}

#[tokio::test]
async fn another_role_and_status_count_at_once() -> Result<()> {
    let scene = Scene::open().await?;
    let admin = scene.person("admin@example.com", Role::Admin, &[]).await?;
    let path = format!("/admin/users/{}", scene.ada.id);
    let change = async |body: Value| scene.send(&admin, Method::PUT, &path, body).await;

    let staff = json!({"role": "staff", "branch_ids": [scene.gym.branch.id]});
    let promoted = change(staff).await?.json()?;
    let as_staff = scene.get("/members").await?.status;
    let demoted = change(json!({"role": "member"})).await?.json()?;
    let as_member = scene.get("/members").await?.status;
    change(json!({"status": "suspended"})).await?;

    assert_eq!(promoted["branch_ids"], json!([scene.gym.branch.id]));
    assert_eq!(demoted["branch_ids"], json!([]));
    assert_eq!((as_staff.as_u16(), as_member.as_u16()), (200, 403));
    let refused = log_in(&scene.api, &scene.ada.email).await?;
    assert_eq!(told(&refused)?, (403, json!("account_suspended")));
    let own = format!("/admin/users/{}", admin.id);
    let own = scene.send(&admin, Method::PUT, &own, json!({"role": "member"})).await?;
    assert_eq!(told(&own)?, (409, json!("own_account")));
    Ok(())
}
