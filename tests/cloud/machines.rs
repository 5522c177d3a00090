//! Machines over REST: who sees which, and pages.

use crate::gym::Gym;
use anyhow::{Context, Result};
use axum::body::Body;
use axum::http::Request;
use cloud_api::domains::accounts::Role;
use cloud_api::domains::devices::MachineType;
use cloud_api::domains::members;
use cloud_api::ids::{BranchId, DeviceId, EdgeId, MemberId};
use protocol::sync::entry::DeviceState;
use protocol::sync::state::{Floor, LiveDevice, LiveState, Position};
use protocol::time::Stamp;
use serde_json::{Value, json};
use tests::api::Api;

/// A gym with a machine at each branch, and another gym.
struct Scene {
    api: Api,
    gym: Gym,
    stranger: Gym,
    here: DeviceId,
    there: DeviceId,
}

async fn scene() -> Result<Scene> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let stranger = Gym::open(&api, "Stranger").await?;
    let here = gym.machine(&api, &gym.branch, "rower-1", MachineType::Cardio).await?;
    let there = gym.machine(&api, &gym.other, "rower-1", MachineType::Cardio).await?;
    Ok(Scene { api, gym, stranger, here, there })
}

impl Scene {
    /// Somebody with the app who may train at a branch, or at all.
    async fn trains(&self, at: Option<BranchId>) -> Result<(MemberId, String)> {
        let token = self.gym.token(&self.api, Role::Member, &[]).await?;
        let me = self.api.get("/api/v1/users/profile", Some(&token)).await?.json()?;
        let user = me["id"].as_str().context("no id")?.parse()?;
        let member = self.gym.member(&self.api, "Ada", at).await?.id;
        members::set_user(&mut *self.api.app.db.acquire().await?, member, user).await?;
        Ok((member, token))
    }

    async fn lend(&self, member: MemberId) -> Result<()> {
        sqlx::query(
            "INSERT INTO links (id, member_id, machine_id, branch_id, started_at)
             VALUES ($1, $2, $3, $4, now())",
        )
        .bind(uuid::Uuid::now_v7())
        .bind(member.0)
        .bind(self.here.0)
        .bind(self.gym.branch.id.0)
        .execute(&self.api.app.db)
        .await?;
        Ok(())
    }

    async fn wait(&self, member: MemberId, place: i32) -> Result<()> {
        sqlx::query(
            "INSERT INTO queue_entries (machine_id, place, member_id, branch_id)
             VALUES ($1, $2, $3, $4)",
        )
        .bind(self.here.0)
        .bind(place)
        .bind(member.0)
        .bind(self.gym.branch.id.0)
        .execute(&self.api.app.db)
        .await?;
        Ok(())
    }

    async fn status(&self, path: &str, token: Option<&str>) -> Result<u16> {
        Ok(self.api.get(path, token).await?.status.as_u16())
    }

    /// Statuses of all reads of one machine and of its branch.
    async fn reads(&self, token: Option<&str>) -> Result<Vec<u16>> {
        let (branch, machine) = (self.gym.branch.id, self.here);
        let mut statuses = Vec::new();
        for path in [
            format!("/api/v1/machines?branch_id={branch}"),
            format!("/api/v1/machines/{machine}"),
            format!("/api/v1/machines/availability?branch_id={branch}"),
            format!(
                "/api/v1/machines/{machine}/telemetry\
                 ?from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z&every=1m"
            ),
        ] {
            statuses.push(self.status(&path, token).await?);
        }
        Ok(statuses)
    }
}

fn codes(page: &Value) -> Vec<&str> {
    page["items"].as_array().into_iter().flatten().filter_map(|m| m["code"].as_str()).collect()
}

#[tokio::test]
async fn staff_see_the_machines_of_their_branch() -> Result<()> {
    let scene = scene().await?;
    let token = scene.gym.token(&scene.api, Role::Staff, &[scene.gym.branch.id]).await?;

    assert_eq!(scene.reads(Some(&token)).await?, [200; 4]);
    Ok(())
}

