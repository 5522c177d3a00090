//! What an edge shows with every call: short, since it goes along with each state of the floor.
//!
//! base64url of `key id u16 | edge id 16 bytes | end u32 s | start of the agent, text | HMAC-SHA256` (big-endian).

use crate::ids::EdgeId;
use crate::keys::Ring;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::hmac;
use uuid::Uuid;

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    pub edge: EdgeId,
    /// Start of the agent.
    pub boot: String,
    /// Unix seconds.
    pub expires_s: u32,
}

const MAC: usize = 32;
const HEAD: usize = 2 + 16 + 4;
/// Longer ones are not ours, and not worth decoding.
const MAX_TOKEN: usize = 512;

/// A token.
pub fn issue(keys: &Ring, claims: &Claims) -> anyhow::Result<String> {
    let mac = keys.mac(keys.key_id()).ok_or_else(|| anyhow::anyhow!("there is no key"))?;
    let mut token = keys.key_id().to_be_bytes().to_vec();
    token.extend_from_slice(claims.edge.0.as_bytes());
    token.extend_from_slice(&claims.expires_s.to_be_bytes());
    token.extend_from_slice(claims.boot.as_bytes());
    let tag = hmac::sign(mac, &token);
    token.extend_from_slice(tag.as_ref());
    Ok(BASE64.encode(token))
}

/// The claims of a token that is ours, whether its time is over or not.
pub fn verify(keys: &Ring, token: &str) -> Option<Claims> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let token = BASE64.decode(token).ok()?;
    let (said, tag) = token.split_at_checked(token.len().checked_sub(MAC)?)?;
    let (head, boot) = said.split_first_chunk::<HEAD>()?;
    let key_id = u16::from_be_bytes([head[0], head[1]]);
    hmac::verify(keys.mac(key_id)?, said, tag).ok()?;
    let edge = Uuid::from_slice(&head[2..18]).ok()?;
    let expires_s = u32::from_be_bytes(head[18..].try_into().ok()?);
    Some(Claims { edge: EdgeId(edge), boot: String::from_utf8(boot.to_vec()).ok()?, expires_s })
}
