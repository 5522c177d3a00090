//! The registry of machines over REST: made, changed, retired; told to the edge; closed to strangers.

use crate::changes;
use crate::edge::Scene;
use crate::gym::Gym;
use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::{Method, Request};
use cloud_api::domains::accounts::Role;
use protocol::sync::changes::Change;
use protocol::sync::commands::Commands;
use serde_json::{Value, json};
use tests::api::{Answer, Api};

const ALL: &str = "/api/v1/admin/machines";

fn told(answer: &Answer) -> Result<(u16, Value)> {
    Ok((answer.status.as_u16(), answer.json()?["code"].clone()))
}

fn rower(scene: &Scene, code: &str, number: &str) -> Value {
    json!({"branch_id": scene.gym.branch.id, "code": code, "name": "Rower", "type": "cardio",
        "number": number, "model": "R 500", "tags": ["back", "legs"], "location": "Hall 2"})
}

async fn change(
    api: &Api,
    token: &str,
    id: &Value,
    body: Value,
    tag: Option<&str>,
) -> Result<Answer> {
    let path = format!("{ALL}/{}", id.as_str().context("no id")?);
    let mut request = Request::patch(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json");
    if let Some(tag) = tag {
        request = request.header("if-match", tag);
    }
    api.call(request.body(Body::from(body.to_string()))?).await
}

/// What the edge was told of devices since a version: codes with names, and how many went.
async fn devices_since(scene: &Scene, from: u64) -> Result<(Vec<String>, usize)> {
    let changes = changes::ask(scene, from, 0).await?.changes;
    let named = |change: &Change| match change {
        Change::Device(device) => {
            Some(format!("{} {} {}", device.code, device.name, device.enabled))
        }
        _ => None,
    };
    let gone = changes.iter().filter(|change| matches!(change, Change::DeviceRemoved(_))).count();
    Ok((changes.iter().filter_map(named).collect(), gone))
}

#[tokio::test]
async fn a_machine_is_registered_changed_and_retired_and_its_branch_is_told() -> Result<()> {
    let scene = Scene::open().await?;
    let api = &scene.api;
    let admin = scene.gym.token(api, Role::Admin, &[]).await?;
    let start = changes::ask(&scene, 0, 0).await?.to;

    let made = api.post(ALL, Some(&admin), &rower(&scene, "rower-9", "9")).await?;
    assert_eq!(made.status, 201, "{:?}", made.json());
    let made = made.json()?;
    let id = made["machine"]["id"].clone();
    let body =
        json!({"name": "Old rower", "model": null, "enabled": false, "service_every_h": 500});
    let changed = change(api, &admin, &id, body, None).await?.json()?;
    let path = format!("{ALL}/{}", id.as_str().context("no id")?);
    let (devices, _) = devices_since(&scene, start).await?;
    let before = changes::ask(&scene, 0, 0).await?.to;
    let retired = api.delete(&path, Some(&admin)).await?;

    assert!(made["secret"].as_str().is_some_and(|secret| secret.len() >= 22));
    assert_eq!((&changed["name"], &changed["model"]), (&json!("Old rower"), &Value::Null));
    assert_eq!((&changed["tags"], &changed["number"]), (&json!(["back", "legs"]), &json!("9")));
    assert_eq!(changed["service_every_h"], 500);
    assert_eq!(devices, ["rower-9 Old rower false"]);
    assert_eq!(retired.status, 204);
    assert_eq!(devices_since(&scene, before).await?.1, 1);
    assert_eq!(api.get(&path, Some(&admin)).await?.status, 404);
    assert_eq!(api.get(&path.replace("admin/", ""), Some(&admin)).await?.status, 404);
    let logged = sqlx::query_scalar::<_, String>(
        "SELECT string_agg(action, ' ' ORDER BY id) FROM audit_log WHERE action LIKE 'machine.%'",
    );
    assert_eq!(
        logged.fetch_one(&api.app.db).await?,
        "machine.created machine.changed machine.retired"
    );
    Ok(())
}

#[tokio::test]
async fn codes_and_numbers_are_unique_in_a_branch_and_free_again_after_a_machine() -> Result<()> {
    let scene = Scene::open().await?;
    let api = &scene.api;
    let admin = scene.gym.token(api, Role::Admin, &[]).await?;
    let make = async |code: &str, number: &str| {
        api.post(ALL, Some(&admin), &rower(&scene, code, number)).await
    };
    let first = make("rower-1", "1").await?.json()?["machine"]["id"].clone();

    let same_code = make("rower-1", "2").await?;
    let same_number = make("rower-2", "1").await?;
    let second = make("rower-2", "2").await?.json()?["machine"]["id"].clone();
    let changed = change(api, &admin, &second, json!({"number": "1"}), None).await?;
    let mut elsewhere = rower(&scene, "rower-1", "1");
    elsewhere["branch_id"] = json!(scene.gym.other.id);
    let elsewhere = api.post(ALL, Some(&admin), &elsewhere).await?;
    api.delete(&format!("{ALL}/{}", first.as_str().context("no id")?), Some(&admin)).await?;
    let again = make("rower-1", "1").await?;

    assert_eq!(told(&same_code)?, (409, json!("code_taken")));
    assert_eq!(told(&same_number)?, (409, json!("number_taken")));
    assert_eq!(told(&changed)?, (409, json!("number_taken")));
    assert_eq!((elsewhere.status.as_u16(), again.status.as_u16()), (201, 201));
    Ok(())
}

#[tokio::test]
async fn what_was_changed_meanwhile_and_what_is_said_once_is_not_changed() -> Result<()> {
    let scene = Scene::open().await?;
    let api = &scene.api;
    let admin = scene.gym.token(api, Role::Admin, &[]).await?;
    let id = json!(scene.machine);
    let read = api.get(&format!("{ALL}/{}", scene.machine), Some(&admin)).await?;
    let tag = read.headers["etag"].to_str()?.to_owned();

    let first = change(api, &admin, &id, json!({"number": "7"}), Some(&tag)).await?;
    let second = change(api, &admin, &id, json!({"number": "8"}), Some(&tag)).await?;
    let garbled = change(api, &admin, &id, json!({"number": "8"}), Some("\"x")).await?;
    let code = change(api, &admin, &id, json!({"code": "bike-02"}), None).await?;
    let moved = json!({"branch_id": scene.gym.other.id});
    let moved = change(api, &admin, &id, moved, None).await?;
    let bridge = change(api, &admin, &id, json!({"bridge_id": scene.machine}), None).await?;

    assert_eq!(first.json()?["number"], "7");
    assert_eq!(told(&second)?, (412, json!("changed_meanwhile")));
    assert_eq!(told(&garbled)?, (412, json!("changed_meanwhile")));
    let fields = [code, moved, bridge].map(|answer| {
        let problem = answer.json().unwrap_or_default();
        (answer.status.as_u16(), problem["errors"][0]["field"].clone())
    });
    assert_eq!(
        fields,
        [(422, json!("code")), (422, json!("branch_id")), (422, json!("bridge_id"))]
    );
    Ok(())
}

#[tokio::test]
async fn a_machine_that_somebody_has_is_given_back_when_it_is_retired() -> Result<()> {
    let scene = Scene::open().await?;
    let (api, branch) = (&scene.api, scene.gym.branch.id);
    let admin = scene.gym.token(api, Role::Admin, &[]).await?;
    let ada = scene.gym.member(api, "Ada", Some(branch)).await?.id;
    let bob = scene.gym.member(api, "Bob", Some(branch)).await?.id;
    let link = uuid::Uuid::now_v7();
    sqlx::query(
        "INSERT INTO links (id, member_id, machine_id, branch_id, started_at)
         VALUES ($1, $2, $3, $4, now())",
    )
    .bind(link)
    .bind(ada.0)
    .bind(scene.machine.0)
    .bind(branch.0)
    .execute(&api.app.db)
    .await?;
    sqlx::query(
        "INSERT INTO queue_entries (machine_id, place, member_id, branch_id) VALUES ($1, 1, $2, $3)",
    )
    .bind(scene.machine.0)
    .bind(bob.0)
    .bind(branch.0)
    .execute(&api.app.db)
    .await?;

    let retired = api.delete(&format!("{ALL}/{}", scene.machine), Some(&admin)).await?;

    assert_eq!(retired.status, 204);
    let answer = api.get("/edge/v1/commands", Some(&scene.edge.token)).await?;
    let told: Commands = serde_json::from_slice(&answer.body)?;
    let told: Vec<_> = told.items.iter().map(|one| (one.command.as_str(), &one.args)).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!((told[0].0, &told[0].1["id"]), ("unlink", &json!(link)));
    assert_eq!((told[1].0, &told[1].1["member"]), ("dequeue", &json!(bob)));
    assert_eq!(scene.count("SELECT count(*) FROM links").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_machine_with_a_reader_on_it_stays_until_the_reader_is_elsewhere() -> Result<()> {
    let scene = Scene::open().await?;
    let api = &scene.api;
    let admin = scene.gym.token(api, Role::Admin, &[]).await?;
    let reader = json!({"branch_id": scene.gym.branch.id, "code": "reader-1", "name": "Bike",
        "place": "machine", "machine_id": scene.machine});
    let reader = api.post("/api/v1/admin/readers", Some(&admin), &reader).await?.json()?;
    let machine = format!("{ALL}/{}", scene.machine);

    let refused = api.delete(&machine, Some(&admin)).await?;
    let reader = reader["reader"]["id"].as_str().context("no id")?;
    api.delete(&format!("/api/v1/admin/readers/{reader}"), Some(&admin)).await?;
    let retired = api.delete(&machine, Some(&admin)).await?;

    assert_eq!(told(&refused)?, (409, json!("reader_on_machine")));
    assert_eq!(retired.status, 204);
    Ok(())
}

#[tokio::test]
async fn a_new_secret_takes_the_place_of_the_former_one() -> Result<()> {
    let scene = Scene::open().await?;
    let api = &scene.api;
    let admin = scene.gym.token(api, Role::Admin, &[]).await?;
    let before = changes::ask(&scene, 0, 0).await?;
    let secret_of = |changes: &[Change]| {
        changes.iter().find_map(|change| match change {
            Change::Device(device) => device.secret_sha256,
            _ => None,
        })
    };

    let path = format!("{ALL}/{}/secret", scene.machine);
    let made = api.send(Method::POST, &path, Some(&admin), &json!({})).await?;

    assert_eq!(made.status, 201);
    let after = changes::ask(&scene, before.to, 0).await?;
    let (old, new) = (secret_of(&before.changes), secret_of(&after.changes));
    assert!(new.is_some() && old != new);
    Ok(())
}

#[tokio::test]
async fn who_does_not_run_the_organization_registers_nothing_and_staff_read_their_branch()
-> Result<()> {
    let scene = Scene::open().await?;
    let api = &scene.api;
    let stranger = Gym::open(api, "Stranger").await?;
    let foreign = stranger.token(api, Role::Admin, &[]).await?;
    let staff = scene.gym.token(api, Role::Staff, &[scene.gym.branch.id]).await?;
    let item = format!("{ALL}/{}", scene.machine);

    let foreign_made = api.post(ALL, Some(&foreign), &rower(&scene, "rower-1", "1")).await?;
    let foreign_gone = api.delete(&item, Some(&foreign)).await?;
    let staff_made = api.post(ALL, Some(&staff), &rower(&scene, "rower-1", "1")).await?;
    let seen = api.get(&format!("{ALL}?q=bike&type=cardio"), Some(&staff)).await?.json()?;
    let none = api.get(&format!("{ALL}?tag=legs"), Some(&staff)).await?.json()?;

    assert_eq!((foreign_made.status.as_u16(), foreign_gone.status.as_u16()), (404, 404));
    assert_eq!(staff_made.status, 403);
    assert_eq!(seen["items"][0]["code"], "bike-01");
    assert_eq!(none["items"], json!([]));
    Ok(())
}
