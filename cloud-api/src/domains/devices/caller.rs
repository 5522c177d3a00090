//! Which device calls over HTTPS: `Authorization: Basic` with its id and its secret.

use super::store;
use crate::app::App;
use crate::http::rate::too_many;
use crate::http::{ClientAddress, Error, Result};
use crate::ids::{BranchId, DeviceId};
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::time::Duration;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The machine behind a request. It speaks for itself only.
#[derive(Debug, Clone)]
pub struct DeviceCaller {
    pub machine: DeviceId,
    pub branch: BranchId,
}

/// Failures per address within the window. A gym's machines share one, and some may have an old secret.
const MAX_FAILURES: u32 = 300;
const FAILURE_WINDOW: Duration = Duration::from_mins(15);
/// Calls per machine within the window; it has no reason to call more often than every few seconds.
const MAX_CALLS: u32 = 30;
const CALL_WINDOW: Duration = Duration::from_mins(1);

impl FromRequestParts<App> for DeviceCaller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let address = ClientAddress::from_request_parts(parts, app).await;
        let from = address.map_or_else(|_| "nowhere".to_owned(), |it| it.network().0.to_string());
        let (key, now_ms) = (format!("device-failures:{from}"), app.clock.now_ms());
        let count = app.counters.hit(&key, FAILURE_WINDOW, now_ms).await;
        if count.hits > MAX_FAILURES {
            let wait_s = count.left(now_ms).as_secs() + 1;
            return Err(too_many("too_many_failures", "too many wrong secrets", wait_s));
        }
        let caller = identify(app, &parts.headers).await.inspect_err(|_| {
            metrics::counter!("device_login_failures_total").increment(1);
        })?;
        app.counters.give_back(&key).await;
        let calls = format!("device:{}", caller.machine);
        let count = app.counters.hit(&calls, CALL_WINDOW, now_ms).await;
        if count.hits > MAX_CALLS {
            let wait_s = count.left(now_ms).as_secs() + 1;
            return Err(too_many("rate_limited", "too many requests", wait_s));
        }
        Ok(caller)
    }
}

async fn identify(app: &App, headers: &HeaderMap) -> Result<DeviceCaller> {
    let (machine, secret) = credentials(headers)?;
    let found = store::login(&mut *app.db.acquire().await?, machine).await?;
    let (branch, known) = found.ok_or(INVALID)?;
    let given: [u8; 32] = Sha256::digest(secret.as_bytes()).into();
    if bool::from(given.ct_eq(&known)) {
        Ok(DeviceCaller { machine, branch })
    } else {
        Err(INVALID)
    }
}

/// Unknown, switched off, retired, or with another secret: one answer for all.
const INVALID: Error = Error::Unauthorized("invalid_device");

fn credentials(headers: &HeaderMap) -> Result<(DeviceId, Zeroizing<String>)> {
    let header = headers.get(AUTHORIZATION).ok_or(Error::Unauthorized("unauthorized"))?;
    let text = header.to_str().map_err(|_| INVALID)?;
    let (scheme, encoded) = text.split_once(' ').ok_or(INVALID)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(INVALID);
    }
    let decoded = Zeroizing::new(STANDARD.decode(encoded.trim()).map_err(|_| INVALID)?);
    let text = std::str::from_utf8(&decoded).map_err(|_| INVALID)?;
    let (id, secret) = text.split_once(':').ok_or(INVALID)?;
    Ok((id.parse().map_err(|_| INVALID)?, Zeroizing::new(secret.to_owned())))
}
