//! The only code that knows how things look in HTTP: errors, extractors, who calls, pages, layers.

mod activity;
pub mod auth;
mod connection;
mod constraint;
pub mod error;
pub mod etag;
pub mod extract;
pub mod gate;
pub mod idempotency;
pub mod layers;
mod observe;
pub mod ops;
mod origin;
pub mod page;
mod parse;
mod patch;
pub mod permission;
mod problem;
pub mod rate;
pub mod server;
mod upload;

pub use auth::Caller;
pub use connection::into_socket;
pub use constraint::OnConstraint;
pub use error::{Error, Refusal, Result};
pub use etag::{IfMatch, IfMatchHeader, IfNoneMatch, Tagged};
pub use extract::{Form, Json, Path, Query, Valid};
pub use idempotency::{IdempotencyKey, Once};
pub use observe::{ClientAddress, RequestId};
pub use origin::Origin;
pub use page::{Cursor, Page, PageQuery, Place};
pub use parse::{parse, parse_optional};
pub use patch::Patch;
pub use permission::Permission;
pub use problem::{FieldError, Problem};
pub use upload::Upload;
