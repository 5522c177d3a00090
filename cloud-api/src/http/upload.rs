//! One file, sent as `multipart/form-data`.

use super::error::{Error, Refusal, Result};
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use multer::{Constraints, Multipart, SizeLimit};

/// The field `file`.
#[derive(Debug)]
pub struct Upload(pub Bytes);

/// Longer files are refused while they arrive.
const MAX_BYTES: u64 = 5 * 1024 * 1024;

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = Error;

    async fn from_request(request: Request, _: &S) -> Result<Self> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let boundary = multer::parse_boundary(kind.unwrap_or_default()).map_err(|_| {
            Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
                .detail("the file must be sent as multipart/form-data")
        })?;
        let limit =
            SizeLimit::new().whole_stream(MAX_BYTES + 64 * 1024).for_field("file", MAX_BYTES);
        let constraints = Constraints::new().allowed_fields(vec!["file"]).size_limit(limit);
        let body = request.into_body().into_data_stream();
        let mut parts = Multipart::with_constraints(body, boundary, constraints);
        match parts.next_field().await.map_err(refuse)? {
            Some(file) => Ok(Self(file.bytes().await.map_err(refuse)?)),
            None => Err(wrong("required", "is needed".to_owned())),
        }
    }
}

fn refuse(error: multer::Error) -> Error {
    match error {
        multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. } => {
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large").into()
        }
        error => wrong("invalid", format!("cannot be read: {error}")),
    }
}

fn wrong(code: &'static str, message: String) -> Error {
    Error::Field { field: "file", code, message }
}
