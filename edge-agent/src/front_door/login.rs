//! Who a CONNECT is from: the device's code with its secret, or a client certificate with the code as its name.
//! The client id proves nothing and is ignored.

use super::codec::{Connect, Reason, Text, Version};
use crate::registry::{Device, Registry};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use subtle::ConstantTimeEq as _;

/// Finds the device behind a CONNECT, or the reason to refuse it.
pub fn log_in(
    registry: &Registry,
    connect: &Connect,
    certified: Option<&str>,
) -> Result<Arc<Device>, Reason> {
    if connect.has_auth_method {
        return Err(Reason::BAD_AUTH_METHOD);
    }
    let is_nameless = connect.client_id.as_str().is_empty();
    if connect.version == Version::V311 && is_nameless && !connect.clean {
        return Err(Reason::BAD_CLIENT_ID);
    }
    let user = connect.user.as_ref().map(Text::as_str).filter(|user| !user.is_empty());
    let device = match (certified, user) {
        (Some(code), None) => by_certificate(registry, code),
        (Some(code), Some(user)) if code == user => by_certificate(registry, code),
        (Some(_), Some(_)) | (None, None) => Err(Reason::NOT_AUTHORIZED),
        (None, Some(user)) => by_secret(registry, user, connect.password.as_deref()),
    }?;
    if device.enabled { Ok(device) } else { Err(Reason::NOT_AUTHORIZED) }
}

fn by_certificate(registry: &Registry, code: &str) -> Result<Arc<Device>, Reason> {
    registry.by_code(code).ok_or(Reason::NOT_AUTHORIZED)
}

/// Takes the same time whether the code is unknown, has no secret, or the secret is wrong.
fn by_secret(
    registry: &Registry,
    code: &str,
    secret: Option<&[u8]>,
) -> Result<Arc<Device>, Reason> {
    let given: [u8; 32] = Sha256::digest(secret.unwrap_or_default()).into();
    let device = registry.by_code(code);
    let known = device.as_ref().and_then(|device| device.secret_sha256);
    let is_equal = bool::from(known.unwrap_or_default().ct_eq(&given));
    device.filter(|_| is_equal && known.is_some() && secret.is_some()).ok_or(Reason::BAD_LOGIN)
}
