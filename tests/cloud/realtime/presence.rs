//! Who is online, over two instances.

use super::{Person, Scene, user};
use anyhow::Result;
use cloud_api::domains::accounts::Role;
use serde_json::json;
use tests::live::Socket;

#[tokio::test]
async fn staff_hear_which_of_their_members_are_online_on_any_instance() -> Result<()> {
    let scene = Scene::open().await?;
    let (_, there) = scene.beside().await?;
    let branch = scene.gym.branch.id;
    let elsewhere = scene.gym.member(&scene.api, "Eve", Some(scene.gym.other.id)).await?.id;
    let eve = Person { member: elsewhere, ..Person::enter(&scene.api, &scene.gym, "E").await? };
    sqlx::query("UPDATE members SET user_id = NULL WHERE user_id = $1")
        .bind(eve.id.0)
        .execute(&scene.api.app.db)
        .await?;
    let mut db = scene.api.app.db.acquire().await?;
    cloud_api::domains::members::set_user(&mut db, elsewhere, eve.id).await?;
    drop(db);
    let token = scene.gym.token(&scene.api, Role::Staff, &[branch]).await?;
    let channels = [format!("staff:{branch}")];
    let (mut desk, snapshots) = Socket::hear(scene.here.address, &token, &channels).await?;
    let (foreign, _) = Socket::hear(there.address, &eve.token, &user()).await?;

    let (phone, _) = Socket::hear(there.address, &scene.ada.token, &user()).await?;
    let come = desk.until("presence:changed").await?;
    drop((phone, foreign));
    let gone = desk.until("presence:changed").await?;

    assert_eq!(snapshots[0]["data"]["presence"]["online"], 0);
    let online = json!({"branch_id": branch, "online": 1, "members": [scene.ada.member]});
    assert_eq!(come["data"], online);
    assert_eq!(gone["data"]["online"], 0);
    Ok(())
}
