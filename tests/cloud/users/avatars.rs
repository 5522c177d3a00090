//! Pictures of users, and who sees them.

use super::{Person, Scene, told};
use anyhow::{Context, Result};
use cloud_api::domains::accounts::Role;
use image::{DynamicImage, ImageFormat};
use serde_json::json;
use std::io::Cursor;
use tests::api::Answer;

/// A picture with a note of a camera in it.
pub fn picture() -> Result<Vec<u8>> {
    let mut jpeg = Cursor::new(Vec::new());
    DynamicImage::new_rgb8(640, 480).write_to(&mut jpeg, ImageFormat::Jpeg)?;
    let mut bytes = jpeg.into_inner();
    let note = b"Exif\0\0MM\0*\0\0\0\x08 taken at home";
    let length = u16::try_from(note.len() + 2)?.to_be_bytes();
    drop(bytes.splice(2..2, [&[0xff, 0xe1][..], &length[..], &note[..]].concat()));
    Ok(bytes)
}

async fn upload(scene: &Scene, name: &str, content: &[u8]) -> Result<Answer> {
    scene.upload("/users/upload-avatar", name, content).await
}

async fn link(scene: &Scene, who: &Person, path: &str) -> Result<Answer> {
    scene.api.get(&format!("/api/v1{path}"), Some(&who.token)).await
}

async fn follow(scene: &Scene, answer: &Answer) -> Result<Answer> {
    let to = answer.headers["location"].to_str()?.to_owned();
    scene.api.get(&to, None).await
}

#[tokio::test]
async fn a_picture_is_made_anew_without_what_the_camera_wrote() -> Result<()> {
    let scene = Scene::open().await?;
    let sent = picture()?;

    let made = upload(&scene, "file", &sent).await?;
    let id = made.json()?["id"].as_str().context("no id")?.to_owned();
    let large = follow(&scene, &link(&scene, &scene.ada, &format!("/files/{id}")).await?).await?;
    let small = link(&scene, &scene.ada, &format!("/files/{id}?variant=small")).await?;
    let small = follow(&scene, &small).await?;

    assert_eq!(made.status, 201);
    let side = |answer: &Answer| anyhow::Ok(image::load_from_memory(&answer.body)?.width());
    assert_eq!((side(&large)?, side(&small)?), (512, 96));
    assert_eq!(large.headers["content-type"], "image/jpeg");
    let has_note = |bytes: &[u8]| bytes.windows(13).any(|window| window == b"taken at home");
    assert!(has_note(&sent) && !has_note(&large.body));
    assert_eq!(scene.get("/users/profile").await?.json()?["avatar_id"], json!(id));
    Ok(())
}

#[tokio::test]
async fn what_is_no_picture_too_large_or_missing_is_refused() -> Result<()> {
    let scene = Scene::open().await?;

    let text = upload(&scene, "file", b"<svg onload=alert(1)/>").await?;
    let cut = upload(&scene, "file", &picture()?[..200]).await?;
    let other = upload(&scene, "avatar", &picture()?).await?;
    let long = upload(&scene, "file", &vec![0; 5 * 1024 * 1024 + 1]).await?;
    let json = scene.post("/users/upload-avatar", json!({})).await?;

    assert_eq!(told(&text)?, (415, json!("unsupported_media_type")));
    assert_eq!(cut.status, 422);
    assert_eq!(other.status, 422);
    assert_eq!(told(&long)?, (413, json!("payload_too_large")));
    assert_eq!(json.status, 415);
    Ok(())
}

#[tokio::test]
async fn a_picture_is_seen_by_who_sees_the_profile() -> Result<()> {
    let scene = Scene::open().await?;
    let ben = scene.person("ben@example.com", Role::Member, &[]).await?;
    let staff = scene.person("staff@example.com", Role::Staff, &[scene.gym.branch.id]).await?;
    let made = upload(&scene, "file", &picture()?).await?.json()?;
    let path = format!("/files/{}", made["id"].as_str().context("no id")?);

    let hidden = link(&scene, &ben, &path).await?;
    let by_staff = link(&scene, &staff, &path).await?;
    scene.put("/users/preferences", json!({"profile_visibility": "public"})).await?;
    let public = link(&scene, &ben, &path).await?;

    assert_eq!(told(&hidden)?, (404, json!("not_found")));
    assert_eq!((by_staff.status.as_u16(), public.status.as_u16()), (307, 307));
    Ok(())
}

#[tokio::test]
async fn a_link_is_good_for_its_file_and_five_minutes() -> Result<()> {
    let scene = Scene::open().await?;
    let made = upload(&scene, "file", &picture()?).await?.json()?;
    let path = format!("/files/{}", made["id"].as_str().context("no id")?);
    let answer = link(&scene, &scene.ada, &path).await?;
    let to = answer.headers["location"].to_str()?.to_owned();

    let changed = scene.api.get(&to.replace("variant=large", "variant=small"), None).await?;
    let longer = scene.api.get(&to.replace("until=1", "until=2"), None).await?;
    scene.api.app.clock.advance(time::Duration::minutes(6));
    let late = scene.api.get(&to, None).await?;

    let statuses = [changed.status, longer.status, late.status];
    assert_eq!(statuses.map(|status| status.as_u16()), [404; 3]);
    Ok(())
}

#[tokio::test]
async fn the_former_picture_goes_away() -> Result<()> {
    let scene = Scene::open().await?;
    let first = upload(&scene, "file", &picture()?).await?.json()?;
    let first = format!("/files/{}", first["id"].as_str().context("no id")?);
    let to = link(&scene, &scene.ada, &first).await?;

    upload(&scene, "file", &picture()?).await?;

    assert_eq!(follow(&scene, &to).await?.status, 404);
    assert_eq!(scene.delete("/users/avatar").await?.status, 204);
    assert_eq!(scene.get("/users/profile").await?.json()?["avatar_id"], json!(null));
    Ok(())
}
