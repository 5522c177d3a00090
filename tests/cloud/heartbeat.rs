//! Machines without a gateway: who they are, how they are, and when they are not heard any more.

use crate::gym::Gym;
use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::{Method, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud_api::domains::accounts::Role;
use cloud_api::jobs::run_due_jobs;
use serde_json::{Value, json};
use tests::api::{Answer, Api};

/// A branch without an edge, and a machine that tells of itself.
struct World {
    api: Api,
    gym: Gym,
    admin: String,
    machine: String,
    secret: String,
}

impl World {
    async fn open() -> Result<Self> {
        let api = Api::new().await?;
        let gym = Gym::open(&api, "Gym").await?;
        let admin = gym.token(&api, Role::Admin, &[]).await?;
        let new =
            json!({"branch_id": gym.branch.id, "code": "bike-1", "name": "Bike", "type": "cardio"});
        let made = api.post("/api/v1/admin/machines", Some(&admin), &new).await?.json()?;
        let machine = made["machine"]["id"].as_str().context("no id")?.to_owned();
        let secret = made["secret"].as_str().context("no secret")?.to_owned();
        Ok(Self { api, gym, admin, machine, secret })
    }

    async fn beat(&self, body: Value) -> Result<Answer> {
        self.beat_as(&self.machine, &self.secret, body).await
    }

    async fn beat_as(&self, machine: &str, secret: &str, body: Value) -> Result<Answer> {
        let login = STANDARD.encode(format!("{machine}:{secret}"));
        let request = Request::post("/api/v1/machines/heartbeat")
            .header("authorization", format!("Basic {login}"))
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))?;
        self.api.call(request).await
    }

    async fn seen(&self) -> Result<Value> {
        let path = format!("/api/v1/machines/{}", self.machine);
        self.api.get(&path, Some(&self.admin)).await?.json()
    }

    async fn told(&self) -> Result<Vec<String>> {
        let states = sqlx::query_scalar(
            "SELECT data ->> 'state' FROM events_arrived WHERE kind = 'machine:status'
             ORDER BY arrival",
        );
        Ok(states.fetch_all(&self.api.app.db).await?)
    }
}

#[tokio::test]
async fn a_machine_tells_of_itself_and_is_offline_when_it_misses_its_beats() -> Result<()> {
    let world = World::open().await?;
    assert_eq!(world.seen().await?["availability"], "unknown");

    let answer = world.beat(json!({"state": "idle", "firmware": "2.1.0"})).await?;
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    let answer = answer.json()?;
    assert_eq!((&answer["next_in_s"], &answer["is_out_of_use"]), (&json!(30), &json!(false)));
    assert_eq!(world.seen().await?["availability"], "available");
    world.beat(json!({"state": "in_use"})).await?;
    world.beat(json!({"state": "in_use"})).await?;
    assert_eq!(world.seen().await?["availability"], "in_use");

    world.api.app.clock.advance(time::Duration::seconds(91));
    run_due_jobs(&world.api.app).await?;
    run_due_jobs(&world.api.app).await?;
    let lost = world.seen().await?;
    world.beat(json!({"state": "idle"})).await?;

    assert_eq!((&lost["availability"], &lost["state"]), (&json!("offline"), &json!("offline")));
    assert_eq!(world.seen().await?["availability"], "available");
    let states = sqlx::query_scalar::<_, String>(
        "SELECT string_agg(state, ' ' ORDER BY seq) FROM device_statuses",
    );
    let states = states.fetch_one(&world.api.app.db).await?;
    assert_eq!(states, "idle in_use offline idle");
    assert_eq!(world.told().await?, ["idle", "in_use", "offline", "idle"]);
    Ok(())
}

#[tokio::test]
async fn with_another_secret_and_for_another_machine_nothing_is_told() -> Result<()> {
    let world = World::open().await?;
    let new = json!({"branch_id": world.gym.branch.id, "code": "bike-2", "name": "Bike", "type": "cardio"});
    let other = world.api.post("/api/v1/admin/machines", Some(&world.admin), &new).await?.json()?;
    let other = other["machine"]["id"].as_str().context("no id")?;
    let idle = json!({"state": "idle"});
    let unknown = uuid::Uuid::now_v7().to_string();

    for (machine, secret) in [
        (world.machine.as_str(), "x"),
        (other, world.secret.as_str()),
        (unknown.as_str(), world.secret.as_str()),
        ("bike-1", world.secret.as_str()),
        ("", ""),
    ] {
        let answer = world.beat_as(machine, secret, idle.clone()).await?;
        assert_eq!(answer.status, 401, "{machine}");
        assert_eq!(answer.json()?["code"], "invalid_credential", "{machine}");
    }
    let path = format!("/api/v1/admin/machines/{}/secret", world.machine);
    let rotated = world.api.send(Method::POST, &path, Some(&world.admin), &json!({})).await?;
    assert_eq!(world.beat(idle.clone()).await?.status, 401);
    let secret = rotated.json()?["secret"].as_str().context("no secret")?.to_owned();
    assert_eq!(world.beat_as(&world.machine, &secret, idle.clone()).await?.status, 200);
    let path = format!("/api/v1/admin/machines/{}", world.machine);
    world.api.delete(&path, Some(&world.admin)).await?;
    assert_eq!(world.beat_as(&world.machine, &secret, idle).await?.status, 401);
    Ok(())
}

#[tokio::test]
async fn a_machine_that_calls_too_often_has_to_wait() -> Result<()> {
    let world = World::open().await?;
    let idle = json!({"state": "idle"});

    for _ in 0..30 {
        assert_eq!(world.beat(idle.clone()).await?.status, 200);
    }
    let refused = world.beat(idle).await?;

    assert_eq!(refused.status, 429);
    assert!(refused.headers.contains_key("retry-after"));
    Ok(())
}

#[tokio::test]
async fn a_machine_that_reports_a_fault_is_out_of_use_until_staff_have_looked() -> Result<()> {
    let world = World::open().await?;
    let fault = json!({"code": "E42", "severity": "fault", "message": "belt slips"});

    let answer = world.beat(json!({"state": "idle", "fault": fault})).await?.json()?;
    let seen = world.seen().await?;
    let list = world.api.get("/api/v1/admin/machine-reports?open=true", Some(&world.admin)).await?;
    let clear = json!({"machine_id": world.machine, "action": "clear", "message": "tightened"});
    let cleared =
        world.api.post("/api/v1/machines/maintenance", Some(&world.admin), &clear).await?;
    let after = world.beat(json!({"state": "idle"})).await?.json()?;

    assert_eq!(answer["is_out_of_use"], true);
    assert_eq!((&seen["availability"], &seen["open_reports"]), (&json!("out_of_order"), &json!(1)));
    let report = &list.json()?["items"][0];
    assert_eq!((&report["source"], &report["code"]), (&json!("machine"), &json!("E42")));
    assert_eq!(cleared.status, 201, "{:?}", cleared.json());
    assert_eq!(after["is_out_of_use"], false);
    assert_eq!(world.seen().await?["availability"], "available");
    Ok(())
}
