//! Machines out of use and back, by members, staff and branches, and how machines do.

use crate::edge::{Scene, event, events, stamp};
use anyhow::{Context, Result};
use axum::http::Method;
use cloud_api::domains::accounts::Role;
use cloud_api::domains::members;
use cloud_api::ids::BranchId;
use protocol::rules::Deed;
use protocol::sync::commands::Commands;
use protocol::sync::entry::{Body, Event, Maintenance, Severity, Source};
use serde_json::{Value, json};
use tests::api::Answer;

const PATH: &str = "/api/v1/machines/maintenance";
const REPORTS: &str = "/api/v1/admin/machine-reports";

fn told(answer: &Answer) -> Result<(u16, Value)> {
    Ok((answer.status.as_u16(), answer.json()?["code"].clone()))
}

/// Somebody with the app who may train at a branch.
async fn trains(scene: &Scene, at: BranchId) -> Result<String> {
    let token = scene.gym.token(&scene.api, Role::Member, &[]).await?;
    let me = scene.api.get("/api/v1/users/profile", Some(&token)).await?.json()?;
    let user = me["id"].as_str().context("no id")?.parse()?;
    let member = scene.gym.member(&scene.api, "Ada", Some(at)).await?.id;
    members::set_user(&mut *scene.api.app.db.acquire().await?, member, user).await?;
    Ok(token)
}

async fn say(scene: &Scene, token: &str, more: Value) -> Result<Answer> {
    let mut body = json!({"machine_id": scene.machine, "message": "it squeaks"});
    let (fields, more) = (body.as_object_mut().context("no object")?, more);
    fields.extend(more.as_object().cloned().context("no object")?);
    scene.api.post(PATH, Some(token), &body).await
}

async fn commands(scene: &Scene) -> Result<Vec<(String, Value)>> {
    let answer = scene.api.get("/edge/v1/commands", Some(&scene.edge.token)).await?;
    let told: Commands = serde_json::from_slice(&answer.body)?;
    let args = |args| Value::Object(args);
    Ok(told.items.into_iter().map(|one| (one.command, args(one.args))).collect())
}

async fn availability(scene: &Scene, token: &str) -> Result<Value> {
    let path = format!("/api/v1/machines/{}", scene.machine);
    scene.api.get(&path, Some(token)).await?.json()
}

#[tokio::test]
async fn staff_put_a_machine_out_of_use_and_back_and_the_branch_is_told() -> Result<()> {
    let scene = Scene::open().await?;
    let staff = scene.gym.token(&scene.api, Role::Staff, &[scene.gym.branch.id]).await?;

    let set = say(&scene, &staff, json!({"action": "set", "message": "belt torn"})).await?;
    let machine = format!("/api/v1/admin/machines/{}", scene.machine);
    let seen = scene.api.get(&machine, Some(&staff)).await?.json()?;
    let clear = json!({"action": "clear", "message": "new belt", "is_serviced": true});
    let cleared = say(&scene, &staff, clear).await?;
    let reports = scene.api.get(REPORTS, Some(&staff)).await?.json()?;

    assert_eq!(set.status, 201, "{:?}", set.json());
    assert_eq!(set.json()?["is_out_of_use"], true);
    assert_eq!(seen["out_of_use_reason"], "belt torn");
    assert_eq!(cleared.json()?["is_out_of_use"], false);
    let report = &reports["items"][0];
    assert_eq!((&report["note"], &report["source"]), (&json!("new belt"), &json!("staff")));
    let told = commands(&scene).await?;
    let said: Vec<_> = told.iter().map(|(name, args)| (name.as_str(), &args["is_out"])).collect();
    assert_eq!(said, [("out_of_order", &json!(true)), ("out_of_order", &json!(false))]);
    assert!(told[0].1["name"].as_str().is_some_and(|name| name.contains('@')), "{told:?}");
    let serviced = scene.count("SELECT count(*) FROM devices WHERE serviced_at IS NOT NULL");
    assert_eq!(serviced.await?, 1);
    let events = "SELECT count(*) FROM events_arrived WHERE kind = 'machine:maintenance'";
    assert_eq!(scene.count(events).await?, 2);
    Ok(())
}

#[tokio::test]
async fn one_member_who_reports_a_fault_is_heard_and_two_put_a_machine_out_of_use() -> Result<()> {
    let scene = Scene::open().await?;
    let (ada, bob) =
        (trains(&scene, scene.gym.branch.id).await?, trains(&scene, scene.gym.branch.id).await?);
    let fault = json!({"severity": "fault"});

    let first = say(&scene, &ada, fault.clone()).await?;
    let again = say(&scene, &ada, fault.clone()).await?;
    let one = availability(&scene, &ada).await?;
    let second = say(&scene, &bob, fault).await?;
    let two = availability(&scene, &ada).await?;

    assert_eq!(first.json()?["is_out_of_use"], false);
    assert_eq!(told(&again)?, (409, json!("already_reported")));
    assert_eq!(one["open_reports"], 1);
    assert_eq!(second.json()?["is_out_of_use"], true);
    assert_eq!(two["open_reports"], 2);
    let told = commands(&scene).await?;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0].1["staff"], &told[0].1["name"]), (&Value::Null, &json!("cloud")));
    Ok(())
}

