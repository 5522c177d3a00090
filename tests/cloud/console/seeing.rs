//! What pages show.

use super::{Browser, NASTY, text};
use crate::edge::{Scene, stamp};
use crate::gym::Gym;
use anyhow::Result;
use cloud_api::domains::accounts::Role;
use cloud_api::domains::branches;
use cloud_api::domains::organizations;
use protocol::sync::entry::DeviceState;
use protocol::sync::state::{Floor, LiveDevice, LiveState, Position};
use tests::api::Api;
use time::Duration;

fn state(scene: &Scene, n: u64, device: DeviceState, backlog_entries: u64) -> LiveState {
    let machine = scene.machine.into();
    LiveState {
        boot: 1,
        n,
        stamp: stamp(10_000),
        as_of: Position { epoch: 1, seq: 1 },
        full: true,
        floor: Floor { backlog_entries, agent_version: "9.8.7".to_owned(), ..Floor::default() },
        machines: vec![LiveDevice { device: machine, state: device, error: None, sample: None }],
    }
}

#[tokio::test]
async fn a_branch_is_told_at_a_glance_and_its_silence_comes_first() -> Result<()> {
    let scene = Scene::open().await?;
    let api = &scene.api;
    let mut admin = Browser::of(api, &scene.gym, Role::Admin, &[]).await?;
    scene.edge.put_state(api, &state(&scene, 1, DeviceState::InUse, 12)).await?;
    let fresh = Api::over(api.app.clone());

    let page = text(&admin.get(&fresh, "/console").await?);
    assert!(page.contains("1 in use · 0 free"), "{page}");
    assert!(page.contains("connected · 9.8.7 · 12 entries wait"), "{page}");
    assert!(page.contains("No gateway is enrolled yet."), "the other branch: {page}");

    api.app.clock.advance(Duration::seconds(31));
    let fresh = Api::over(api.app.clone());
    let page = text(&admin.get(&fresh, "/console").await?);
    assert!(page.contains("Silent since "), "{page}");
    let places = [page.find("Centre"), page.find("North")];
    assert!(places[0] < places[1], "what is worse comes first");
    let by_inside = text(&admin.get(&fresh, "/console?sort=inside&q=nor").await?);
    assert!(by_inside.contains("North") && !by_inside.contains("Centre"));
    Ok(())
}

#[tokio::test]
async fn who_has_no_branch_yet_is_told_what_to_do() -> Result<()> {
    let api = Api::new().await?;
    let mut db = api.app.db.begin().await?;
    let now = api.app.clock.now();
    let organization = organizations::create(&mut db, "New", now).await?.id;
    let mut gym = Gym::open(&api, "Other").await?;
    db.commit().await?;
    gym.organization = organization;

    let mut admin = Browser::of(&api, &gym, Role::Admin, &[]).await?;
    let mut staff = Browser::of(&api, &gym, Role::Staff, &[]).await?;

    let page = text(&admin.get(&api, "/console").await?);
    assert!(page.contains("cloud-api admin create-branch"), "{page}");
    let page = text(&staff.get(&api, "/console").await?);
    assert!(page.contains("You work at no branch yet"), "{page}");
    Ok(())
}

#[tokio::test]
async fn a_name_that_wants_to_be_a_script_is_only_a_name_on_every_page() -> Result<()> {
    let scene = Scene::open().await?;
    let (api, id) = (&scene.api, scene.gym.branch.id);
    sqlx::query("UPDATE branches SET name = $1 WHERE id = $2")
        .bind(NASTY)
        .bind(id.0)
        .execute(&api.app.db)
        .await?;
    sqlx::query("UPDATE devices SET name = $1").bind(NASTY).execute(&api.app.db).await?;
    sqlx::query(
        "INSERT INTO tags (id, branch_id, machine_id, kind, token, created_at)
         VALUES (gen_random_uuid(), $1, $2, 'qr', 'gt_x', now())",
    )
    .bind(id.0)
    .bind(scene.machine.0)
    .execute(&api.app.db)
    .await?;
    let mut admin = Browser::of(api, &scene.gym, Role::Admin, &[]).await?;
    sqlx::query("UPDATE users SET name = $1").bind(NASTY).execute(&api.app.db).await?;

    let branch = format!("/console/branches/{id}");
    for path in [
        "/console".to_owned(),
        branch.clone(),
        format!("{branch}/machines/bike-01"),
        format!("{branch}/labels"),
    ] {
        let answer = admin.get(api, &path).await?;
        let page = text(&answer);
        assert_eq!(answer.status, 200, "{path}: {page}");
        assert!(!page.contains("<script>alert"), "{path}");
        assert!(page.contains("script&") || page.contains("&#60;script"), "{path}: {page}");
    }
    Ok(())
}

#[tokio::test]
async fn three_hundred_branches_are_one_small_page() -> Result<()> {
    let api = Api::new().await?;
    let gym = Gym::open(&api, "Gym").await?;
    let mut db = api.app.db.begin().await?;
    let now = api.app.clock.now();
    for number in 0..298 {
        let name = format!("Branch {number:03}");
        branches::open(&mut db, gym.organization, &name, "UTC", now).await?;
    }
    db.commit().await?;
    let mut admin = Browser::of(&api, &gym, Role::Admin, &[]).await?;

    let page = text(&admin.get(&api, "/console").await?);

    assert_eq!(page.matches("class=\"card glance").count(), 300);
    assert!(page.len() < 300_000, "{} bytes", page.len());
    Ok(())
}
