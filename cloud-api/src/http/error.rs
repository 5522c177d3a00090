//! Everything that can go wrong in a request, and how it is told: RFC 9457 `application/problem+json`.

use super::problem::{FieldError, Problem, invalid, unreadable};
use axum::extract::rejection::{
    BytesRejection, FormRejection, JsonRejection, PathRejection, QueryRejection,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use std::fmt;

/// What a handler answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a request is not answered as it was meant.
#[derive(Debug)]
pub enum Error {
    /// There is no such thing, or the caller may not know of it.
    NotFound,
    /// The caller is known but may not.
    Forbidden,
    /// The caller is known, and may not use their account.
    Barred(&'static str),
    /// Nobody in particular calls, or with a token that is not (or no longer) good.
    Unauthorized(&'static str),
    /// The request contradicts what is there.
    Conflict(&'static str),
    /// A well-formed body breaks rules.
    Invalid(garde::Report),
    /// Something about one field, said by hand.
    Field { field: &'static str, code: &'static str, message: String },
    /// The body cannot be read.
    Body(JsonRejection),
    /// The body did not arrive, or is too long.
    Bytes(BytesRejection),
    /// The query cannot be read.
    Query(QueryRejection),
    /// The form cannot be read.
    Form(FormRejection),
    /// The path cannot be read: then there is nothing there.
    Path(PathRejection),
    /// Anything else that a client can act on.
    Refused(Box<Refusal>),
    /// Our fault. Logged where it is answered, hidden from the client.
    Internal(anyhow::Error),
}

/// An answer with its own status, code, members and headers.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    code: &'static str,
    detail: Option<String>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub fn new(status: StatusCode, code: &'static str) -> Self {
        Self { status, code, detail: None, members: Map::new(), headers: Vec::new() }
    }

    /// Says in words what went wrong this time.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds a member to the problem document.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Error {
    /// What went wrong, as one word for programs.
    pub fn code(&self) -> &'static str {
        self.problem().code
    }

    fn problem(&self) -> Problem {
        match self {
            Self::NotFound | Self::Path(_) => Problem::new(StatusCode::NOT_FOUND, "not_found"),
            Self::Forbidden => Problem::new(StatusCode::FORBIDDEN, "forbidden")
                .detailed("Insufficient permissions"),
            Self::Barred(code) => Problem::new(StatusCode::FORBIDDEN, code),
            Self::Unauthorized(code) => Problem::new(StatusCode::UNAUTHORIZED, code).explained(),
            Self::Conflict(code) => Problem::new(StatusCode::CONFLICT, code),
            Self::Invalid(report) => invalid(report.iter().map(|(path, error)| FieldError {
                field: path.to_string(),
                code: "invalid".to_owned(),
                message: error.message().to_owned(),
            })),
            Self::Field { field, code, message } => invalid(std::iter::once(FieldError {
                field: (*field).to_owned(),
                code: (*code).to_owned(),
                message: message.clone(),
            })),
            Self::Body(rejection) => unreadable(rejection.status(), &rejection.body_text()),
            Self::Bytes(rejection) => unreadable(rejection.status(), &rejection.body_text()),
            Self::Query(rejection) => unreadable(rejection.status(), &rejection.body_text()),
            Self::Form(rejection) => unreadable(rejection.status(), &rejection.body_text()),
            Self::Refused(refusal) => Problem {
                detail: refusal.detail.clone(),
                members: refusal.members.clone(),
                ..Problem::new(refusal.status, refusal.code)
            },
            Self::Internal(_) => Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

impl fmt::Display for Error {
    /// For the command line, where the cause may be shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Internal(error) = self {
            return write!(f, "{error:#}");
        }
        let problem = self.problem();
        f.write_str(problem.detail.as_deref().unwrap_or(problem.code))?;
        problem.errors.iter().try_for_each(|e| write!(f, "; {} {}", e.field, e.message))
    }
}

impl std::error::Error for Error {}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if let Self::Internal(error) = &self {
            tracing::error!(error = format!("{error:#}"), "a request failed");
        }
        let problem = self.problem();
        let status = StatusCode::from_u16(problem.status).unwrap_or_default();
        let mut response = status.into_response();
        response.extensions_mut().insert(problem);
        if let Self::Unauthorized(_) = self {
            let challenge = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, challenge);
        }
        if let Self::Refused(refusal) = self {
            response.headers_mut().extend(refusal.headers);
        }
        response
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::RowNotFound => Self::NotFound,
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed => {
                tracing::warn!(%error, "the database is not available");
                unavailable()
            }
            sqlx::Error::Database(inner) if is_going_away(inner.as_ref()) => {
                tracing::warn!(error = %inner, "the database is not available");
                unavailable()
            }
            error => Self::Internal(error.into()),
        }
    }
}

/// SQLSTATE classes 08 (connection), 53 (resources) and 57 (operator: shutdown, cancelled by a limit).
fn is_going_away(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.code().is_some_and(|code| ["08", "53", "57"].iter().any(|class| code.starts_with(class)))
}

fn unavailable() -> Error {
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        .header(axum::http::header::RETRY_AFTER, HeaderValue::from_static("1"))
        .into()
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<sqlx::Error>() {
            Ok(error) => error.into(),
            Err(error) => Self::Internal(error),
        }
    }
}

impl From<garde::Report> for Error {
    fn from(report: garde::Report) -> Self {
        Self::Invalid(report)
    }
}

impl From<JsonRejection> for Error {
    fn from(rejection: JsonRejection) -> Self {
        Self::Body(rejection)
    }
}

impl From<BytesRejection> for Error {
    fn from(rejection: BytesRejection) -> Self {
        Self::Bytes(rejection)
    }
}

impl From<QueryRejection> for Error {
    fn from(rejection: QueryRejection) -> Self {
        Self::Query(rejection)
    }
}

impl From<FormRejection> for Error {
    fn from(rejection: FormRejection) -> Self {
        Self::Form(rejection)
    }
}

impl From<PathRejection> for Error {
    fn from(rejection: PathRejection) -> Self {
        Self::Path(rejection)
    }
}
