//! Access tokens of an external issuer: its users are users here, and each login there is one here, which can be ended
//! here like any other.

use super::federated::{self, Arrival};
use super::token::Verified;
use super::{identity_store, login_store};
use crate::app::App;
use crate::http::{ClientAddress, Error, Origin, Result};
use crate::ids::LoginId;
use crate::outside::identity::{ExternalIdentity, ExternalIssuer, Identity};
use time::OffsetDateTime;

/// How accounts of the issuer are called in the table of identities.
const PROVIDER: &str = "external";

/// Who shows a token, if it is of the issuer. The first time makes or links an account.
pub async fn verify(
    app: &App,
    token: &str,
    from: Option<ClientAddress>,
) -> Result<Option<Verified>> {
    let Some(issuer) = app.external.as_deref().filter(|issuer| issuer.is_named_by(token)) else {
        return Ok(None);
    };
    let now = app.clock.now();
    let identity = issuer.verify(token, now).await.map_err(|error| federated::explain(&error))?;
    let verified = take_in(app, issuer, identity, from).await?;
    app.tokens.learn(token, verified, now);
    Ok(Some(verified))
}

async fn take_in(
    app: &App,
    issuer: &ExternalIssuer,
    told: ExternalIdentity,
    from: Option<ClientAddress>,
) -> Result<Verified> {
    let (now, login, exp) = (app.clock.now(), LoginId(told.session_id), told.exp);
    let origin = Origin::of(from);
    let identity =
        Identity::told(told.subject.to_string(), told.email, issuer.confirms_email(), exp);
    let mut tx = app.db.begin().await?;
    identity_store::lock(&mut tx, PROVIDER, &identity.subject).await?;
    let arrival = Arrival { provider: PROVIDER, identity, name: None, organization: None };
    let who = federated::entrant(app, &mut tx, &arrival, &origin).await?;
    let until = OffsetDateTime::from_unix_timestamp(exp).map_err(|_| INVALID)?;
    login_store::renew_external(&mut tx, login, who.user.id, &origin, now, until).await?;
    tx.commit().await?;
    app.forget(who.user.id);
    Ok(Verified { user: who.user.id, login, exp })
}

const INVALID: Error = Error::Unauthorized("invalid_token");
