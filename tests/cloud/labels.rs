//! Labels of a whole branch: made where there are none, and printed as sheets.

use crate::edge::Scene;
use anyhow::Result;
use cloud_api::domains::accounts::Role;
use serde_json::json;

#[tokio::test]
async fn everything_without_a_label_gets_one_and_the_sheet_shows_all() -> Result<()> {
    let scene = Scene::open().await?;
    let (api, branch) = (&scene.api, scene.gym.branch.id);
    let staff = scene.gym.token(api, Role::Staff, &[branch]).await?;
    let kind = cloud_api::domains::devices::MachineType::Cardio;
    let rower = scene.gym.machine(api, &scene.gym.branch, "rower-1", kind).await?;
    let label = json!({"branch_id": branch, "machine_id": rower, "kind": "qr"});
    api.post("/api/v1/admin/tags", Some(&staff), &label).await?;
    let path = format!("/api/v1/admin/branches/{branch}/labels");
    let make = async || api.post(&path, Some(&staff), &json!({})).await?.json();

    let (first, second) = (make().await?, make().await?);
    let sheet = api.get(&format!("{path}.pdf?columns=1&rows=2"), Some(&staff)).await?;

    // The other machine, and the entrance.
    assert_eq!((&first["made"], &second["made"]), (&json!(2), &json!(0)));
    assert_eq!(sheet.headers["content-type"], "application/pdf");
    let text = String::from_utf8_lossy(&sheet.body);
    assert!(text.starts_with("%PDF-"));
    assert!(text.contains("(Centre)") && text.contains("(Entrance)"), "{text}");
    assert!(text.contains("(Machine rower-1)") && text.contains("(rower-1)"), "{text}");
    assert_eq!(text.matches("/MediaBox").count(), 2);
    Ok(())
}

#[tokio::test]
async fn labels_of_other_branches_are_neither_made_nor_printed() -> Result<()> {
    let scene = Scene::open().await?;
    let api = &scene.api;
    let staff = scene.gym.token(api, Role::Staff, &[scene.gym.other.id]).await?;
    let member = scene.gym.token(api, Role::Member, &[]).await?;
    let path = format!("/api/v1/admin/branches/{}/labels", scene.gym.branch.id);

    let made = api.post(&path, Some(&staff), &json!({})).await?;
    let printed = api.get(&format!("{path}.pdf"), Some(&staff)).await?;
    let by_member = api.get(&format!("{path}.pdf"), Some(&member)).await?;

    assert_eq!((made.status.as_u16(), printed.status.as_u16()), (404, 404));
    assert_eq!(by_member.status, 403);
    Ok(())
}
