//! `/key`: an edge replaces its key. The present one counts until the announced one is used for the first time, so at
//! no moment is an edge without a key that counts, whatever was lost on the way.

use super::caller::{EdgeCaller, INVALID_CLIENT};
use super::{schema, store};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::http::{Error, Json, Problem, Result};
use crate::ids::EdgeId;
use axum::extract::State;
use axum::http::StatusCode;
use ed25519_dalek::VerifyingKey;
use protocol::sync::enroll::KeyAnnouncement;
use serde_json::json;

/// Announce the edge's next key.
///
/// It takes the place of the present one when the first assertion signed by it comes (`POST /edge/v1/token`). Until then
/// both are believed, and another announcement replaces this one. A repeat changes nothing.
#[utoipa::path(put, path = "/key", tag = "edges", security(("edge" = [])),
    request_body = schema::KeyAnnouncement, responses(
    (status = 204, description = "believed from now on"),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`key_unproven`: not signed by the edge's present key and by the next one; `edge_conflict`")))]
pub async fn announce_edge_key(
    State(app): State<App>,
    caller: EdgeCaller,
    Json(announced): Json<KeyAnnouncement>,
) -> Result<StatusCode> {
    let mut tx = app.db.begin().await?;
    let standing = store::lock(&mut tx, caller.edge).await?;
    let standing = standing.filter(|found| found.revoked_at.is_none()).ok_or(INVALID_CLIENT)?;
    let next = present(&standing)
        .and_then(|present| announced.verify(caller.edge.into(), &present))
        .ok_or(Error::Conflict("key_unproven"))?;
    if standing.next_public_key.as_deref() == Some(next.as_bytes()) {
        return Ok(StatusCode::NO_CONTENT);
    }
    store::announce_key(&mut tx, caller.edge, next.as_bytes()).await?;
    let place = store::place(&mut tx, standing.branch_id).await?;
    let entry = Entry::new("edge.key_announced")
        .on(caller.edge)
        .of(place.organization_id)
        .changed(&standing.public_key, &next.as_bytes())
        .detail(json!({ "branch_id": standing.branch_id }));
    audit::record(&mut tx, &entry, app.clock.now()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn present(standing: &store::Standing) -> Option<VerifyingKey> {
    VerifyingKey::from_bytes(standing.public_key.as_slice().try_into().ok()?).ok()
}

/// The announced key was used: the former one counts no more.
pub async fn replace(app: &App, edge: EdgeId, standing: &store::Standing) -> Result<()> {
    let Some(next) = &standing.next_public_key else { return Ok(()) };
    let mut tx = app.db.begin().await?;
    if let Some(organization) = store::replace_key(&mut tx, edge, next).await? {
        let entry = Entry::new("edge.key_replaced")
            .on(edge)
            .of(organization)
            .changed(&standing.public_key, next)
            .detail(json!({ "branch_id": standing.branch_id }));
        audit::record(&mut tx, &entry, app.clock.now()).await?;
        tracing::info!(edge_id = %edge, branch_id = %standing.branch_id, "key replaced");
    }
    tx.commit().await?;
    Ok(())
}
