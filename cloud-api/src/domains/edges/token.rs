//! `/token`: an assertion signed by the edge's key for a short-lived access token (RFC 7523).

use super::assertion::{Assertion, TOLERANCE_S};
use super::caller::{INVALID_CLIENT, claim, issue};
use super::holder::Ask;
use super::key;
use super::store::{self, Standing};
use crate::app::App;
use crate::http::{Error, Json, Problem, Refusal, Result};
use crate::ids::EdgeId;
use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::http::StatusCode;
use protocol::sync::enroll::{ASSERTION_TYPE, AssertionClaims, ClockSkew, TokenAnswer};
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

/// What an edge asks for a token with.
#[derive(Deserialize, ToSchema)]
pub struct TokenRequest {
    /// `client_credentials`
    grant_type: String,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`
    client_assertion_type: String,
    /// A JWT (`EdDSA`) with `iss` and `sub` = id of the edge, `aud` = `gymwire-edge`, `iat`, `exp` at most 5
    /// minutes later, `jti` used once, and `boot`, a random number of this start of the agent.
    #[schema(max_length = 4096)]
    client_assertion: String,
}

/// Get an access token.
#[utoipa::path(post, path = "/token", tag = "edges", security(()),
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, body = super::schema::TokenAnswer),
    (status = 401, body = Problem, content_type = "application/problem+json",
     description = "`invalid_client`: unknown, revoked, or not signed by a key of the edge; `assertion_used`; \
                    `clock_skew`: `iat` or `exp` is more than 60 s off, `now_ms` says what time it is"),
    (status = 409, body = Problem, content_type = "application/problem+json",
     description = "`edge_conflict`: another agent with the same key is at work")))]
pub async fn issue_edge_token(
    State(app): State<App>,
    form: Result<Form<TokenRequest>, FormRejection>,
) -> Result<Json<TokenAnswer>> {
    let Form(request) = form.map_err(|rejection| invalid_request(rejection.body_text()))?;
    check_types(&request)?;
    let assertion = Assertion::read(&request.client_assertion).ok_or(INVALID_CLIENT)?;
    let edge = EdgeId::from(assertion.claims.sub);
    let now = app.clock.now();
    let mut db = app.db.acquire().await?;
    let standing = store::standing(&mut db, edge).await?.filter(|found| found.revoked_at.is_none());
    let standing = standing.ok_or(INVALID_CLIENT)?;
    let (claims, is_next) = verified(&assertion, &standing).ok_or(INVALID_CLIENT)?;
    check_time(&app, &claims, now)?;
    let expires_at = OffsetDateTime::from_unix_timestamp(claims.exp).map_err(|_| INVALID_CLIENT)?;
    if !store::use_assertion(&mut db, edge, &claims.jti, expires_at).await? {
        return Err(Error::Unauthorized("assertion_used"));
    }
    drop(db);
    claim(&app, edge, &claims.boot, Ask::Token).await?;
    if is_next {
        key::replace(&app, edge, &standing).await?;
    }
    Ok(Json(TokenAnswer {
        access_token: issue(&app, edge, claims.boot)?,
        token_type: "Bearer".to_owned(),
        expires_in: app.config.edges.access_token_s,
        now_ms: app.clock.now_ms(),
    }))
}

/// The claims, and whether the announced key signed them.
fn verified(assertion: &Assertion<'_>, standing: &Standing) -> Option<(AssertionClaims, bool)> {
    let by_present = assertion.verify(&standing.public_key).map(|claims| (claims, false));
    by_present.or_else(|| {
        let next = standing.next_public_key.as_deref()?;
        Some((assertion.verify(next)?, true))
    })
}

fn check_types(request: &TokenRequest) -> Result<()> {
    if request.grant_type != "client_credentials" {
        return Err(invalid_request("grant_type must be client_credentials"));
    }
    if request.client_assertion_type != ASSERTION_TYPE {
        return Err(invalid_request(format!("client_assertion_type must be {ASSERTION_TYPE}")));
    }
    Ok(())
}

/// The edge signs with our time once it was told, so it comes up with any clock.
fn check_time(app: &App, claims: &AssertionClaims, now: OffsetDateTime) -> Result<()> {
    let now_s = now.unix_timestamp();
    if claims.iat > now_s.saturating_add(TOLERANCE_S)
        || claims.iat < now_s.saturating_sub(TOLERANCE_S)
        || claims.exp < now_s.saturating_sub(TOLERANCE_S)
    {
        let ClockSkew { now_ms } = ClockSkew { now_ms: app.clock.now_ms() };
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "clock_skew")
            .detail("the assertion's times are more than 60 s off")
            .with("now_ms", now_ms)
            .into());
    }
    Ok(())
}

fn invalid_request(detail: impl Into<String>) -> Error {
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_request").detail(detail).into()
}