#[tokio::test]
async fn members_put_nothing_out_of_use_and_nobody_says_anything_of_what_they_do_not_see()
-> Result<()> {
    let scene = Scene::open().await?;
    let stranger = crate::gym::Gym::open(&scene.api, "Stranger").await?;
    let ada = trains(&scene, scene.gym.branch.id).await?;
    let north = trains(&scene, scene.gym.other.id).await?;
    let nobody = scene.gym.token(&scene.api, Role::Member, &[]).await?;
    let foreign = stranger.token(&scene.api, Role::Admin, &[]).await?;
    let elsewhere = scene.gym.token(&scene.api, Role::Staff, &[scene.gym.other.id]).await?;
    let set = json!({"action": "set"});

    assert_eq!(told(&say(&scene, &ada, set.clone()).await?)?, (403, json!("forbidden")));
    assert_eq!(
        told(&say(&scene, &ada, json!({"action": "clear"})).await?)?,
        (403, json!("forbidden"))
    );
    for token in [&north, &nobody, &foreign, &elsewhere] {
        assert_eq!(told(&say(&scene, token, set.clone()).await?)?, (404, json!("not_found")));
    }
    let reports = scene.api.get(REPORTS, Some(&elsewhere)).await?.json()?;
    assert_eq!(reports["items"], json!([]));
    Ok(())
}

#[tokio::test]
async fn what_the_branch_says_of_a_machine_counts_if_it_was_said_last() -> Result<()> {
    let scene = Scene::open().await?;
    let out = |mono_ms, is_out| {
        let body = Body::Deed(Deed::OutOfOrder { machine: scene.machine.into(), is_out });
        Event { stamp: stamp(mono_ms), source: Source::Edge, body }
    };

    let sent = scene.send(&events(1, 1, vec![out(2_000, true)])).await?;
    assert_eq!(sent.status, 200, "{:?}", sent.json());
    let after_out = scene.count("SELECT count(*) FROM devices WHERE out_of_use_since IS NOT NULL");
    assert_eq!(after_out.await?, 1);
    scene.send(&events(1, 2, vec![out(1_000, false)])).await?;
    let after_late = scene.count("SELECT count(*) FROM devices WHERE out_of_use_since IS NOT NULL");
    assert_eq!(after_late.await?, 1);
    scene.send(&events(1, 3, vec![out(3_000, false)])).await?;
    let after_in = scene.count("SELECT count(*) FROM devices WHERE out_of_use_since IS NOT NULL");
    assert_eq!(after_in.await?, 0);
    Ok(())
}

#[tokio::test]
async fn what_a_machine_reports_by_way_of_its_branch_is_on_the_list_of_staff() -> Result<()> {
    let scene = Scene::open().await?;
    let staff = scene.gym.token(&scene.api, Role::Staff, &[scene.gym.branch.id]).await?;
    let report = Maintenance {
        code: "E7".to_owned(),
        severity: Severity::Fault,
        message: "motor hot".to_owned(),
    };

    scene.send(&events(1, 1, vec![event(scene.machine, 1_000, Body::Maintenance(report))])).await?;
    let path = format!("{REPORTS}?machine_id={}&open=true", scene.machine);
    let list = scene.api.get(&path, Some(&staff)).await?.json()?;

    let found = &list["items"][0];
    assert_eq!((&found["source"], &found["code"]), (&json!("machine"), &json!("E7")));
    let out =
        scene.count("SELECT count(*) FROM devices WHERE out_of_use_since IS NOT NULL").await?;
    assert_eq!(out, 1);
    Ok(())
}

/// A stay on the machine of the scene.
async fn lent(scene: &Scene, from: &str, to: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO links (id, member_id, machine_id, branch_id, started_at, ended_at, end_reason)
         VALUES ($1, $1, $2, $3, $4::timestamptz, $5::timestamptz, 'unlinked')",
    )
    .bind(uuid::Uuid::now_v7())
    .bind(scene.machine.0)
    .bind(scene.gym.branch.id.0)
    .bind(from)
    .bind(to)
    .execute(&scene.api.app.db)
    .await?;
    Ok(())
}

async fn performance(scene: &Scene, token: &str) -> Result<Value> {
    let path =
        format!("/api/v1/machines/{}/performance?from=2026-10-01&to=2026-10-03", scene.machine);
    let answer = scene.api.get(&path, Some(token)).await?;
    anyhow::ensure!(answer.status == 200, "{:?}", answer.json());
    answer.json()
}

