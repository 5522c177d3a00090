//! What forms do, and that it is written down.

use super::{Browser, location, text};
use crate::edge::{Edge, Scene, events};
use anyhow::{Context as _, Result};
use cloud_api::domains::accounts::Role;
use protocol::ids::SessionId;
use protocol::rules::{Deed, Means};
use protocol::sync::commands::Commands;
use protocol::sync::entry::{Body, Event, Source};
use protocol::time::Stamp;
use tests::api::Api;
use uuid::Uuid;

/// Only what these forms write.
async fn audited(api: &Api) -> Result<Vec<String>> {
    let actions = "SELECT action FROM audit_log
         WHERE action ~ '^(machine|edge|stay)[.].*(ordered|code_made)$' ORDER BY at, id";
    Ok(sqlx::query_scalar(actions).fetch_all(&api.app.db).await?)
}

async fn commands(api: &Api, edge: &Edge) -> Result<Commands> {
    let answer = api.get("/edge/v1/commands?wait_s=0", Some(&edge.token)).await?;
    Ok(serde_json::from_slice(&answer.body)?)
}

#[tokio::test]
async fn a_machine_is_taken_out_of_use_and_put_back() -> Result<()> {
    let scene = Scene::open().await?;
    let api = &scene.api;
    let here = [scene.gym.branch.id];
    let mut staff = Browser::of(api, &scene.gym, Role::Staff, &here).await?;
    let machine = format!("/console/branches/{}/machines/bike-01", scene.gym.branch.id);

    let out = staff.submit(api, &format!("{machine}/out-of-use"), &[]).await?;
    let back = staff.submit(api, &format!("{machine}/in-use"), &[]).await?;

    assert_eq!(location(&out)?, format!("{machine}?done=out-of-use"));
    assert_eq!(location(&back)?, format!("{machine}?done=in-use"));
    let told = commands(api, &scene.edge).await?.items;
    let told: Vec<_> = told.iter().map(|one| one.command.as_str()).collect();
    assert_eq!(told, ["lock", "unlock"]);
    assert_eq!(audited(api).await?, ["machine.ordered", "machine.ordered"]);
    let page = text(&staff.get(api, location(&out)?).await?);
    assert!(page.contains("The machine is told to take nobody."), "{page}");
    Ok(())
}

#[tokio::test]
async fn an_admin_restarts_the_gateway_and_makes_a_code_that_is_shown_once() -> Result<()> {
    let scene = Scene::open().await?;
    let (api, id) = (&scene.api, scene.gym.branch.id);
    let mut admin = Browser::of(api, &scene.gym, Role::Admin, &[]).await?;

    let restart = admin.submit(api, &format!("/console/branches/{id}/restart"), &[]).await?;
    let made = admin.submit(api, &format!("/console/branches/{id}/enrol-code"), &[]).await?;

    assert_eq!(location(&restart)?, format!("/console/branches/{id}?done=restart"));
    assert_eq!(commands(api, &scene.edge).await?.items[0].command, "restart");
    assert_eq!(made.status, 200);
    let page = text(&made);
    let (_, code) = page.split_once("class=\"secret\">").context("no code is shown")?;
    let code = code.split('<').next().unwrap_or_default().to_owned();
    let enrolment = crate::edge::enrolment(&code, &crate::edge::key(9));
    assert_eq!(api.post("/edge/v1/enroll", None, &enrolment).await?.status, 200, "{code}");
    let branch = text(&admin.get(api, &format!("/console/branches/{id}")).await?);
    assert!(!branch.contains(&code));
    assert_eq!(audited(api).await?[..2], ["edge.restart_ordered", "edge.enroll_code_made"]);
    Ok(())
}

#[tokio::test]
async fn a_stay_is_ended_by_asking_the_branch() -> Result<()> {
    let scene = Scene::open().await?;
    let (api, id) = (&scene.api, scene.gym.branch.id);
    let ada = scene.gym.member(api, "Ada", Some(id)).await?;
    let wall_ms = api.app.clock.now_ms() - 60_000;
    let stamp = Stamp { boot: 1, mono_ms: 1_000_000, wall_ms, synced: true };
    let session = SessionId(Uuid::from_u128(7));
    let body = Deed::CheckIn { session, member: ada.id.into(), by: Means::Tap };
    let event = Event { stamp, source: Source::Edge, body: Body::Deed(body) };
    assert_eq!(scene.send(&events(1, 1, vec![event])).await?.status, 200);
    let mut staff = Browser::of(api, &scene.gym, Role::Staff, &[id]).await?;
    let stay = format!("/console/branches/{id}/stays/{}", session.0);

    assert!(text(&staff.get(api, &format!("/console/branches/{id}")).await?).contains("Ada"));
    assert!(text(&staff.get(api, &stay).await?).contains("End the stay"));
    let ended = staff.submit(api, &format!("{stay}/end"), &[]).await?;

    // Nobody answers for the branch.
    assert_eq!(location(&ended)?, format!("/console/branches/{id}?done=asked"));
    assert_eq!(commands(api, &scene.edge).await?.items[0].command, "check_out");
    assert_eq!(audited(api).await?, ["stay.end_ordered"]);
    Ok(())
}

#[tokio::test]
async fn a_stay_that_is_over_and_a_machine_that_is_gone_are_said_in_words() -> Result<()> {
    let scene = Scene::open().await?;
    let (api, id) = (&scene.api, scene.gym.branch.id);
    let mut staff = Browser::of(api, &scene.gym, Role::Staff, &[id]).await?;

    let stay = format!("/console/branches/{id}/stays/{}/end", Uuid::from_u128(7));
    let stay = staff.submit(api, &stay, &[]).await?;
    let machine = format!("/console/branches/{id}/machines/rower/out-of-use");
    let machine = staff.submit(api, &machine, &[]).await?;

    assert_eq!((stay.status.as_u16(), machine.status.as_u16()), (404, 404));
    assert!(text(&stay).contains("There is no such stay; perhaps they have left by now."));
    assert!(text(&machine).contains("There is no such machine."));
    assert!(audited(api).await?.is_empty());
    Ok(())
}
