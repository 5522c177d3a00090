//! `/edge/v1/key`: an edge replaces its key, and at no moment is there none that counts.

use crate::edge::{Scene, ask, key, sign};
use anyhow::Result;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use ed25519_dalek::SigningKey;
use protocol::sync::enroll::KeyAnnouncement;
use tests::api::Answer;

async fn announce(scene: &Scene, present: &SigningKey, next: &SigningKey) -> Result<Answer> {
    let announced = KeyAnnouncement::make(scene.edge.enrolment.edge_id, present, next);
    let request = Request::put("/edge/v1/key")
        .header("authorization", format!("Bearer {}", scene.edge.token))
        .header("content-type", "application/json")
        .body(Body::from(serde_json::to_vec(&announced)?))?;
    scene.api.call(request).await
}

async fn prove(scene: &Scene, key: &SigningKey) -> Result<StatusCode> {
    let assertion = sign(&scene.edge.claims(&scene.api, "first"), key);
    Ok(ask(&scene.api, &assertion).await?.status)
}

async fn audited(scene: &Scene) -> Result<Vec<String>> {
    let actions =
        sqlx::query_scalar("SELECT action FROM audit_log WHERE target_id = $1 ORDER BY id")
            .bind(scene.edge.enrolment.edge_id.0)
            .fetch_all(&scene.api.app.db)
            .await?;
    Ok(actions)
}

#[tokio::test]
async fn both_keys_count_until_the_announced_one_is_used_and_then_only_that() -> Result<()> {
    let scene = Scene::open().await?;
    let announced = announce(&scene, &scene.edge.key, &key(2)).await?;

    let meanwhile = prove(&scene, &scene.edge.key).await?;
    let first_use = prove(&scene, &key(2)).await?;
    let former = prove(&scene, &scene.edge.key).await?;
    let later = prove(&scene, &key(2)).await?;

    assert_eq!(announced.status, 204);
    assert_eq!(
        [meanwhile, first_use, former, later].map(|status| status.as_u16()),
        [200, 200, 401, 200]
    );
    let call = scene.api.get("/edge/v1/commands", Some(&scene.edge.token)).await?;
    assert_eq!(call.status, 200, "a token outlives the key it was asked for with");
    assert_eq!(audited(&scene).await?, ["edge.key_announced", "edge.key_replaced"]);
    Ok(())
}

#[tokio::test]
async fn an_announcement_that_comes_again_changes_nothing_and_another_one_replaces_it() -> Result<()>
{
    let scene = Scene::open().await?;
    announce(&scene, &scene.edge.key, &key(2)).await?;

    let again = announce(&scene, &scene.edge.key, &key(2)).await?;
    let other = announce(&scene, &scene.edge.key, &key(3)).await?;

    assert_eq!((again.status, other.status), (StatusCode::NO_CONTENT, StatusCode::NO_CONTENT));
    assert_eq!(prove(&scene, &key(2)).await?, 401);
    assert_eq!(prove(&scene, &key(3)).await?, 200);
    assert_eq!(
        audited(&scene).await?,
        ["edge.key_announced", "edge.key_announced", "edge.key_replaced"]
    );
    Ok(())
}

#[tokio::test]
async fn a_stolen_token_alone_announces_no_key() -> Result<()> {
    let scene = Scene::open().await?;

    let refused = announce(&scene, &key(3), &key(2)).await?;

    assert_eq!(
        (refused.status, refused.json()?["code"].as_str()),
        (StatusCode::CONFLICT, Some("key_unproven"))
    );
    assert_eq!(prove(&scene, &key(2)).await?, 401);
    assert!(audited(&scene).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn an_announcement_is_void_once_it_was_followed() -> Result<()> {
    let scene = Scene::open().await?;
    announce(&scene, &scene.edge.key, &key(2)).await?;
    prove(&scene, &key(2)).await?;

    let replayed = announce(&scene, &scene.edge.key, &key(3)).await?;

    assert_eq!(replayed.status, 409);
    assert_eq!(prove(&scene, &key(2)).await?, 200);
    Ok(())
}
