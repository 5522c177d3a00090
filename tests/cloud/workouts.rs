//! Workouts out of what machines measured: the same whatever comes late, twice or in another order.

use crate::edge::{Edge, NOON_MS, event, events, stamp, telemetry};
use crate::gym::Gym;
use anyhow::{Context, Result, ensure};
use axum::http::Method;
use cloud_api::domains::accounts::Role;
use cloud_api::domains::devices::MachineType;
use cloud_api::domains::{members, workouts};
use cloud_api::ids::{DeviceId, MemberId};
use cloud_api::jobs::run_due_jobs;
use protocol::ids::{LinkId, SessionId, SetId};
use protocol::machine::columns::TimedSample;
use protocol::machine::{Field, Sample};
use protocol::rules::{Deed, Means};
use protocol::sync::batch::Batch;
use protocol::sync::entry::{Body, DeviceState, DeviceStatus, Event, FinishedSet, Source};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use tests::api::Api;
use tests::seed::Seed;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

const STAY: Uuid = Uuid::from_u128(0x51);

/// A branch with an edge, a bike and a leg press; a member with the app, and somebody at the desk. It is two hours past noon.
pub struct World {
    pub api: Api,
    pub gym: Gym,
    pub edge: Edge,
    pub bike: DeviceId,
    pub press: DeviceId,
    pub ada: MemberId,
    pub app: String,
    pub staff: String,
    next_seq: AtomicU64,
}

impl World {
    pub async fn open() -> Result<Self> {
        Self::open_at(Duration::hours(2)).await
    }

    /// So long after noon.
    async fn open_at(after: Duration) -> Result<Self> {
        let api = Api::new().await?;
        let noon = OffsetDateTime::from_unix_timestamp(NOON_MS / 1_000)?;
        api.app.clock.advance(noon + after - api.app.clock.now());
        let gym = Gym::open(&api, "Gym").await?;
        let bike = gym.machine(&api, &gym.branch, "bike", MachineType::Cardio).await?;
        let press = gym.machine(&api, &gym.branch, "press", MachineType::Strength).await?;
        let edge = Edge::enrol(&api, gym.branch.id).await?;
        let staff = gym.token(&api, Role::Staff, &[gym.branch.id]).await?;
        let ada = gym.member(&api, "Ada", Some(gym.branch.id)).await?.id;
        let app = gym.token(&api, Role::Member, &[]).await?;
        let me = api.get("/api/v1/users/profile", Some(&app)).await?.json()?;
        let user = me["id"].as_str().context("no id")?.parse()?;
        members::set_user(&mut *api.app.db.acquire().await?, ada, user).await?;
        let next_seq = AtomicU64::new(1);
        Ok(Self { api, gym, edge, bike, press, ada, app, staff, next_seq })
    }

    /// The next entries of the journal.
    pub async fn send(&self, piece: Piece) -> Result<()> {
        let seq = self.next_seq.fetch_add(1, Ordering::Relaxed);
        let batch = match piece {
            Piece::Happened(event) => events(1, seq, vec![event]),
            Piece::Measured(machine, samples) => telemetry(1, seq, machine, stamp(0), &samples),
        };
        self.deliver(&batch).await
    }

    async fn deliver(&self, batch: &Batch) -> Result<()> {
        let answer = self.edge.send(&self.api, batch).await?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    }

    pub async fn send_all(&self, pieces: impl IntoIterator<Item = Piece>) -> Result<()> {
        for piece in pieces {
            self.send(piece).await?;
        }
        run_due_jobs(&self.api.app).await
    }

    pub async fn get(&self, token: &str, path: &str) -> Result<Value> {
        let answer = self.api.get(&format!("/api/v1{path}"), Some(token)).await?;
        ensure!(answer.status == 200, "{path}: {:?}", answer.json());
        answer.json()
    }

    pub async fn count(&self, sql: &'static str) -> Result<i64> {
        Ok(sqlx::query_scalar(sql).fetch_one(&self.api.app.db).await?)
    }

    /// She agrees that her heart rates are kept.
    pub async fn agrees(&self, is_given: bool) -> Result<()> {
        let body = json!({"version": "1", "health_data": is_given});
        let path = "/api/v1/users/consents";
        let answer = self.api.send(Method::PUT, path, Some(&self.app), &body).await?;
        ensure!(answer.status == 200, "{:?}", answer.json());
        Ok(())
    }