#[tokio::test]
async fn admins_see_the_machines_of_all_their_branches() -> Result<()> {
    let scene = scene().await?;
    let token = scene.gym.token(&scene.api, Role::Admin, &[]).await?;

    assert_eq!(scene.reads(Some(&token)).await?, [200; 4]);
    assert_eq!(
        scene.status(&format!("/api/v1/machines/{}", scene.there), Some(&token)).await?,
        200
    );
    Ok(())
}

#[tokio::test]
async fn to_staff_of_another_branch_the_machines_are_not_there() -> Result<()> {
    let scene = scene().await?;
    let token = scene.gym.token(&scene.api, Role::Staff, &[scene.gym.other.id]).await?;

    assert_eq!(scene.reads(Some(&token)).await?, [404; 4]);
    Ok(())
}

#[tokio::test]
async fn to_another_organization_the_machines_are_not_there() -> Result<()> {
    let scene = scene().await?;
    let admin = scene.stranger.token(&scene.api, Role::Admin, &[]).await?;

    assert_eq!(scene.reads(Some(&admin)).await?, [404; 4]);
    let list = scene.api.get("/api/v1/machines", Some(&admin)).await?.json()?;
    assert!(codes(&list).is_empty());
    Ok(())
}

#[tokio::test]
async fn to_who_trains_nowhere_the_machines_are_not_there() -> Result<()> {
    let scene = scene().await?;
    let token = scene.gym.token(&scene.api, Role::Member, &[]).await?;

    assert_eq!(scene.reads(Some(&token)).await?, [404, 404, 404, 403]);
    let list = scene.api.get("/api/v1/machines", Some(&token)).await?.json()?;
    assert!(codes(&list).is_empty());
    Ok(())
}

#[tokio::test]
async fn members_see_the_machines_of_branches_where_they_may_train() -> Result<()> {
    let scene = scene().await?;
    let token = scene.trains(Some(scene.gym.branch.id)).await?.1;
    let everywhere = scene.trains(None).await?.1;
    let there = format!("/api/v1/machines/{}", scene.there);

    assert_eq!(scene.reads(Some(&token)).await?, [200, 200, 200, 403]);
    assert_eq!(scene.status(&there, Some(&token)).await?, 404);
    assert_eq!(scene.status(&there, Some(&everywhere)).await?, 200);
    let path = format!("/api/v1/machines/availability?branch_id={}", scene.gym.other.id);
    assert_eq!(scene.status(&path, Some(&token)).await?, 404);
    Ok(())
}

#[tokio::test]
async fn a_member_sees_who_has_a_machine_and_their_own_place_in_its_queue() -> Result<()> {
    let scene = scene().await?;
    let branch = scene.gym.branch.id;
    let (ada, ada_token) = scene.trains(Some(branch)).await?;
    let (bob, bob_token) = scene.trains(Some(branch)).await?;
    let (eve, eve_token) = scene.trains(Some(branch)).await?;
    let now = scene.api.app.clock.now();
    scene.api.app.live.keep(branch, EdgeId::new(), floor(scene.here, DeviceState::Idle), now);
    let path = format!("/api/v1/machines/{}", scene.here);
    let read = async |token: &str| scene.api.get(&path, Some(token)).await?.json();

    assert_eq!(read(&ada_token).await?["availability"], "available");
    scene.lend(ada).await?;
    scene.wait(bob, 1).await?;
    scene.wait(eve, 2).await?;
    let (ada, eve) = (read(&ada_token).await?, read(&eve_token).await?);
    assert_eq!((&ada["availability"], &ada["is_mine"]), (&json!("in_use"), &json!(true)));
    assert_eq!((&eve["is_taken"], &eve["is_mine"]), (&json!(true), &json!(false)));
    assert_eq!((&eve["waiting"], &eve["position"]), (&json!(2), &json!(2)));
    assert_eq!(ada["position"], Value::Null);

    sqlx::query("DELETE FROM links").execute(&scene.api.app.db).await?;
    sqlx::query("UPDATE queue_entries SET place = place - 1").execute(&scene.api.app.db).await?;
    let bob = read(&bob_token).await?;
    assert_eq!((&bob["availability"], &bob["position"]), (&json!("offered"), &json!(0)));
    assert_eq!(bob["waiting"], 1);
    Ok(())
}

