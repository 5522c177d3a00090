//! How a device proves itself over HTTPS: Basic, with its id as user name and its secret as password. The gate looks at
//! it before the route does, so that wrong ones are counted for their address.

use super::DeviceKind;
use crate::app::App;
use crate::http::{Error, Result};
use crate::ids::{BranchId, DeviceId, OrganizationId};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use sqlx::query;
use zeroize::Zeroizing;

/// The device behind a request. Its branch comes from the registry, never from the request.
#[derive(Debug, Clone)]
pub struct DeviceCaller {
    pub device: DeviceId,
    pub kind: DeviceKind,
    pub branch: BranchId,
    pub organization: OrganizationId,
}

impl DeviceCaller {
    /// For routes that machines use and no other devices.
    pub fn machine(&self) -> Result<DeviceId> {
        if self.kind == DeviceKind::Machine { Ok(self.device) } else { Err(Error::Forbidden) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for DeviceCaller {
    type Rejection = Error;

    /// The gate has put it there, if the route's declaration asks for a device.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        parts.extensions.get::<Self>().cloned().ok_or(Error::Unauthorized("unauthorized"))
    }
}

/// What a request claims: a device, and the hash of its secret.
pub struct Claim {
    device: DeviceId,
    secret_sha256: [u8; 32],
}

/// What the `Authorization` header claims.
pub fn claimed(headers: &HeaderMap) -> Result<Claim> {
    let header = headers.get(header::AUTHORIZATION).ok_or(Error::Unauthorized("unauthorized"))?;
    read(header.as_bytes()).ok_or(INVALID)
}

const INVALID: Error = Error::Unauthorized("invalid_credential");

fn read(header: &[u8]) -> Option<Claim> {
    let (scheme, encoded) = str::from_utf8(header).ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let plain = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let (id, secret) = str::from_utf8(&plain).ok()?.split_once(':')?;
    Some(Claim { device: id.parse().ok()?, secret_sha256: Sha256::digest(secret).into() })
}

/// The device that a claim is true of. Removed devices and those that are switched off are nobody.
pub async fn identify(app: &App, claim: &Claim) -> Result<DeviceCaller> {
    // By the hash of a random secret: how long the comparison takes tells nothing that helps.
    let found = query!(
        r#"SELECT devices.kind AS "kind: DeviceKind", branch_id AS "branch_id: BranchId",
                  organization_id AS "organization_id: OrganizationId"
           FROM devices JOIN branches ON branches.id = branch_id
           WHERE devices.id = $1 AND secret_sha256 = $2 AND enabled AND removed_at IS NULL"#,
        claim.device.0,
        claim.secret_sha256.as_slice(),
    );
    let found = found.fetch_optional(&app.db).await?.ok_or(INVALID)?;
    Ok(DeviceCaller {
        device: claim.device,
        kind: found.kind,
        branch: found.branch_id,
        organization: found.organization_id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_basic_with_an_id_and_a_secret_is_read() {
        let id = uuid::Uuid::nil();
        let header = |plain: String| format!("Basic {}", STANDARD.encode(plain));

        assert!(read(header(format!("{id}:secret")).as_bytes()).is_some());
        for wrong in [
            header(format!("{id}")),
            header("bike-01:secret".to_owned()),
            format!("Bearer {}", STANDARD.encode(format!("{id}:secret"))),
            "Basic ???".to_owned(),
            "Basic".to_owned(),
        ] {
            assert!(read(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
