//! Pictures of bodies: their owner's alone until they are shared.

use super::avatars::picture;
use super::{Scene, told};
use anyhow::{Context, Result};
use cloud_api::domains::accounts::Role;
use serde_json::{Value, json};
use tests::api::Answer;

/// The pictures of an entry of today.
async fn photos(scene: &Scene) -> Result<String> {
    let entry = scene.put("/users/body-metrics", json!({"weight_kg": 80})).await?.json()?;
    let id = entry["id"].as_str().context("no id")?;
    Ok(format!("/users/body-metrics/{id}/photos"))
}

async fn add(scene: &Scene, path: &str, pose: &str) -> Result<Answer> {
    scene.upload(&format!("{path}?pose={pose}"), "file", &picture()?).await
}

/// How many files there are of Ada.
async fn files(scene: &Scene, id: &Value) -> Result<usize> {
    let mut kept = 0;
    for variant in ["large", "small"] {
        let id = id.as_str().context("no id")?;
        let path = format!("users/{}/{id}/{variant}", scene.ada.id);
        kept += usize::from(scene.api.app.files.get(&path).await?.is_some());
    }
    Ok(kept)
}

#[tokio::test]
async fn pictures_of_a_day_are_made_anew_replaced_listed_and_deleted() -> Result<()> {
    let scene = Scene::open().await?;
    let path = photos(&scene).await?;

    let first = add(&scene, &path, "front").await?.json()?;
    let front = add(&scene, &path, "front").await?;
    let side = add(&scene, &path, "side").await?.json()?;
    let list = scene.get(&path).await?.json()?;
    let link = scene.get(&format!("/files/{}", side["id"].as_str().context("no id")?)).await?;
    let large = scene.api.get(link.headers["location"].to_str()?, None).await?;

    assert_eq!(front.status, 201);
    let front = front.json()?;
    let items = [&list["items"][0], &list["items"][1], &list["items"][2]];
    assert_eq!(items, [&front, &side, &Value::Null]);
    assert_eq!((files(&scene, &first["id"]).await?, files(&scene, &front["id"]).await?), (0, 2));
    let image = image::load_from_memory(&large.body)?;
    assert_eq!((image.width(), image.height()), (640, 480));
    assert!(!large.body.windows(13).any(|window| window == b"taken at home"));
    assert_eq!(large.headers["cache-control"], "no-store");
    assert_eq!(scene.delete(&format!("{path}?pose=front")).await?.status, 204);
    assert_eq!(scene.delete(&format!("{path}?pose=front")).await?.status, 404);
    assert_eq!(scene.delete(path.trim_end_matches("/photos")).await?.status, 204);
    assert_eq!((files(&scene, &front["id"]).await?, files(&scene, &side["id"]).await?), (0, 0));
    assert_eq!(scene.get(&path).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn a_picture_of_a_body_is_shown_to_nobody_else_until_it_is_shared() -> Result<()> {
    let scene = Scene::open().await?;
    let here = scene.person("staff@example.com", Role::Staff, &[scene.gym.branch.id]).await?;
    let there = scene.person("there@example.com", Role::Staff, &[scene.gym.other.id]).await?;
    let ben = scene.person("ben@example.com", Role::Member, &[]).await?;
    scene.ada_is_a_member(Some(scene.gym.branch.id)).await?;
    scene.put("/users/preferences", json!({"profile_visibility": "public"})).await?;
    let made = add(&scene, &photos(&scene).await?, "back").await?.json()?;
    let file = format!("/api/v1/files/{}", made["id"].as_str().context("no id")?);
    let seen = async || {
        let mut statuses = Vec::new();
        for who in [&here, &there, &ben] {
            statuses.push(scene.api.get(&file, Some(&who.token)).await?.status.as_u16());
        }
        anyhow::Ok(statuses)
    };

    let private = seen().await?;
    scene.put("/users/visibility", json!({"photos": "staff"})).await?;
    let shared = seen().await?;
    scene.put("/users/visibility", json!({"photos": "private"})).await?;

    assert_eq!(private, [404, 404, 404]);
    assert_eq!(shared, [307, 404, 404]);
    assert_eq!(seen().await?, [404, 404, 404]);
    let looks = sqlx::query_scalar::<_, i64>(
        "SELECT count(*) FROM audit_log WHERE action = 'body_photo.shown'",
    );
    assert_eq!(looks.fetch_one(&scene.api.app.db).await?, 1);
    Ok(())
}

#[tokio::test]
async fn what_is_no_picture_or_has_no_pose_is_refused() -> Result<()> {
    let scene = Scene::open().await?;
    let path = photos(&scene).await?;

    let text = scene.upload(&format!("{path}?pose=front"), "file", b"<svg/>").await?;
    let pose = add(&scene, &path, "above").await?;
    let none = scene.upload(&path, "file", &picture()?).await?;

    assert_eq!(told(&text)?, (415, json!("unsupported_media_type")));
    assert_eq!((pose.status.as_u16(), none.status.as_u16()), (400, 400));
    Ok(())
}
