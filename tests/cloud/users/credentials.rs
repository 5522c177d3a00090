//! Cards, phones and codes of users who are members.

use super::{Scene, told};
use anyhow::{Context, Result};
use cloud_api::domains::members;
use protocol::credential::qr;
use serde_json::json;

/// Makes the user a member.
async fn join(scene: &Scene) -> Result<members::Member> {
    let member = scene.gym.member(&scene.api, "Ada", None).await?;
    let mut db = scene.api.app.db.acquire().await?;
    members::set_user(&mut db, member.id, scene.ada.id).await?;
    Ok(member)
}

#[tokio::test]
async fn a_member_adds_and_revokes_own_cards() -> Result<()> {
    let scene = Scene::open().await?;
    let card = json!({"kind": "nfc_uid", "uid": "04de5f1eacc040"});
    let stranger = scene.post("/users/credentials", card.clone()).await?;
    join(&scene).await?;

    let made = scene.post("/users/credentials", card).await?.json()?;
    let listed = scene.get("/users/credentials").await?.json()?;
    let path = format!("/users/credentials/{}", made["id"].as_str().context("no id")?);

    assert_eq!(told(&stranger)?, (409, json!("not_a_member")));
    assert_eq!(listed["items"], json!([made]));
    assert_eq!(scene.delete(&path).await?.status, 204);
    assert_eq!(scene.delete(&path).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn a_code_for_the_door_is_signed_for_the_member_and_soon_over() -> Result<()> {
    let scene = Scene::open().await?;
    let member = join(&scene).await?;

    let answer = scene.get(&format!("/users/qr?branch_id={}", scene.gym.branch.id)).await?;
    let code = answer.json()?["code"].as_str().context("no code")?.to_owned();

    let parsed = qr::parse(&code)?;
    assert_eq!(parsed.member_no, member.member_no.unsigned_abs());
    assert_eq!(i32::from(parsed.site_no), scene.gym.branch.site_no);
    assert_eq!(u32::from(parsed.ttl) * qr::TTL_STEP_S, 30);
    assert_eq!(answer.headers["cache-control"], "no-store");
    Ok(())
}

#[tokio::test]
async fn a_code_for_the_door_comes_as_an_image_too() -> Result<()> {
    let scene = Scene::open().await?;
    let without = scene.get("/users/qr/image").await?;
    join(&scene).await?;

    let image = scene.get("/users/qr/image").await?;

    assert_eq!(told(&without)?, (409, json!("not_a_member")));
    assert_eq!(image.headers["content-type"], "image/png");
    assert!(image.body.starts_with(b"\x89PNG"));
    Ok(())
}
