//! Branches as their operator sees and changes them.

use crate::changes::ask;
use crate::edge::Scene;
use crate::gym::Gym;
use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::{Method, Request};
use cloud_api::domains::accounts::Role;
use protocol::sync::changes::Change;
use serde_json::{Value, json};
use tests::api::{Answer, Api};

const ALL: &str = "/api/v1/admin/branches";

fn told(answer: &Answer) -> Result<(u16, Value)> {
    Ok((answer.status.as_u16(), answer.json()?["code"].clone()))
}

/// What an edge was told of settings.
fn settings(changes: &[Change]) -> Vec<(&str, &str)> {
    let settings = changes.iter().filter_map(|change| match change {
        Change::Setting { key, value } => Some((key.as_str(), value.as_str())),
        Change::SettingRemoved(key) => Some((key.as_str(), "-")),
        _ => None,
    });
    settings.collect()
}

#[tokio::test]
async fn a_branch_is_opened_listed_and_found_by_the_operator() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let admin = gym.token(&api, Role::Admin, &[]).await?;

    let new = json!({"name": "Airport", "time_zone": "Europe/Berlin", "door_open_ms": 5000});
    let made = api.post(ALL, Some(&admin), &new).await?;
    let again = api.post(ALL, Some(&admin), &new).await?;
    let list = api.get(&format!("{ALL}?limit=2"), Some(&admin)).await?.json()?;
    let cursor = list["next_cursor"].as_str().context("no cursor")?;
    let rest = api.get(&format!("{ALL}?cursor={cursor}"), Some(&admin)).await?.json()?;

    assert_eq!(made.status, 201);
    let made = made.json()?;
    assert_eq!((&made["site_no"], &made["joining"]), (&json!(3), &json!("approval")));
    assert_eq!((&made["door_open_ms"], &made["holidays"]), (&json!(5000), &Value::Null));
    assert_eq!(told(&again)?, (409, json!("name_taken")));
    let names = [&list["items"][0]["name"], &list["items"][1]["name"], &rest["items"][0]["name"]];
    assert_eq!(names, ["Airport", "Centre", "North"]);
    let id = made["id"].as_str().context("no id")?;
    let found = api.get(&format!("{ALL}/{id}"), Some(&admin)).await?;
    assert_eq!(found.json()?, made);
    Ok(())
}

#[tokio::test]
async fn what_is_changed_of_a_branch_is_told_to_its_edge_and_logged() -> Result<()> {
    let scene = Scene::open().await?;
    let (api, branch) = (&scene.api, scene.gym.branch.id);
    let admin = scene.gym.token(api, Role::Admin, &[]).await?;
    let member = scene.gym.member(api, "Ada", Some(branch)).await?;
    let path = format!("{ALL}/{branch}");
    let change = async |body: Value| api.send(Method::PATCH, &path, Some(&admin), &body).await;
    let before = ask(&scene, 0, 0).await?.to;

    let hours = json!({"mon": [["06:00", "23:00"]], "tue": [["08:00", "12:00"]]});
    let first = json!({"name": "Old town", "joining": "open", "anti_passback": "deny",
        "opening_hours": hours, "door_open_ms": 4000});
    assert_eq!(change(first).await?.status, 200);
    let second = json!({"opening_hours": {"tue": null}, "door_open_ms": null});
    let after = change(second).await?.json()?;

    assert_eq!(after["opening_hours"], json!({"mon": [["06:00", "23:00"]]}));
    assert_eq!((&after["name"], &after["joining"]), (&json!("Old town"), &json!("open")));
    let changes = ask(&scene, before, 0).await?;
    let expected = [
        ("branch_name", "\"Old town\""),
        ("anti_passback", "\"deny\""),
        ("opening_hours", r#"{"mon":[["06:00","23:00"]]}"#),
        ("door_open_ms", "-"),
    ];
    assert_eq!(settings(&changes.changes), expected);

    let zone = change(json!({"time_zone": "Asia/Tokyo"})).await?;

    assert_eq!(zone.status, 200);
    let changes = ask(&scene, changes.to, 0).await?.changes;
    assert_eq!(settings(&changes), [("time_zone", "\"Asia/Tokyo\"")]);
    // Memberships begin and end with other moments there.
    let is_of_member = |change: &Change| matches!(change, Change::Roster { id, .. } if *id == *member.id.0.as_bytes());
    assert!(changes.iter().any(is_of_member), "{changes:?}");
    let logged = sqlx::query_scalar::<_, i64>(
        "SELECT count(*) FROM audit_log WHERE action = 'branch.changed' AND target_id = $1
         AND before_digest <> after_digest",
    );
    assert_eq!(logged.bind(branch.0).fetch_one(&api.app.db).await?, 3);
    Ok(())
}

#[tokio::test]
async fn a_branch_that_was_changed_meanwhile_is_not_changed() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let admin = gym.token(&api, Role::Admin, &[]).await?;
    let path = format!("{ALL}/{}", gym.branch.id);
    let read = api.get(&path, Some(&admin)).await?;
    let change = async |ms: i32| {
        let request = Request::patch(&path)
            .header("authorization", format!("Bearer {admin}"))
            .header("content-type", "application/json")
            .header("if-match", &read.headers["etag"]);
        api.call(request.body(Body::from(json!({"door_open_ms": ms}).to_string()))?).await
    };

    let first = change(4000).await?;
    let second = change(9000).await?;

    assert_eq!(first.status, 200);
    assert_eq!(told(&second)?, (412, json!("changed_meanwhile")));
    assert_eq!(api.get(&path, Some(&admin)).await?.json()?["door_open_ms"], 4000);
    Ok(())
}

#[tokio::test]
async fn what_a_branch_could_not_read_is_refused_with_its_field() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let admin = gym.token(&api, Role::Admin, &[]).await?;
    let path = format!("{ALL}/{}", gym.branch.id);

    for (field, value) in [
        ("name", json!("North")),
        ("time_zone", json!("Mars/Olympus")),
        ("opening_hours", json!({"mon": [["25:00", "26:00"]]})),
        ("opening_hours", json!("always")),
        ("holidays", json!([{"date": "2026-12-25"}])),
        ("holidays", json!([{"date": "2026-12-25", "closed": true, "name": "\u{0}"}])),
        ("anti_passback", json!("sometimes")),
        ("time_uncertain_policy", json!(1)),
        ("session_max_min", json!("long")),
        ("grace_days", json!(1.5)),
    ] {
        let change = json!({ field: value });
        let refused = api.send(Method::PATCH, &path, Some(&admin), &change).await?;
        if field == "name" {
            assert_eq!(told(&refused)?, (409, json!("name_taken")));
        } else {
            assert_eq!(refused.status, 422, "{change}");
            assert_eq!(refused.json()?["errors"][0]["field"], field, "{change}");
        }
    }
    Ok(())
}