    /// From 12:00 to 13:00 she is inside, from 12:05 to 12:25 on the bike, from 12:30 to 12:50 at the press.
    pub fn visit(&self) -> Vec<Piece> {
        let (bike, press) = (self.bike, self.press);
        let mut pieces = vec![
            self.comes(0),
            self.takes(5, 0xB1, bike),
            says(bike, 5 * 60_000 + 500, DeviceState::InUse),
            says(bike, 25 * 60_000 - 500, DeviceState::Idle),
            leaves_machine(25, 0xB1, bike),
            self.takes(30, 0xB2, press),
            set(press, 32, 1, 10, 6_000),
            set(press, 36, 2, 8, 8_000),
            set(press, 40, 3, 5, 8_000),
            leaves_machine(50, 0xB2, press),
            self.goes(60),
        ];
        pieces.extend(
            ride(5 * 60, 1_200).chunks(300).map(|part| Piece::Measured(bike, part.to_vec())),
        );
        pieces
    }

    pub fn comes(&self, minute: u64) -> Piece {
        let (session, member) = (SessionId(STAY), self.ada.into());
        deed(minute, Deed::CheckIn { session, member, by: Means::Tap })
    }

    pub fn goes(&self, minute: u64) -> Piece {
        let (session, member) = (SessionId(STAY), self.ada.into());
        deed(minute, Deed::CheckOut { session, member, by: Means::Tap })
    }

    pub fn takes(&self, minute: u64, link: u128, machine: DeviceId) -> Piece {
        let (link, machine) = (LinkId(Uuid::from_u128(link)), machine.into());
        deed(minute, Deed::Link { link, member: self.ada.into(), machine, by: Means::Tap })
    }

    /// What members and staff see, but for ids that differ from world to world.
    async fn all(&self) -> Result<Value> {
        let list = self.get(&self.app, "/workouts/machine").await?;
        let mut seen = Vec::new();
        for workout in list["items"].as_array().context("no list")? {
            let id = workout["id"].as_str().context("no id")?;
            seen.push(self.get(&self.app, &format!("/workouts/machine/{id}")).await?);
        }
        let records = self.get(&self.app, "/workouts/machine/records").await?;
        let orphans = self.get(&self.staff, "/admin/workout-orphans").await?;
        let mut all = json!({"workouts": seen, "records": records, "orphans": orphans});
        forget_ids(&mut all);
        Ok(all)
    }
}

fn forget_ids(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| name != "id" && !name.ends_with("_id"));
            members.values_mut().for_each(forget_ids);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_ids),
        _ => {}
    }
}

/// Something that an edge tells.
#[derive(Debug, Clone)]
pub enum Piece {
    Happened(Event),
    Measured(DeviceId, Vec<TimedSample>),
}

fn deed(minute: u64, deed: Deed) -> Piece {
    let stamp = stamp(minute * 60_000);
    Piece::Happened(Event { stamp, source: Source::Edge, body: Body::Deed(deed) })
}

pub fn leaves_machine(minute: u64, link: u128, machine: DeviceId) -> Piece {
    let (link, machine) = (LinkId(Uuid::from_u128(link)), machine.into());
    deed(minute, Deed::Unlink { link, machine, by: Means::Tap })
}

fn says(machine: DeviceId, mono_ms: u64, state: DeviceState) -> Piece {
    let status = DeviceStatus { state, firmware: None, uptime_ms: None, error: None };
    Piece::Happened(event(machine, mono_ms, Body::Status(status)))
}

pub fn set(machine: DeviceId, minute: u64, seq: u64, reps: u16, weight_cg: u32) -> Piece {
    let mono_ms = minute * 60_000;
    let set = FinishedSet {
        seq,
        boot: Some(9),
        set_id: seq.is_multiple_of(2).then(|| SetId(Uuid::from_u128(seq.into()))),
        exercise: Some("Leg press".to_owned()),
        reps,
        weight_cg: Some(weight_cg),
        duration_ms: Some(40_000),
        rom_mm: None,
        at_ms: None,
        mono_ms,
    };
    Piece::Happened(event(machine, mono_ms, Body::Set(set)))
}

/// A sample a second: 3 m and 150 W, a heart at 126 in even and at 144 in odd minutes. The console is reset after 10 min.
pub fn ride(from_s: u64, seconds: u32) -> Vec<TimedSample> {
    let one = |second: u32| {
        let since = second % 600;
        let number = from_s + u64::from(second);
        let mut sample = Sample { seq: number, boot: Some(1), ..Sample::default() };
        sample.fields.set(Field::ElapsedS, since.into());
        sample.fields.set(Field::DistanceM, f64::from(since) * 3.0);
        sample.fields.set(Field::PowerW, 150.0);
        let rate = if (second / 60).is_multiple_of(2) { 126.0 } else { 144.0 };
        sample.fields.set(Field::HeartRateBpm, rate);
        TimedSample { source: 0, mono_ms: number * 1_000, sample }
    };
    (0..seconds).map(one).collect()
}