#[tokio::test]
async fn use_is_summed_up_by_days_and_again_when_something_comes_late() -> Result<()> {
    let scene = Scene::open().await?;
    let staff = scene.gym.token(&scene.api, Role::Staff, &[scene.gym.branch.id]).await?;
    lent(&scene, "2026-10-01 23:30Z", "2026-10-02 00:15Z").await?;
    lent(&scene, "2026-10-02 10:00Z", "2026-10-02 10:30Z").await?;

    let first = performance(&scene, &staff).await?;
    lent(&scene, "2026-10-01 08:00Z", "2026-10-01 09:00Z").await?;
    cloud_api::jobs::run_due_jobs(&scene.api.app).await?;
    let late = performance(&scene, &staff).await?;

    let day = |answer: &Value, index: usize| {
        let day = &answer["days"][index];
        (day["day"].clone(), day["sessions"].clone(), day["used_s"].clone())
    };
    assert_eq!(day(&first, 0), (json!("2026-10-01"), json!(1), json!(1_800)));
    assert_eq!(day(&first, 1), (json!("2026-10-02"), json!(1), json!(2_700)));
    assert_eq!(first["total"]["average_use_s"], 2_250);
    assert_eq!(day(&late, 0), (json!("2026-10-01"), json!(2), json!(5_400)));
    assert_eq!(late["total"]["sessions"], 3);
    Ok(())
}

#[tokio::test]
async fn time_out_of_reach_counts_against_a_machine_and_use_makes_its_service_due() -> Result<()> {
    let scene = Scene::open().await?;
    let admin = scene.gym.token(&scene.api, Role::Admin, &[]).await?;
    for (seq, at, state) in [
        (1, "2026-10-01 06:00Z", "idle"),
        (2, "2026-10-02 00:00Z", "offline"),
        (3, "2026-10-02 18:00Z", "idle"),
    ] {
        sqlx::query(
            "INSERT INTO device_statuses (edge_id, epoch, seq, branch_id, device_id, boot, mono_ms, at,
                 is_dated, received_at, state)
             VALUES ($1, 1, $2, $3, $4, 1, 0, $5::timestamptz, true, now(), $6)",
        )
        .bind(uuid::Uuid::nil())
        .bind(i64::from(seq))
        .bind(scene.gym.branch.id.0)
        .bind(scene.machine.0)
        .bind(at)
        .bind(state)
        .execute(&scene.api.app.db)
        .await?;
    }
    sqlx::query("UPDATE devices SET created_at = '2026-09-01Z'").execute(&scene.api.app.db).await?;
    lent(&scene, "2026-10-02 19:00Z", "2026-10-02 21:00Z").await?;
    let path = format!("/api/v1/admin/machines/{}", scene.machine);
    let every = async |hours: i32| {
        let body = json!({"service_every_h": hours});
        scene.api.send(Method::PATCH, &path, Some(&admin), &body).await?;
        anyhow::Ok(performance(&scene, &admin).await?["service"]["is_due"].clone())
    };

    let found = performance(&scene, &admin).await?;

    assert_eq!(found["total"]["offline_s"], 64_800);
    assert_eq!(found["total"]["uptime_pct"], 75.0);
    assert_eq!(found["service"]["used_h_since"], 2);
    assert_eq!((every(3).await?, every(2).await?), (json!(false), json!(true)));
    Ok(())
}

#[tokio::test]
async fn who_waited_and_got_the_machine_is_counted_with_the_time_it_took() -> Result<()> {
    let scene = Scene::open().await?;
    let staff = scene.gym.token(&scene.api, Role::Staff, &[scene.gym.branch.id]).await?;
    let ada = scene.gym.member(&scene.api, "Ada", None).await?.id;
    for (seq, kind, at) in [(1, "enqueue", "10:00Z"), (2, "link", "10:04Z")] {
        sqlx::query(
            "INSERT INTO facts (edge_id, epoch, seq, part, branch_id, boot, mono_ms, at_ms, is_dated,
                 received_at, kind, member_id, machine_id, deed, is_folded)
             VALUES ($1, 1, $2, 0, $3, 1, 0,
                 (extract(epoch FROM ('2026-10-02 ' || $4)::timestamptz) * 1000)::bigint, true,
                 now(), $5, $6, $7, '', true)",
        )
        .bind(uuid::Uuid::nil())
        .bind(i64::from(seq))
        .bind(scene.gym.branch.id.0)
        .bind(at)
        .bind(kind)
        .bind(ada.0)
        .bind(scene.machine.0)
        .execute(&scene.api.app.db)
        .await?;
    }
    lent(&scene, "2026-10-02 10:04Z", "2026-10-02 10:14Z").await?;

    let total = performance(&scene, &staff).await?["total"].clone();

    assert_eq!((&total["waits"], &total["average_wait_s"]), (&json!(1), &json!(240)));
    Ok(())
}
