//! Binary messages: media types, versions, and how unreadable ones are refused.

use crate::http::{Error, Refusal, Result};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use protocol::sync::WireError;

/// Refuses any other media type, and says which versions are read.
pub fn check(headers: &HeaderMap, media_type: &str, version: u8) -> Result<()> {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let sent = sent.map(|kind| kind.split(';').next().unwrap_or_default().trim());
    if sent.is_some_and(|kind| kind.eq_ignore_ascii_case(media_type)) {
        Ok(())
    } else {
        let detail = format!("Content-Type must be {media_type}");
        Err(unsupported("unsupported_media_type", &[version]).detail(detail).into())
    }
}

/// Whether the body is packed with zstd; any other encoding is refused.
pub fn is_zstd(headers: &HeaderMap, version: u8) -> Result<bool> {
    match headers.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None => Ok(false),
        Some(encoding) if encoding.eq_ignore_ascii_case(b"zstd") => Ok(true),
        Some(_) => Err(not_zstd(version)),
    }
}

/// 415: the body has to be packed with zstd.
pub fn not_zstd(version: u8) -> Error {
    let refusal = unsupported("unsupported_encoding", &[version]);
    refusal.detail("Content-Encoding must be zstd").into()
}

/// Refuses a message that is not what it claims to be.
pub fn refuse(error: &WireError, malformed: &'static str, supported: &[u8]) -> Error {
    let detail = error.to_string();
    match error {
        WireError::Version(_) => unsupported("unsupported_version", supported),
        WireError::TooLarge { .. } | WireError::TooMany { .. } => {
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large")
        }
        WireError::Empty | WireError::Malformed(_) | WireError::Signature => {
            Refusal::new(StatusCode::BAD_REQUEST, malformed)
        }
    }
    .detail(detail)
    .into()
}

/// 415 with the versions that are read.
pub fn unsupported(code: &'static str, supported: &[u8]) -> Refusal {
    Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code).with("supported", supported.to_vec())
}
