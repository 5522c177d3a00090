//! Which edge calls: its access token, and whether its start of the agent holds the edge's key.

use super::access_token::{self, Claims};
use super::holder::{Ask, Holder, Patience, Verdict, judge};
use super::store;
use crate::app::App;
use crate::domains::activity;
use crate::http::{Error, Refusal, Result, auth};
use crate::ids::{BranchId, EdgeId};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};

/// The edge behind a request. Its branch comes from the database, never from the request.
#[derive(Debug, Clone)]
pub struct EdgeCaller {
    pub edge: EdgeId,
    pub branch: BranchId,
    /// Start of the agent.
    pub boot: String,
}

/// Makes an access token.
pub fn issue(app: &App, edge: EdgeId, boot: String) -> anyhow::Result<String> {
    let now_s = u32::try_from(app.clock.now().unix_timestamp())?;
    let expires_s = now_s.saturating_add(app.config.edges.access_token_s);
    access_token::issue(&app.keys.edge_token, &Claims { edge, boot, expires_s })
}

impl FromRequestParts<App> for EdgeCaller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let token = auth::bearer(&parts.headers)?;
        let claims = access_token::verify(&app.keys.edge_token, token);
        let claims = claims.ok_or(Error::Unauthorized("invalid_token"))?;
        if i64::from(claims.expires_s) <= app.clock.now().unix_timestamp() {
            return Err(Error::Unauthorized("token_expired"));
        }
        admit(app, claims.edge, claims.boot).await
    }
}

/// Lets the holder of an edge's key in, and notes that it was heard.
async fn admit(app: &App, edge: EdgeId, boot: String) -> Result<EdgeCaller> {
    let now = app.clock.now();
    let mut db = app.db.acquire().await?;
    let standing = store::standing(&mut db, edge).await?.filter(|found| found.revoked_at.is_none());
    let standing = standing.ok_or(INVALID_CLIENT)?;
    if standing.boot.as_ref() == Some(&boot) {
        if standing.last_contact_at.is_none_or(|at| now - at >= HEARD_EVERY) {
            store::heard(&mut db, edge, now).await?;
        }
    } else {
        drop(db);
        claim(app, edge, &boot, Ask::Call).await?;
    }
    let branch = standing.branch_id;
    #[expect(clippy::cast_precision_loss, reason = "gauges are floats")]
    metrics::gauge!("edge_last_contact_timestamp_seconds", "branch" => branch.to_string())
        .set(now.unix_timestamp() as f64);
    Ok(EdgeCaller { edge, branch, boot })
}

/// The resolution of `last_contact_at`: an edge calls up to ten times a second.
const HEARD_EVERY: Duration = Duration::SECOND;

/// Unknown or revoked: nothing but a new enrolment helps.
pub const INVALID_CLIENT: Error = Error::Unauthorized("invalid_client");

/// Settles whether a start of the agent may go on, and makes it the holder if so. Waits for a batch of the
/// present holder that is being applied.
pub async fn claim(app: &App, edge: EdgeId, boot: &str, ask: Ask) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let standing = store::lock(&mut tx, edge).await?.filter(|found| found.revoked_at.is_none());
    let standing = standing.ok_or(INVALID_CLIENT)?;
    match &standing.boot {
        Some(holder) if holder == boot => {}
        None if ask == Ask::Token => store::hold(&mut tx, edge, boot, now).await?,
        None => return Err(Error::Unauthorized("invalid_token")),
        Some(present) => {
            let run = store::run(&mut tx, edge, boot).await?;
            let holder =
                Holder { since: standing.held_since, last_contact_at: standing.last_contact_at };
            match judge(run, ask, holder, patience(app), now) {
                Verdict::TakesOver => replace(&mut tx, edge, present, boot, false, now).await?,
                Verdict::Reinstated => {
                    replace(&mut tx, edge, present, boot, true, now).await?;
                    tell_staff(&mut tx, edge, standing.branch_id, now).await?;
                }
                Verdict::Later => return Err(later()),
                Verdict::Conflict => return Err(Error::Conflict("edge_conflict")),
                Verdict::TokenVoid => return Err(Error::Unauthorized("invalid_token")),
            }
        }
    }
    store::heard(&mut tx, edge, now).await?;
    tx.commit().await?;
    Ok(())
}

async fn replace(
    db: &mut PgConnection,
    edge: EdgeId,
    present: &str,
    next: &str,
    is_rival: bool,
    now: OffsetDateTime,
) -> Result<()> {
    store::note_run(db, edge, present, is_rival, now).await?;
    store::forget_run(db, edge, next).await?;
    Ok(store::hold(db, edge, next, now).await?)
}

async fn tell_staff(
    db: &mut PgConnection,
    edge: EdgeId,
    branch: BranchId,
    now: OffsetDateTime,
) -> Result<()> {
    tracing::warn!(edge_id = %edge, branch_id = %branch, "two edges with one key");
    let detail = "Two edge agents use the same key, as after a copy of a state folder or a card. The \
                  second is refused while the first is heard. Switch one of them off, or enrol it anew.";
    Ok(activity::notice(db, branch, Some(edge), "edge_conflict", detail, now).await?)
}

fn patience(app: &App) -> Patience {
    let edges = &app.config.edges;
    Patience {
        silence: Duration::seconds(edges.conflict_silence_s.into()),
        handover: Duration::seconds(edges.handover_s.into()),
    }
}

fn later() -> Error {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "edge_handover")
        .detail("another start of this agent has just taken over")
        .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
        .into()
}