#[tokio::test]
async fn nobody_in_particular_is_asked_to_log_in() -> Result<()> {
    let scene = scene().await?;

    assert_eq!(scene.reads(None).await?, [401; 4]);
    Ok(())
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repeat() -> Result<()> {
    let scene = scene().await?;
    for code in ["bike-1", "bike-2", "press-1", "press-2"] {
        scene.gym.machine(&scene.api, &scene.gym.branch, code, MachineType::Strength).await?;
    }
    let token = scene.gym.token(&scene.api, Role::Staff, &[scene.gym.branch.id]).await?;

    let mut found = Vec::new();
    let mut path = "/api/v1/machines?limit=2&sort=-code".to_owned();
    loop {
        let page = scene.api.get(&path, Some(&token)).await?.json()?;
        found.extend(codes(&page).into_iter().map(str::to_owned));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/api/v1/machines?limit=2&sort=-code&cursor={cursor}");
    }

    assert_eq!(found, ["rower-1", "press-2", "press-1", "bike-2", "bike-1"]);
    Ok(())
}

#[tokio::test]
async fn machines_are_filtered_by_type() -> Result<()> {
    let scene = scene().await?;
    scene.gym.machine(&scene.api, &scene.gym.branch, "press-1", MachineType::Strength).await?;
    let token = scene.gym.token(&scene.api, Role::Admin, &[]).await?;

    let page = scene.api.get("/api/v1/machines?type=strength", Some(&token)).await?.json()?;

    assert_eq!(codes(&page), ["press-1"]);
    assert_eq!(scene.status("/api/v1/machines?type=swimming", Some(&token)).await?, 400);
    Ok(())
}

#[tokio::test]
async fn machines_of_a_branch_that_was_never_heard_are_unknown() -> Result<()> {
    let scene = scene().await?;
    let token = scene.gym.token(&scene.api, Role::Admin, &[]).await?;

    let page =
        scene.api.get("/api/v1/machines/availability?limit=1", Some(&token)).await?.json()?;

    assert_eq!(page["counts"], serde_json::json!({"unknown": 2}));
    assert_eq!(page["items"][0]["availability"], "unknown");
    assert_eq!(page["items"][0]["state"], Value::Null);
    let cursor = page["next_cursor"].as_str().unwrap_or_default();
    let path = format!("/api/v1/machines/availability?limit=1&cursor={cursor}");
    let next = scene.api.get(&path, Some(&token)).await?.json()?;
    assert_ne!(next["items"][0]["id"], page["items"][0]["id"]);
    assert_eq!(next["next_cursor"], Value::Null);
    Ok(())
}

#[tokio::test]
async fn a_machine_that_its_branch_calls_busy_is_in_use_until_the_branch_falls_silent() -> Result<()>
{
    let scene = scene().await?;
    let token = scene.gym.token(&scene.api, Role::Staff, &[scene.gym.branch.id]).await?;
    let now = scene.api.app.clock.now();
    scene.api.app.live.keep(
        scene.gym.branch.id,
        EdgeId::new(),
        floor(scene.here, DeviceState::InUse),
        now,
    );
    let read = || async {
        let page = scene.api.get("/api/v1/machines/availability", Some(&token)).await?.json()?;
        anyhow::Ok(page["items"][0]["availability"].clone())
    };

    assert_eq!(read().await?, "in_use");
    scene.api.app.clock.advance(time::Duration::seconds(31));
    assert_eq!(read().await?, "unknown");
    Ok(())
}

/// A floor with one machine.
fn floor(machine: DeviceId, state: DeviceState) -> LiveState {
    LiveState {
        boot: 1,
        n: 1,
        stamp: Stamp { boot: 1, mono_ms: 1, wall_ms: 0, synced: false },
        as_of: Position { epoch: 1, seq: 1 },
        full: true,
        floor: Floor::default(),
        machines: vec![LiveDevice { device: machine.into(), state, error: None, sample: None }],
    }
}

#[tokio::test]
async fn telemetry_is_told_in_steps_without_heart_rates() -> Result<()> {
    let scene = scene().await?;
    let token = scene.gym.token(&scene.api, Role::Staff, &[scene.gym.branch.id]).await?;
    sqlx::query(
        "INSERT INTO telemetry_rollups_1m (machine_id, at, branch_id, samples, speed_mps_n, speed_mps_avg,
             speed_mps_min, speed_mps_max, speed_mps_last, distance_m_n, distance_m_gain, distance_m_last,
             heart_rate_bpm_n, heart_rate_bpm_avg, heart_rate_bpm_last)
         VALUES ($1, '2026-01-01 00:01Z', $2, 60, 60, 2.5, 2, 3, 2.75, 60, 150, 900, 60, 120, 121)",
    )
    .bind(scene.here.0)
    .bind(scene.gym.branch.id.0)
    .execute(&scene.api.app.db)
    .await?;
    let read = async |range: &str| {
        let path = format!("/api/v1/machines/{}/telemetry?every=1m&{range}", scene.here);
        scene.api.get(&path, Some(&token)).await?.json()
    };

    let inside = read("from=2026-01-01T00:01:30Z&to=2026-01-01T00:02:00Z").await?;
    let outside = read("from=2026-01-01T00:02:00Z&to=2026-01-01T00:03:00Z").await?;

    assert_eq!(
        inside["items"],
        serde_json::json!([{
            "at": "2026-01-01T00:01:00Z",
            "samples": 60,
            "values": {
                "distance_m": {"n": 60, "gain": 150.0, "last": 900.0},
                "speed_mps": {"n": 60, "avg": 2.5, "min": 2.0, "max": 3.0, "last": 2.75},
            },
        }])
    );
    assert_eq!(outside["items"], serde_json::json!([]));
    Ok(())
}

