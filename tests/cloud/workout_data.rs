//! What machines deliver over HTTPS: who may, each record once, and what is wrong with a record said at that record.

use crate::edge::NOON_MS;
use crate::gym::Gym;
use anyhow::{Result, ensure};
use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cloud_api::domains::devices::{self, DeviceKind, MachineType, NewDevice};
use cloud_api::ids::{BranchId, DeviceId};
use serde_json::{Value, json};
use tests::api::{Answer, Api};
use time::OffsetDateTime;
use uuid::Uuid;

const PATH: &str = "/api/v1/machines/workout-data";

/// A device that calls for itself.
pub struct Device {
    pub id: DeviceId,
    authorization: String,
}

impl Device {
    pub async fn add(api: &Api, branch: BranchId, code: &str, kind: DeviceKind) -> Result<Self> {
        let new = NewDevice {
            code: code.parse()?,
            kind,
            name: "Leg press 1".to_owned(),
            machine_type: (kind == DeviceKind::Machine).then_some(MachineType::Strength),
            bridge: None,
            topics: Vec::new(),
        };
        let mut db = api.app.db.begin().await?;
        let (device, secret) = devices::add(&mut db, branch, &new, api.app.clock.now()).await?;
        db.commit().await?;
        Ok(Self { id: device.id, authorization: basic(device.id, secret.expose()) })
    }

    pub async fn deliver(&self, api: &Api, body: &Value) -> Result<Answer> {
        deliver(api, Some(&self.authorization), body).await
    }
}

fn basic(id: DeviceId, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

async fn deliver(api: &Api, authorization: Option<&str>, body: &Value) -> Result<Answer> {
    let mut request = Request::post(PATH).header("content-type", "application/json");
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    api.call(request.body(Body::from(body.to_string()))?).await
}

async fn scene() -> Result<(Api, Gym, Device)> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let press = Device::add(&api, gym.branch.id, "press-01", DeviceKind::Machine).await?;
    // Noon of the day that edges in tests live in.
    let noon = OffsetDateTime::from_unix_timestamp(NOON_MS / 1_000)?;
    api.app.clock.advance(noon + time::Duration::HOUR - api.app.clock.now());
    Ok((api, gym, press))
}

fn set(reps: u16) -> Value {
    json!({"id": Uuid::now_v7(), "kind": "set", "at": "2026-11-20T12:30:00Z", "reps": reps,
           "weight_kg": 60.0, "exercise": "Leg press"})
}

fn ride() -> Value {
    let sample = |second: u32| {
        json!({"at": format!("2026-11-20T12:{:02}:{:02}Z", second / 60, second % 60),
               "distance_m": second * 3, "power_w": 150})
    };
    json!({"id": Uuid::now_v7(), "kind": "samples", "samples": (0..300).map(sample).collect::<Vec<_>>()})
}

async fn count(api: &Api, sql: &'static str) -> Result<i64> {
    Ok(sqlx::query_scalar(sql).fetch_one(&api.app.db).await?)
}

fn outcomes(answer: &Answer) -> Result<Vec<String>> {
    ensure!(answer.status == 200, "{:?}", answer.json());
    let records = answer.json()?["records"].clone();
    let outcome = |one: &Value| one["outcome"].as_str().unwrap_or_default().to_owned();
    Ok(records.as_array().into_iter().flatten().map(outcome).collect())
}

#[tokio::test]
async fn a_machine_delivers_one_record_or_many() -> Result<()> {
    let (api, _, press) = scene().await?;

    let one = press.deliver(&api, &set(10)).await?;
    let many = press.deliver(&api, &json!({"records": [set(8), ride(), set(6)]})).await?;

    assert_eq!(outcomes(&one)?, ["accepted"]);
    assert_eq!(outcomes(&many)?, ["accepted"; 3]);
    assert_eq!(count(&api, "SELECT sum(reps) FROM finished_sets").await?, 24);
    assert_eq!(count(&api, "SELECT sum(count) FROM telemetry_chunks").await?, 300);
    assert_eq!(
        count(&api, "SELECT count(*) FROM facts WHERE kind = 'work' AND is_folded").await?,
        3
    );
    Ok(())
}

#[tokio::test]
async fn a_record_that_comes_again_is_stored_once() -> Result<()> {
    let (api, _, press) = scene().await?;
    let (first, second) = (set(10), ride());
    press.deliver(&api, &json!({"records": [first, second]})).await?;

    let again = press.deliver(&api, &json!({"records": [second, set(5), first, first]})).await?;

    assert_eq!(outcomes(&again)?, ["repeated", "accepted", "repeated", "repeated"]);
    assert_eq!(count(&api, "SELECT count(*) FROM finished_sets").await?, 2);
    assert_eq!(count(&api, "SELECT sum(count) FROM telemetry_chunks").await?, 300);
    Ok(())
}

