//! The only code that knows how things look in HTTP: errors, extractors, who calls, pages, layers.

pub mod auth;
mod constraint;
pub mod error;
pub mod etag;
pub mod extract;
pub mod layers;
mod observe;
pub mod ops;
pub mod page;
mod problem;
pub mod server;

pub use auth::{Caller, Permission};
pub use constraint::OnConstraint;
pub use error::{Error, Refusal, Result};
pub use etag::IfNoneMatch;
pub use extract::{Json, Path, Query, Valid};
pub use observe::{ClientAddress, RequestId};
pub use page::{Cursor, Page, PageQuery};
pub use problem::{FieldError, Problem};
