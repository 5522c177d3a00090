//! Readers, who works at a branch, and the organization, over REST.

use crate::changes;
use crate::edge::Scene;
use anyhow::{Context, Result};
use axum::http::Method;
use cloud_api::domains::accounts::Role;
use protocol::sync::changes::Change;
use protocol::sync::roster::{ReaderPlace, RosterItem};
use serde_json::{Value, json};

const ALL: &str = "/api/v1/admin/readers";

/// What the edge was told of its roster since a version.
async fn roster_since(scene: &Scene, from: u64) -> Result<Vec<RosterItem>> {
    let changes = changes::ask(scene, from, 0).await?.changes;
    let items = changes.iter().filter_map(|change| match change {
        Change::Roster { kind, item, .. } => RosterItem::decode(*kind, item).ok(),
        _ => None,
    });
    Ok(items.collect())
}

fn places(items: &[RosterItem]) -> Vec<ReaderPlace> {
    let place = |item: &RosterItem| match item {
        RosterItem::Reader(reader) => Some(reader.place),
        _ => None,
    };
    items.iter().filter_map(place).collect()
}

#[tokio::test]
async fn a_reader_is_told_to_its_branch_with_the_place_it_is_at() -> Result<()> {
    let scene = Scene::open().await?;
    let api = &scene.api;
    let admin = scene.gym.token(api, Role::Admin, &[]).await?;
    let start = changes::ask(&scene, 0, 0).await?.to;

    let new = json!({"branch_id": scene.gym.branch.id, "code": "door-1", "name": "Main door",
        "place": "entry", "reads": "codes"});
    let made = api.post(ALL, Some(&admin), &new).await?;
    assert_eq!(made.status, 201, "{:?}", made.json());
    let id = made.json()?["reader"]["id"].as_str().context("no id")?.to_owned();
    let entry = roster_since(&scene, start).await?;
    let between = changes::ask(&scene, 0, 0).await?.to;
    let path = format!("{ALL}/{id}");
    let body = json!({"place": "machine", "machine_id": scene.machine});
    let moved = api.send(Method::PATCH, &path, Some(&admin), &body).await?;
    let machine = roster_since(&scene, between).await?;
    let list = api.get(ALL, Some(&admin)).await?.json()?;
    let removed = api.delete(&path, Some(&admin)).await?;

    assert_eq!(places(&entry), [ReaderPlace::Entry]);
    assert_eq!(moved.status, 200, "{:?}", moved.json());
    assert_eq!(places(&machine), [ReaderPlace::Machine(scene.machine.into())]);
    assert_eq!(
        (&list["items"][0]["place"], &list["items"][0]["reads"]),
        (&json!("machine"), &json!("codes"))
    );
    assert_eq!(removed.status, 204);
    assert_eq!(api.get(&path, Some(&admin)).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn a_reader_on_a_machine_names_one_of_its_branch_and_one_at_a_door_names_none() -> Result<()>
{
    let scene = Scene::open().await?;
    let api = &scene.api;
    let admin = scene.gym.token(api, Role::Admin, &[]).await?;
    let kind = cloud_api::domains::devices::MachineType::Cardio;
    let foreign = scene.gym.machine(api, &scene.gym.other, "bike-01", kind).await?;
    let make = async |place: &str, machine: Value| {
        let new = json!({"branch_id": scene.gym.branch.id, "code": "reader-1", "name": "Reader",
            "place": place, "machine_id": machine});
        let answer = api.post(ALL, Some(&admin), &new).await?;
        let field = answer.json()?["errors"][0]["field"].clone();
        anyhow::Ok((answer.status.as_u16(), field))
    };

    let wrong = (422, json!("machine_id"));
    assert_eq!(make("machine", Value::Null).await?, wrong);
    assert_eq!(make("machine", json!(foreign)).await?, wrong);
    assert_eq!(make("door", json!(scene.machine)).await?, wrong);
    assert_eq!(make("machine", json!(scene.machine)).await?.0, 201);
    Ok(())
}

#[tokio::test]
async fn who_is_put_to_work_at_a_branch_is_known_there_until_they_are_taken_away() -> Result<()> {
    let scene = Scene::open().await?;
    let (api, branch) = (&scene.api, scene.gym.branch.id);
    let admin = scene.gym.token(api, Role::Admin, &[]).await?;
    let ada = scene.gym.token(api, Role::Member, &[]).await?;
    let me = api.get("/api/v1/users/profile", Some(&ada)).await?.json()?;
    let ada_id = me["id"].as_str().context("no id")?.to_owned();
    let start = changes::ask(&scene, 0, 0).await?.to;
    let all = format!("/api/v1/admin/branches/{branch}/staff");
    let one = format!("{all}/{ada_id}");

    let added = api.send(Method::PUT, &one, Some(&admin), &json!({})).await?;
    let told = roster_since(&scene, start).await?;
    let reads_members = api.get("/api/v1/members", Some(&ada)).await?.status;
    let list = api.get(&all, Some(&admin)).await?.json()?;
    let removed = api.delete(&one, Some(&admin)).await?;
    let again = api.delete(&one, Some(&admin)).await?;
    let reads_no_more = api.get("/api/v1/members", Some(&ada)).await?.status;

    assert_eq!(added.json()?["role"], "staff");
    assert!(
        told.iter().any(|item| matches!(item, RosterItem::Staff(staff) if staff.role == "staff"))
    );
    assert_eq!(reads_members, 200);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2));
    assert_eq!((removed.status.as_u16(), again.status.as_u16()), (204, 404));
    assert_eq!(reads_no_more, 403);
    Ok(())
}

