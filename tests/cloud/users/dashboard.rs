//! What came of somebody's training, and how things stand.

use super::Scene;
use anyhow::Result;
use cloud_api::domains::devices::MachineType;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// A stay of Ada's, over after an hour or going on.
async fn stay(scene: &Scene, member: Uuid, at: OffsetDateTime, end: Option<&str>) -> Result<()> {
    let ended_at = end.map(|_| at + Duration::HOUR);
    sqlx::query("INSERT INTO gym_sessions VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(Uuid::now_v7())
        .bind(member)
        .bind(scene.gym.branch.id.0)
        .bind(at)
        .bind(ended_at)
        .bind(end)
        .execute(&scene.api.app.db)
        .await?;
    Ok(())
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[tokio::test]
async fn days_are_those_of_the_branch_and_what_was_not_theirs_does_not_count() -> Result<()> {
    let scene = Scene::open().await?;
    let member = scene.ada_is_a_member(None).await?.id.0;
    sqlx::query("UPDATE branches SET time_zone = 'Pacific/Auckland'")
        .execute(&scene.api.app.db)
        .await?;
    let now = scene.api.app.clock.now();
    let day = now.replace_time(time::Time::MIDNIGHT) - Duration::DAY;
    // Evening and early morning of one day of UTC are two days there.
    stay(&scene, member, day + Duration::hours(9), Some("checked_out")).await?;
    stay(&scene, member, day + Duration::hours(14), Some("closing")).await?;
    stay(&scene, member, day - Duration::days(9), Some("rejected")).await?;

    let stats = scene.get("/users/stats").await?.json()?;

    assert_eq!((&stats["visits"], &stats["visit_s"]), (&json!(2), &json!(7200)));
    assert_eq!(stats["streak_days"]["longest"], 2);
    assert_eq!(stats["achievements"], json!([{"of": "visits", "threshold": 1}]));
    assert_eq!(stats["next"][0], json!({"of": "visits", "threshold": 10, "have": 2}));
    // Nothing is said of what nothing counts yet.
    assert!(stats.get("points").is_none() && stats.get("workouts").is_none());
    Ok(())
}

#[tokio::test]
async fn who_did_nothing_yet_has_empty_stats_and_is_shown_what_to_do() -> Result<()> {
    let scene = Scene::open().await?;

    let stats = scene.get("/users/stats").await?.json()?;
    let dashboard = scene.get("/users/dashboard").await?.json()?;

    assert_eq!((&stats["visits"], &stats["achievements"]), (&json!(0), &json!([])));
    assert_eq!((&dashboard["stay"], &dashboard["membership"]), (&Value::Null, &Value::Null));
    assert!(strings(&dashboard["actions"]).ends_with(&["join_branch", "add_measure"]));
    Ok(())
}

#[tokio::test]
async fn a_dashboard_tells_where_somebody_is_and_what_they_can_do() -> Result<()> {
    let scene = Scene::open().await?;
    let (db, now) = (&scene.api.app.db, scene.api.app.clock.now());
    let member = scene.ada_is_a_member(None).await?.id.0;
    stay(&scene, member, now - Duration::minutes(5), None).await?;
    let rower =
        scene.gym.machine(&scene.api, &scene.gym.branch, "rower-01", MachineType::Cardio).await?;
    sqlx::query("INSERT INTO links VALUES ($1, $2, $3, $4, $5)")
        .bind(Uuid::now_v7())
        .bind(member)
        .bind(rower.0)
        .bind(scene.gym.branch.id.0)
        .bind(now)
        .execute(db)
        .await?;
    scene.put("/users/body-metrics", json!({"weight_kg": 80})).await?;
    let note = "INSERT INTO security_events (at, user_id, rule, is_locked)
                VALUES ($1, $2, 'token_reuse', false)";
    sqlx::query(note).bind(now).bind(scene.ada.id.0).execute(db).await?;
    scene.delete("/users/account").await?;

    let told = scene.get("/users/dashboard").await?.json()?;
    let noticed = scene.get("/users/security-events").await?.json()?;
    scene.post("/users/security-events/read", json!({})).await?;
    let after = scene.get("/users/dashboard").await?.json()?;

    assert_eq!(told["stay"]["branch_name"], "Centre");
    assert_eq!(told["machine"]["name"], "Machine rower-01");
    assert_eq!(told["membership"]["is_everywhere"], true);
    assert_eq!(
        (&told["streak_days"]["current"], &told["streak_weeks"]["current"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(told["last_measure"]["weight_kg"], 80.0);
    assert_eq!(
        (&told["unread_security_notices"], &after["unread_security_notices"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(noticed["items"][0]["rule"], "token_reuse");
    let actions = strings(&told["actions"]);
    let expected = ["read_security_notices", "keep_account", "show_door_code", "add_credential"];
    let shown: Vec<_> = actions.into_iter().filter(|action| *action != "confirm_email").collect();
    assert_eq!(shown, expected);
    Ok(())
}
