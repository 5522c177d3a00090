//! Archives of all that is stored about somebody.

use super::Scene;
use anyhow::{Context, Result};
use cloud_api::domains::members;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use zip::ZipArchive;

/// The files of the archive.
async fn archive(scene: &Scene) -> Result<BTreeMap<String, Vec<u8>>> {
    let state = scene.get("/users/export").await?.json()?;
    let to = state["download_url"].as_str().context(state.to_string())?.to_owned();
    let answer = scene.api.get(&to, None).await?;
    assert_eq!(answer.headers["content-type"], "application/zip");
    let mut zip = ZipArchive::new(Cursor::new(answer.body.to_vec()))?;
    let mut files = BTreeMap::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index)?;
        let name = file.name()?.into_owned();
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        files.insert(name, content);
    }
    Ok(files)
}

#[tokio::test]
async fn an_archive_has_what_somebody_told_and_did_in_plain() -> Result<()> {
    let scene = Scene::open().await?;
    scene.agree("health_data").await?;
    scene.put("/users/fitness-profile", json!({"health_conditions": ["asthma"]})).await?;
    scene.put("/users/body-metrics", json!({"weight_kg": 80, "notes": "rested"})).await?;
    scene.post("/users/feedback", json!({"kind": "praise", "message": "Nice."})).await?;
    let member = scene.gym.member(&scene.api, "Ada", None).await?;
    members::set_user(&mut *scene.api.app.db.acquire().await?, member.id, scene.ada.id).await?;

    let entry = scene.get("/users/body-metrics").await?.json()?["items"][0]["id"].clone();
    let photos =
        format!("/users/body-metrics/{}/photos?pose=side", entry.as_str().context("no id")?);
    scene.upload(&photos, "file", &super::avatars::picture()?).await?;
    scene.upload("/scans/upload", "file", b"Date,Weight\n2026-01-31,80\n").await?;

    let asked = scene.post("/users/export", json!({})).await?;
    let again = scene.post("/users/export", json!({})).await?;
    let letters = scene.letters().await?;
    let files = archive(&scene).await?;

    assert_eq!((asked.status.as_u16(), &asked.json()?["download_url"]), (202, &Value::Null));
    assert_eq!(asked.json()?["id"], again.json()?["id"]);
    assert!(letters.contains(&"Your data is ready".to_owned()), "{letters:?}");
    let json = |name: &str| -> Result<Value> {
        Ok(serde_json::from_slice(files.get(name).context(name.to_owned())?)?)
    };
    assert_eq!(json("fitness_profile.json")?["health_conditions"], json!(["asthma"]));
    assert_eq!(json("body_metrics.json")?[0]["notes"], "rested");
    assert_eq!(json("feedback.json")?[0]["message"], "Nice.");
    assert_eq!(json("memberships.json")?[0]["member_no"], member.member_no);
    assert_eq!(json("consents.json")?[0]["kind"], "health_data");
    assert_eq!(json("account.json")?["email"], scene.ada.email);
    assert_eq!(json("visibility.json")?["photos"], "private");
    let count = |folder: &str| files.keys().filter(|name| name.starts_with(folder)).count();
    assert_eq!((count("photos/"), count("scans/")), (1, 1));
    let all = files.values().map(|file| String::from_utf8_lossy(file)).collect::<String>();
    assert!(!all.contains("argon2"), "{all}");
    Ok(())
}

#[tokio::test]
async fn an_archive_is_over_after_a_week() -> Result<()> {
    let scene = Scene::open().await?;
    scene.post("/users/export", json!({})).await?;
    scene.letters().await?;
    let file: uuid::Uuid =
        sqlx::query_scalar("SELECT file_id FROM exports").fetch_one(&scene.api.app.db).await?;
    let path = format!("users/{}/{file}/archive", scene.ada.id);
    let before = scene.api.app.files.get(&path).await?.is_some();

    scene.api.app.clock.advance(time::Duration::days(8));
    scene.letters().await?;

    assert!(before);
    assert_eq!(scene.api.app.files.get(&path).await?, None);
    Ok(())
}

/// A new table about users has to be exported, or named here.
#[tokio::test]
async fn no_table_about_users_is_left_out() -> Result<()> {
    let scene = Scene::open().await?;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT conrelid::regclass::text FROM pg_constraint
         WHERE contype = 'f' AND confrelid = 'users'::regclass ORDER BY 1",
    )
    .fetch_all(&scene.api.app.db)
    .await?;

    let expected = [
        "app_usage",
        "body_metrics",
        "body_scans",   // as files
        "branch_staff", // told by the operator; staff accounts are the operator's
        "commands",     // what staff ordered belongs to the branch
        "consents",
        "exports", // the archives themselves
        "feedback",
        "files", // the pictures are in the archive
        "identities",
        "join_requests", // gone as soon as they are decided
        "logins",
        "machine_reports",
        "mail_tokens", // secrets
        "members",
        "online_users",   // who is there now
        "second_factors", // secrets
        "security_events",
        "sign_in_codes", // secrets
        "user_activity",
        "user_health",
        "user_preferences",
        "user_profiles",
        "user_visibility",
    ];
    assert_eq!(tables, expected);
    Ok(())
}