#[tokio::test]
async fn the_same_delivery_to_two_instances_at_once_is_stored_once() -> Result<()> {
    let (api, _, press) = scene().await?;
    let other = Api::over(api.app.clone());
    let records: Vec<_> = (1..40).map(set).chain([ride()]).collect();
    let turned: Vec<_> = records.iter().rev().collect();
    let (one, two) = (json!({"records": records}), json!({"records": turned}));

    let (one, two) = tokio::try_join!(press.deliver(&api, &one), press.deliver(&other, &two))?;

    let all = [outcomes(&one)?, outcomes(&two)?].concat();
    assert_eq!(all.iter().filter(|one| *one == "accepted").count(), 40);
    assert_eq!(all.iter().filter(|one| *one == "repeated").count(), 40);
    assert_eq!(count(&api, "SELECT count(*) FROM finished_sets").await?, 39);
    assert_eq!(count(&api, "SELECT sum(count) FROM telemetry_chunks").await?, 300);
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_a_record_is_said_kept_and_hinders_no_other() -> Result<()> {
    let (api, _, press) = scene().await?;
    let mut heavy = set(10);
    heavy["weight_kg"] = json!(5_000);

    let body = json!({"records": [heavy, set(9), "nonsense"]});
    let answer = press.deliver(&api, &body).await?;
    let again = press.deliver(&api, &body).await?;

    assert_eq!(outcomes(&answer)?, ["rejected", "accepted", "rejected"]);
    assert_eq!(outcomes(&again)?, ["rejected", "repeated", "rejected"]);
    let told = &answer.json()?["records"][0];
    assert_eq!((&told["code"], &told["field"]), (&json!("out_of_range"), &json!("weight_kg")));
    // What has an id is kept once; what has none cannot be known again.
    let kept = "SELECT count(*) FROM ingest_rejects WHERE topic = 'workout-data'";
    assert_eq!(count(&api, kept).await?, 3);
    heavy["weight_kg"] = json!(50);
    let mended = press.deliver(&api, &heavy).await?;
    assert_eq!(outcomes(&mended)?, ["accepted"]);
    Ok(())
}

#[tokio::test]
async fn of_many_rejects_only_a_hundred_an_hour_are_kept_in_full() -> Result<()> {
    let (api, _, press) = scene().await?;
    let wrong: Vec<_> = (0..130).map(|_| json!({"id": Uuid::now_v7(), "kind": "jump"})).collect();

    press.deliver(&api, &json!({"records": wrong})).await?;

    assert_eq!(count(&api, "SELECT count(*) FROM ingest_rejects").await?, 100);
    assert_eq!(count(&api, "SELECT sum(count)::bigint FROM ingest_rejects").await?, 130);
    Ok(())
}

#[tokio::test]
async fn what_is_from_the_future_or_older_than_what_is_kept_is_refused() -> Result<()> {
    let (api, _, press) = scene().await?;
    let at = |at: &str| json!({"id": Uuid::now_v7(), "kind": "set", "reps": 1, "at": at});

    let answer = press
        .deliver(
            &api,
            &json!({"records": [at("2026-11-20T13:05:00Z"), at("2025-01-01T00:00:00Z"),
                               at("2026-11-13T13:00:00Z"), at("2026-03-01T00:00:00Z")]}),
        )
        .await?;

    assert_eq!(outcomes(&answer)?, ["rejected", "rejected", "accepted", "accepted"]);
    assert_eq!(answer.json()?["records"][1]["code"], "too_late");
    Ok(())
}

#[tokio::test]
async fn only_a_machine_with_its_secret_delivers() -> Result<()> {
    let (api, gym, press) = scene().await?;
    let reader = Device::add(&api, gym.branch.id, "door-01", DeviceKind::Reader).await?;
    let user = gym.token(&api, cloud_api::domains::accounts::Role::Admin, &[]).await?;
    let body = set(10);

    let code = |answer: Answer| -> Result<_> {
        Ok((answer.status.as_u16(), answer.json()?["code"].clone()))
    };
    let nobody = deliver(&api, None, &body).await?;
    let wrong = deliver(&api, Some(&basic(press.id, "secret")), &body).await?;
    let person = deliver(&api, Some(&format!("Bearer {user}")), &body).await?;
    let other_kind = reader.deliver(&api, &body).await?;
    sqlx::query("UPDATE devices SET enabled = false WHERE id = $1")
        .bind(press.id)
        .execute(&api.app.db)
        .await?;
    let off = press.deliver(&api, &body).await?;

    assert_eq!(code(nobody)?, (401, json!("unauthorized")));
    for refused in [wrong, person, off] {
        assert_eq!(code(refused)?, (401, json!("invalid_credential")));
    }
    assert_eq!(code(other_kind)?, (403, json!("forbidden")));
    assert_eq!(count(&api, "SELECT count(*) FROM finished_sets").await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_machine_has_an_allowance_of_its_own() -> Result<()> {
    let (api, gym, press) = scene().await?;
    let other = Device::add(&api, gym.branch.id, "press-02", DeviceKind::Machine).await?;
    let left = |answer: &Answer| answer.headers["ratelimit-remaining"].to_str().map(str::to_owned);

    let first = press.deliver(&api, &set(1)).await?;
    let second = press.deliver(&api, &set(1)).await?;
    let of_other = other.deliver(&api, &set(1)).await?;

    assert_eq!((left(&first)?, left(&second)?), ("2999".to_owned(), "2998".to_owned()));
    assert_eq!(left(&of_other)?, "2999");
    Ok(())
}

#[tokio::test]
async fn a_delivery_has_at_most_500_records() -> Result<()> {
    let (api, _, press) = scene().await?;
    let records: Vec<_> = (0..501).map(|_| json!({})).collect();

    let answer = press.deliver(&api, &json!({"records": records})).await?;

    assert_eq!(
        (answer.status.as_u16(), &answer.json()?["code"]),
        (413, &json!("too_many_records"))
    );
    Ok(())
}
