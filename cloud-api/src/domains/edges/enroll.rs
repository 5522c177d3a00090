//! `/enroll`: a one-time code makes an agent the edge of a branch.

use super::code::EnrollCode;
use super::store;
use crate::app::App;
use crate::domains::sessions;
use crate::http::{ClientAddress, Error, Json, Problem, Refusal, Result};
use crate::ids::{BranchId, EdgeId};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use ed25519_dalek::VerifyingKey;
use protocol::sync::enroll::{EnrollAnswer, EnrollKey, EnrollRequest, is_proven};
use sqlx::PgConnection;
use std::time::Duration;

/// Become the edge of a branch.
///
/// The former edge of the branch is replaced and its key revoked. The same agent may repeat a request whose
/// answer was lost.
#[utoipa::path(post, path = "/enroll", tag = "edges", security(()),
    request_body = super::schema::EnrollRequest, responses(
    (status = 200, body = super::schema::EnrollAnswer),
    (status = 401, body = Problem, content_type = "application/problem+json",
     description = "`invalid_code`, `code_expired`, `code_used`, `invalid_proof`"),
    (status = 429, body = Problem, content_type = "application/problem+json",
     description = "`too_many_attempts`; `Retry-After` says when to try again")))]
pub async fn enroll_edge(
    State(app): State<App>,
    from: ClientAddress,
    Json(request): Json<EnrollRequest>,
) -> Result<Json<EnrollAnswer>> {
    let from = from.network();
    app.enroll_attempts.attempt(from).map_err(too_many)?;
    check_lengths(&request)?;
    let public = public_key(&request.public_key)?;
    if !is_proven(&request.code, &request.proof, &public) {
        return Err(Error::Unauthorized("invalid_proof"));
    }
    let code: EnrollCode = request.code.parse().map_err(|_| Error::Unauthorized("invalid_code"))?;
    let mut tx = app.db.begin().await?;
    let (branch, edge) = redeem(&app, &mut tx, &code, &request, &public).await?;
    let answer = answer(&app, &mut tx, branch, edge).await?;
    tx.commit().await?;
    app.enroll_attempts.succeeded(from);
    tracing::info!(edge_id = %edge, branch_id = %branch, hostname = request.hostname, "enrolled");
    Ok(Json(answer))
}

async fn redeem(
    app: &App,
    db: &mut PgConnection,
    code: &EnrollCode,
    request: &EnrollRequest,
    public: &VerifyingKey,
) -> Result<(BranchId, EdgeId)> {
    let now = app.clock.now();
    let found = store::lock_code(db, &code.sha256()).await?;
    let found = found.ok_or(Error::Unauthorized("invalid_code"))?;
    if found.expires_at <= now {
        return Err(Error::Unauthorized("code_expired"));
    }
    if let Some(edge) = found.edge_id.filter(|_| found.used_at.is_some()) {
        let standing = store::standing(db, edge).await?;
        let is_repeat = standing
            .is_some_and(|edge| edge.revoked_at.is_none() && edge.public_key == public.as_bytes());
        return if is_repeat {
            Ok((found.branch_id, edge))
        } else {
            Err(Error::Unauthorized("code_used"))
        };
    }
    let new = store::NewEdge {
        branch: found.branch_id,
        public_key: public.as_bytes(),
        hostname: &request.hostname,
        agent_version: &request.agent_version,
    };
    let edge = store::replace(db, &new, now).await?;
    // What its predecessor knew of the floor.
    sessions::tell_new_edge(db, found.branch_id, &app.clock).await?;
    store::use_code(db, &code.sha256(), edge, now).await?;
    Ok((found.branch_id, edge))
}

async fn answer(
    app: &App,
    db: &mut PgConnection,
    branch: BranchId,
    edge: EdgeId,
) -> Result<EnrollAnswer> {
    let place = store::place(db, branch).await?;
    let keys = super::signing::believed(db).await?;
    let cloud_keys = keys.iter().map(|key| EnrollKey {
        key_id: key.key_id,
        public: hex::encode(key.signing.verifying_key().as_bytes()),
    });
    Ok(EnrollAnswer {
        edge_id: edge.into(),
        organization_id: place.organization_id.into(),
        branch_id: branch.into(),
        branch_name: place.name,
        site_no: u16::try_from(place.site_no).map_err(anyhow::Error::from)?,
        cloud_keys: cloud_keys.collect(),
        credential_key: hex::encode(&place.credential_key),
        now_ms: app.clock.now_ms(),
    })
}

fn public_key(text: &str) -> Result<VerifyingKey> {
    let bytes = hex::decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok()).ok_or_else(|| Error::Field {
        field: "public_key",
        code: "invalid",
        message: "is not the hex text of an Ed25519 public key".to_owned(),
    })
}

fn check_lengths(request: &EnrollRequest) -> Result<()> {
    for (field, text) in
        [("hostname", &request.hostname), ("agent_version", &request.agent_version)]
    {
        if text.chars().count() > MAX_TEXT || text.contains('\0') {
            let message = format!("has at most {MAX_TEXT} characters, none of them NUL");
            return Err(Error::Field { field, code: "invalid", message });
        }
    }
    Ok(())
}

const MAX_TEXT: usize = 255;

fn too_many(wait: Duration) -> Error {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts")
        .detail("too many failed enrolments from this address")
        .header(header::RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1))
        .into()
}