#[tokio::test]
async fn what_somebody_did_during_a_stay_is_a_workout() -> Result<()> {
    let world = World::open().await?;

    world.send_all(world.visit()).await?;

    let list = world.get(&world.app, "/workouts/machine").await?;
    let workout = &list["items"][0];
    assert_eq!((&workout["id"], &workout["session_id"]), (&json!(STAY), &json!(STAY)));
    assert_eq!((&workout["sets"], &workout["reps"]), (&json!(3), &json!(23)));
    assert_eq!(workout["volume_kg"], json!(10.0 * 60.0 + 13.0 * 80.0));
    // 599 s of 3 m in each half: at the reset the console began anew.
    assert_eq!((&workout["distance_m"], &workout["moving_s"]), (&json!(3_594.0), &json!(1_198.0)));
    let detail = world.get(&world.app, &format!("/workouts/machine/{STAY}")).await?;
    let exercises = detail["exercises"].as_array().context("no exercises")?;
    assert_eq!(exercises.len(), 2);
    assert_eq!(exercises[0]["exercise"], "machine bike");
    assert_eq!(exercises[0]["effort"]["average_power_w"], 150.0);
    assert_eq!(exercises[1]["name"], "Leg press");
    assert_eq!(exercises[1]["sets"][0]["estimated_1rm_kg"], 80.0);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn the_best_of_each_exercise_is_a_record() -> Result<()> {
    let world = World::open().await?;

    world.send_all(world.visit()).await?;

    let records = world.get(&world.app, "/workouts/machine/records?exercise=leg%20press").await?;
    let of = |measure: &str, weight: Value| {
        let mut all = records["items"].as_array().into_iter().flatten();
        let found = all.find(|one| one["measure"] == measure && one["weight_kg"] == weight);
        found.map(|one| (one["value"].clone(), one["previous"].clone())).unwrap_or_default()
    };
    assert_eq!(of("max_weight_kg", Value::Null), (json!(80.0), json!(60.0)));
    assert_eq!(of("max_reps", json!(80.0)), (json!(8.0), Value::Null));
    assert_eq!(of("max_set_volume_kg", Value::Null), (json!(640.0), json!(600.0)));
    assert_eq!(of("max_workout_volume_kg", Value::Null), (json!(1_640.0), Value::Null));
    let told = "SELECT count(*) FROM (SELECT kind FROM events UNION ALL SELECT kind FROM events_arrived) AS told
                WHERE kind = 'pr:achieved'";
    let first = world.count(told).await?;
    sqlx::query("INSERT INTO stale_workouts SELECT id, timestamptz '2026-01-01', timestamptz '2026-01-01' FROM machine_workouts")
        .execute(&world.api.app.db)
        .await?;
    run_due_jobs(&world.api.app).await?;
    assert_eq!((first, world.count(told).await?), (3, 3));
    Ok(())
}

#[tokio::test]
async fn heart_rates_are_the_members_with_consent_and_zones_need_an_age() -> Result<()> {
    let world = World::open().await?;
    let path = format!("/workouts/machine/{STAY}");
    world.send_all(world.visit()).await?;
    let without = world.get(&world.app, &path).await?;

    world.agrees(true).await?;
    run_due_jobs(&world.api.app).await?;
    let ageless = world.get(&world.app, &path).await?;
    // At forty the highest rate is 180: 126 is 70 %, 144 is 80 %.
    let body = json!({"date_of_birth": "1986-01-01"});
    let answer =
        world.api.send(Method::PATCH, "/api/v1/users/profile", Some(&world.app), &body).await?;
    ensure!(answer.status == 200, "{:?}", answer.json());
    world.agrees(false).await?;
    world.agrees(true).await?;

    assert_eq!(without["heart"], Value::Null);
    assert_eq!(
        (&ageless["heart"]["average_bpm"], &ageless["heart"]["zones_s"]),
        (&json!(135), &Value::Null)
    );
    run_due_jobs(&world.api.app).await?;
    // What was withdrawn is gone for good.
    assert_eq!(world.get(&world.app, &path).await?["heart"], Value::Null);
    Ok(())
}

#[tokio::test]
async fn zones_are_parts_of_the_highest_rate_at_that_age() -> Result<()> {
    let world = World::open().await?;
    world.agrees(true).await?;
    let body = json!({"date_of_birth": "1986-01-01"});
    let answer =
        world.api.send(Method::PATCH, "/api/v1/users/profile", Some(&world.app), &body).await?;
    ensure!(answer.status == 200, "{:?}", answer.json());

    world.send_all(world.visit()).await?;

    let detail = world.get(&world.app, &format!("/workouts/machine/{STAY}")).await?;
    assert_eq!(detail["heart"]["zones_s"], json!([0, 0, 600, 599, 0]));
    let path = format!("/admin/workouts/machine/{STAY}");
    let of_staff = world.get(&world.staff, &path).await?;
    let list = world.get(&world.staff, "/admin/workouts/machine").await?;
    assert!(!of_staff.to_string().contains("bpm") && !list.to_string().contains("bpm"));
    assert_eq!(list["items"][0]["sets"], 3);
    Ok(())
}

#[tokio::test]
async fn whatever_order_and_repetition_it_comes_in_it_is_the_same() -> Result<()> {
    let mut seed = Seed::announced("whatever_order_and_repetition_it_comes_in_it_is_the_same");
    let (plain, shuffled) = (World::open().await?, World::open().await?);
    plain.send_all(plain.visit()).await?;
    plain.send_all([set(plain.press, 55, 4, 12, 5_000)]).await?;
    let mut pieces = shuffled.visit();
    pieces.push(set(shuffled.press, 55, 4, 12, 5_000));
    // Sets and samples may come twice; a deed is journaled once.
    let again: Vec<_> = pieces.iter().filter(|piece| is_of_a_machine(piece)).cloned().collect();
    pieces.extend(again);
    for place in (1..pieces.len()).rev() {
        let other = usize::try_from(seed.between(0, place as u64 + 1))?;
        pieces.swap(place, other);
    }

    for piece in pieces {
        shuffled.send(piece).await?;
        if seed.between(0, 3) == 0 {
            run_due_jobs(&shuffled.api.app).await?;
        }
    }
    run_due_jobs(&shuffled.api.app).await?;

    let expected = plain.all().await?;
    assert_eq!(shuffled.all().await?, expected);
    assert_eq!(expected["workouts"].as_array().map(Vec::len), Some(1));
    // The set at 12:55 was done at a machine that nobody had.
    assert_eq!(expected["orphans"]["items"][0]["reps"], 12);
    assert_eq!(shuffled.count("SELECT count(*) FROM stale_workouts").await?, 0);
    Ok(())
}

fn is_of_a_machine(piece: &Piece) -> bool {
    match piece {
        Piece::Measured(..) => true,
        Piece::Happened(event) => matches!(&event.body, Body::Set(_)),
    }
}

#[tokio::test]
async fn two_instances_that_work_at_once_write_each_workout_once() -> Result<()> {
    let world = World::open().await?;
    let other = Api::over(world.api.app.clone());
    for piece in world.visit() {
        world.send(piece).await?;
    }

    tokio::try_join!(run_due_jobs(&world.api.app), run_due_jobs(&other.app))?;
    tokio::try_join!(workouts::settle_all(&world.api.app), workouts::settle_all(&other.app))?;

    assert_eq!(world.count("SELECT count(*) FROM machine_workouts").await?, 1);
    assert_eq!(world.count("SELECT count(*) FROM machine_exercises").await?, 2);
    Ok(())
}

#[tokio::test]
async fn what_comes_more_than_a_week_late_counts_but_is_no_record_and_no_news() -> Result<()> {
    let world = World::open_at(Duration::days(8)).await?;

    world.send_all(world.visit()).await?;

    let list = world.get(&world.app, "/workouts/machine").await?;
    assert_eq!(list["items"][0]["sets"], 3);
    let records = world.get(&world.app, "/workouts/machine/records").await?;
    assert_eq!(records["items"], json!([]));
    let told = "SELECT count(*) FROM (SELECT kind FROM events UNION ALL SELECT kind FROM events_arrived) AS told
                WHERE kind LIKE 'sync:workout' OR kind LIKE 'pr:%'";
    assert_eq!(world.count(told).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_stay_that_turns_out_not_to_be_is_no_workout() -> Result<()> {
    let world = World::open().await?;
    world.send_all(world.visit()).await?;

    sqlx::query("DELETE FROM links").execute(&world.api.app.db).await?;
    sqlx::query("DELETE FROM gym_sessions").execute(&world.api.app.db).await?;
    sqlx::query("INSERT INTO stale_workouts SELECT id, timestamptz '2026-01-01', timestamptz '2026-01-01' FROM machine_workouts")
        .execute(&world.api.app.db)
        .await?;
    run_due_jobs(&world.api.app).await?;

    assert_eq!(world.get(&world.app, "/workouts/machine").await?["items"], json!([]));
    assert_eq!(world.get(&world.app, "/workouts/machine/records").await?["items"], json!([]));
    Ok(())
}

#[tokio::test]
async fn work_that_nobody_had_the_machine_for_is_given_to_who_did_it() -> Result<()> {
    let world = World::open().await?;
    let mut pieces = vec![world.comes(0), set(world.press, 10, 1, 10, 6_000), world.goes(60)];
    pieces.push(Piece::Measured(world.bike, ride(20 * 60, 590)));
    world.send_all(pieces).await?;
    let orphans = world.get(&world.staff, "/admin/workout-orphans").await?;
    let id = |place: usize| {
        orphans["items"][place]["id"].as_str().context("no orphan").map(str::to_owned)
    };
    let (of_bike, of_press) = (id(0)?, id(1)?);

    let body = json!({"member_id": world.ada});
    let path = format!("/api/v1/admin/workout-orphans/{of_bike}/assign");
    let assigned = world.api.post(&path, Some(&world.staff), &body).await?;
    let again = world.api.post(&path, Some(&world.staff), &body).await?;
    let path = format!("/api/v1/admin/workout-orphans/{of_press}/discard");
    let discarded = world.api.post(&path, Some(&world.staff), &json!({})).await?;
    run_due_jobs(&world.api.app).await?;

    assert_eq!((assigned.status.as_u16(), &assigned.json()?["workout_id"]), (200, &json!(STAY)));
    assert_eq!((again.status.as_u16(), discarded.status.as_u16()), (404, 204));
    let workout = world.get(&world.app, &format!("/workouts/machine/{STAY}")).await?;
    assert_eq!((&workout["sets"], &workout["distance_m"]), (&json!(0), &json!(1_767.0)));
    assert_eq!(world.get(&world.staff, "/admin/workout-orphans").await?["items"], json!([]));
    let log = "SELECT count(*) FROM audit_log WHERE action LIKE 'workout_orphan.%'";
    assert_eq!(world.count(log).await?, 2);
    Ok(())
}

#[tokio::test]
async fn an_orphan_is_given_to_a_stay_or_to_who_was_not_inside() -> Result<()> {
    let world = World::open().await?;
    let pieces = [
        world.comes(40),
        world.goes(60),
        set(world.press, 10, 1, 10, 6_000),
        set(world.press, 30, 3, 5, 6_000),
    ];
    world.send_all(pieces).await?;
    let orphans = world.get(&world.staff, "/admin/workout-orphans").await?;
    let path = |place: usize| -> Result<String> {
        let id = orphans["items"][place]["id"].as_str().context("no orphan")?;
        Ok(format!("/api/v1/admin/workout-orphans/{id}/assign"))
    };
    let (staff, wrong) =
        (Some(world.staff.as_str()), json!({"member_id": world.ada, "session_id": STAY}));

    let both = world.api.post(&path(0)?, staff, &wrong).await?;
    let stay = world.api.post(&path(0)?, staff, &json!({"session_id": STAY})).await?;
    let alone = world.api.post(&path(1)?, staff, &json!({"member_id": world.ada})).await?;
    run_due_jobs(&world.api.app).await?;

    assert_eq!(
        (both.status.as_u16(), stay.status.as_u16(), alone.status.as_u16()),
        (422, 200, 200)
    );
    let list = world.get(&world.app, "/workouts/machine").await?;
    let seen: Vec<_> = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| (one["session_id"].clone(), one["reps"].clone()))
        .collect();
    assert_eq!(seen, [(json!(STAY), json!(5)), (Value::Null, json!(10))]);
    Ok(())
}

#[tokio::test]
async fn an_orphan_that_turns_out_to_be_somebodys_goes_away_by_itself() -> Result<()> {
    let world = World::open().await?;
    world.send_all([world.comes(0), set(world.press, 10, 1, 10, 6_000)]).await?;
    let before = world.get(&world.staff, "/admin/workout-orphans").await?;

    let late = [world.takes(8, 0xB1, world.press), leaves_machine(12, 0xB1, world.press)];
    world.send_all(late).await?;

    assert_eq!(before["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(world.get(&world.staff, "/admin/workout-orphans").await?["items"], json!([]));
    assert_eq!(world.get(&world.app, "/workouts/machine").await?["items"][0]["reps"], 10);
    Ok(())
}
