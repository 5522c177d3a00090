//! What somebody shares of their body, and with whom.

use super::{Person, Scene, told};
use anyhow::Result;
use cloud_api::domains::accounts::Role;
use serde_json::{Value, json};
use tests::api::Answer;

async fn look(scene: &Scene, who: &Person, member: &str) -> Result<Answer> {
    scene.api.get(&format!("/api/v1/members/{member}/body"), Some(&who.token)).await
}

#[tokio::test]
async fn everything_is_private_until_somebody_says_otherwise() -> Result<()> {
    let scene = Scene::open().await?;

    let first = scene.get("/users/visibility").await?.json()?;
    let changed = scene.put("/users/visibility", json!({"weight": "staff"})).await?.json()?;
    let wrong = scene.put("/users/visibility", json!({"weight": "everybody"})).await?;

    assert!(first.as_object().is_some_and(|all| all.values().all(|one| one == "private")));
    assert_eq!(first.as_object().map(serde_json::Map::len), Some(6));
    assert_eq!((&changed["weight"], &changed["photos"]), (&json!("staff"), &json!("private")));
    assert_eq!(wrong.status, 422);
    Ok(())
}

#[tokio::test]
async fn staff_of_the_branch_see_what_is_shared_and_nothing_else() -> Result<()> {
    let scene = Scene::open().await?;
    let here = scene.person("staff@example.com", Role::Staff, &[scene.gym.branch.id]).await?;
    let there = scene.person("there@example.com", Role::Staff, &[scene.gym.other.id]).await?;
    let member = scene.ada_is_a_member(Some(scene.gym.branch.id)).await?.id.to_string();
    scene.agree("health_data").await?;
    scene.put("/users/fitness-profile", json!({"health_conditions": ["asthma"]})).await?;
    let measured = json!({"weight_kg": 80, "body_fat_pct": 18.5, "height_cm": 180, "mood": 2,
        "notes": "tired", "girths_cm": {"waist": 85}, "resting_heart_rate_bpm": 58});
    scene.put("/users/body-metrics", measured).await?;

    let private = look(&scene, &here, &member).await?;
    scene.put("/users/visibility", json!({"weight": "staff"})).await?;
    let weight = look(&scene, &here, &member).await?;
    let elsewhere = look(&scene, &there, &member).await?;
    let all = json!({"composition": "staff", "measurements": "staff", "health": "staff",
        "activity": "staff", "photos": "staff"});
    scene.put("/users/visibility", all).await?;
    let everything = look(&scene, &here, &member).await?.json()?;

    assert_eq!(told(&private)?, (403, json!("not_shared")));
    assert_eq!(told(&elsewhere)?, (404, json!("not_found")));
    let weight = weight.json()?;
    assert_eq!(weight["shared"], json!(["weight"]));
    let today = &everything["items"][0]["measured_on"];
    assert_eq!(weight["items"], json!([{"measured_on": today, "weight_kg": 80.0}]));
    assert_eq!((&weight["health"], &weight["activity"]), (&Value::Null, &Value::Null));
    let expected = json!([{"measured_on": today, "weight_kg": 80.0, "height_cm": 180.0,
        "body_fat_pct": 18.5, "resting_heart_rate_bpm": 58, "girths_cm": {"waist": 85.0}}]);
    assert_eq!(everything["items"], expected);
    assert_eq!(everything["health"]["health_conditions"], json!(["asthma"]));
    assert_eq!(everything["activity"]["measures"], 1);
    let looks = sqlx::query_scalar::<_, i64>(
        "SELECT count(*) FROM audit_log WHERE action = 'body.shown' AND target_id = $1",
    );
    assert_eq!(looks.bind(scene.ada.id.0).fetch_one(&scene.api.app.db).await?, 2);
    Ok(())
}

#[tokio::test]
async fn members_do_not_see_what_is_shared_with_staff() -> Result<()> {
    let scene = Scene::open().await?;
    let ben = scene.person("ben@example.com", Role::Member, &[]).await?;
    let member = scene.ada_is_a_member(None).await?.id.to_string();
    scene.put("/users/visibility", json!({"weight": "staff"})).await?;

    assert_eq!(told(&look(&scene, &ben, &member).await?)?, (403, json!("forbidden")));
    Ok(())
}