#[tokio::test]
async fn nobody_of_another_organization_is_put_to_work_and_no_admin_becomes_staff() -> Result<()> {
    let scene = Scene::open().await?;
    let api = &scene.api;
    let stranger = crate::gym::Gym::open(api, "Stranger").await?;
    let admin = scene.gym.token(api, Role::Admin, &[]).await?;
    let foreign = stranger.token(api, Role::Member, &[]).await?;
    let id = async |token: &str| {
        let me = api.get("/api/v1/users/profile", Some(token)).await?.json()?;
        anyhow::Ok(me["id"].as_str().context("no id")?.to_owned())
    };
    let put = async |user: String| {
        let path = format!("/api/v1/admin/branches/{}/staff/{user}", scene.gym.branch.id);
        let answer = api.send(Method::PUT, &path, Some(&admin), &json!({})).await?;
        anyhow::Ok((answer.status.as_u16(), answer.json()?["code"].clone()))
    };

    assert_eq!(put(id(&foreign).await?).await?, (404, json!("not_found")));
    assert_eq!(put(id(&admin).await?).await?, (409, json!("other_role")));
    Ok(())
}

#[tokio::test]
async fn the_operator_sees_and_renames_their_own_organization_only() -> Result<()> {
    let scene = Scene::open().await?;
    let api = &scene.api;
    let stranger = crate::gym::Gym::open(api, "Stranger").await?;
    let admin = scene.gym.token(api, Role::Admin, &[]).await?;
    let path = |id| format!("/api/v1/admin/organizations/{id}");
    let rename = async |id, name: &str| {
        api.send(Method::PATCH, &path(id), Some(&admin), &json!({ "name": name })).await
    };

    let list = api.get("/api/v1/admin/organizations", Some(&admin)).await?.json()?;
    let foreign = rename(stranger.organization, "Mine").await?;
    let taken = rename(scene.gym.organization, "Stranger").await?;
    let renamed = rename(scene.gym.organization, "Iron & Co").await?.json()?;

    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(list["items"][0]["name"], "Scene");
    assert_eq!(foreign.status, 404);
    assert_eq!((taken.status.as_u16(), taken.json()?["code"].clone()), (409, json!("name_taken")));
    assert_eq!(renamed["name"], "Iron & Co");
    Ok(())
}
