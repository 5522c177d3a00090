//! Links to contents, signed by a key of tokens, good for a few minutes.

use super::model::File;
use crate::app::App;
use crate::http::{Error, Result};
use crate::ids::FileId;
use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use time::Duration;

/// Where the content of a file is, for as long as the link is good.
pub fn signed_link(app: &App, file: FileId, variant: &str) -> anyhow::Result<String> {
    let until_s = (app.clock.now() + LIFETIME).unix_timestamp();
    let keys = app.keys.user_token();
    let key = keys.mac(keys.key_id()).context("there is no key")?;
    let tag = hmac::sign(key, &said(file, variant, until_s));
    let (signature, key_id) = (URL_SAFE_NO_PAD.encode(tag), keys.key_id());
    Ok(format!(
        "/api/v1/files/{file}/content?variant={variant}&until={until_s}&key={key_id}&signature={signature}"
    ))
}

const LIFETIME: Duration = Duration::minutes(5);

/// Refuses a link that is over or not ours.
pub fn check(
    app: &App,
    file: &File,
    variant: &str,
    until_s: i64,
    key_id: u16,
    signature: &str,
) -> Result<()> {
    let is_over = until_s < app.clock.now().unix_timestamp();
    let tag = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    let keys = app.keys.user_token();
    let is_ours = keys
        .mac(key_id)
        .is_some_and(|key| hmac::verify(key, &said(file.id, variant, until_s), &tag).is_ok());
    if is_over || !is_ours { Err(Error::NotFound) } else { Ok(()) }
}

fn said(file: FileId, variant: &str, until_s: i64) -> Vec<u8> {
    format!("file:{file}:{variant}:{until_s}").into_bytes()
}
