//! Machines over REST: who sees which, and pages.

use crate::gym::Gym;
use anyhow::Result;
use axum::body::Body;
use axum::http::Request;
use cloud_api::domains::accounts::Role;
use cloud_api::domains::devices::MachineType;
use cloud_api::ids::{DeviceId, EdgeId};
use protocol::sync::entry::DeviceState;
use protocol::sync::state::{Floor, LiveDevice, LiveState, Position};
use protocol::time::Stamp;
use serde_json::Value;
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
async fn members_may_not_read_machines_here() -> Result<()> {
    let scene = scene().await?;
    let token = scene.gym.token(&scene.api, Role::Member, &[]).await?;

    assert_eq!(scene.reads(Some(&token)).await?, [403; 4]);
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
    scene.api.app.live.keep(scene.gym.branch.id, EdgeId::new(), busy(scene.here), now);
    let read = || async {
        let page = scene.api.get("/api/v1/machines/availability", Some(&token)).await?.json()?;
        anyhow::Ok(page["items"][0]["availability"].clone())
    };

    assert_eq!(read().await?, "in_use");
    scene.api.app.clock.advance(time::Duration::seconds(31));
    assert_eq!(read().await?, "unknown");
    Ok(())
}

/// A floor with one machine in use.
fn busy(machine: DeviceId) -> LiveState {
    let state = DeviceState::InUse;
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
