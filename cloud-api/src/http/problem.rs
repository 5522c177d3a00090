//! How errors look: RFC 9457 `application/problem+json` with our own members.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// How an error looks to a client.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// Reference that identifies the kind of problem: `/problems/` and the code.
    #[serde(rename = "type")]
    #[schema(example = "/problems/not_found")]
    pub kind: String,
    /// The kind of problem in words.
    #[schema(example = "Not Found")]
    pub title: String,
    /// HTTP status.
    #[schema(example = 404)]
    pub status: u16,
    /// What went wrong this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Path of the request.
    #[schema(example = "/api/v1/machines")]
    pub instance: String,
    /// Stable, for programs.
    #[schema(example = "not_found")]
    pub code: &'static str,
    /// To be named when reporting the problem.
    pub request_id: String,
    /// When it happened, RFC 3339.
    #[schema(format = DateTime)]
    pub timestamp: String,
    /// Which fields are wrong (422).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<FieldError>,
    /// Further members of some codes.
    #[serde(flatten)]
    #[schema(ignore)]
    pub members: Map<String, Value>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Path of the field.
    #[schema(example = "email")]
    pub field: String,
    /// Stable, for programs.
    #[schema(example = "invalid")]
    pub code: String,
    /// In words.
    pub message: String,
}

impl Problem {
    /// A problem that says no more than its status does. What belongs to the request is filled in by the
    /// outermost layer.
    pub(super) fn new(status: StatusCode, code: &'static str) -> Self {
        Self {
            kind: format!("/problems/{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: None,
            instance: String::new(),
            code,
            request_id: String::new(),
            timestamp: String::new(),
            errors: Vec::new(),
            members: Map::new(),
        }
    }

    /// The problem of an answer that came from a library, with nothing but a status.
    pub(super) fn of_status(status: StatusCode) -> Self {
        let code = match status {
            StatusCode::UNAUTHORIZED => "unauthorized",
            StatusCode::FORBIDDEN => "forbidden",
            StatusCode::NOT_FOUND => "not_found",
            StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
            StatusCode::REQUEST_TIMEOUT => "request_timeout",
            StatusCode::PAYLOAD_TOO_LARGE => "payload_too_large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
            StatusCode::TOO_MANY_REQUESTS => "rate_limited",
            StatusCode::SERVICE_UNAVAILABLE => "unavailable",
            status if status.is_server_error() => "internal",
            _ => "bad_request",
        };
        Self::new(status, code)
    }

    /// Says what is wrong with a token.
    pub(super) fn explained(self) -> Self {
        match self.code {
            "unauthorized" => self.detailed("No token provided"),
            "invalid_token" => self.detailed("Invalid token"),
            "invalid_credential" => self.detailed("No such device, or not its secret"),
            "token_expired" => self.detailed("Invalid token: it is over"),
            _ => self,
        }
    }

    pub(super) fn detailed(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

pub(super) fn invalid(errors: impl Iterator<Item = FieldError>) -> Problem {
    let errors = errors.collect();
    Problem { errors, ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed") }
        .detailed("some fields are not valid")
}

/// The library's text names the field that does not fit; names of our types are taken out.
pub(super) fn unreadable(status: StatusCode, text: &str) -> Problem {
    let words: Vec<_> = text.split(' ').collect();
    let mut said = Vec::with_capacity(words.len());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word {
            "struct" | "enum" => {
                words.next();
                said.push(if word == "struct" { "an object" } else { "a value" });
            }
            word => said.push(word),
        }
    }
    let problem = match status {
        StatusCode::UNPROCESSABLE_ENTITY => Problem::new(status, "validation_failed"),
        status => Problem::of_status(status),
    };
    problem.detailed(said.join(" "))
}