#[tokio::test]
async fn a_range_of_telemetry_that_is_reversed_or_too_long_is_refused() -> Result<()> {
    let scene = scene().await?;
    let token = scene.gym.token(&scene.api, Role::Admin, &[]).await?;
    let path = format!("/api/v1/machines/{}/telemetry", scene.here);

    for query in [
        "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
        "from=2025-01-01T00:00:00Z&to=2026-01-01T00:00:00Z&every=10s",
        "from=0000-01-01T00:00:00Z&to=0000-01-01T01:00:00Z",
    ] {
        let answer = scene.api.get(&format!("{path}?{query}"), Some(&token)).await?;
        assert_eq!(answer.status, 422, "{query}");
        assert_eq!(answer.json()?["errors"][0]["field"], "from", "{query}");
    }
    Ok(())
}

#[tokio::test]
async fn what_a_client_has_already_is_not_sent_again() -> Result<()> {
    let scene = scene().await?;
    let token = scene.gym.token(&scene.api, Role::Admin, &[]).await?;
    let path = format!("/api/v1/machines/{}", scene.here);
    let first = scene.api.get(&path, Some(&token)).await?;

    let again = Request::get(&path)
        .header("authorization", format!("Bearer {token}"))
        .header("if-none-match", &first.headers["etag"])
        .body(Body::empty())?;

    assert_eq!(scene.api.call(again).await?.status, 304);
    Ok(())
}
