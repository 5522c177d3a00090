//! The only code that knows how things look in HTTP: errors, extractors, who calls, pages, layers.

pub mod auth;
pub mod error;
pub mod etag;
pub mod extract;
pub mod layers;
mod observe;
pub mod ops;
pub mod page;
pub mod server;

pub use auth::{Caller, Permission};
pub use error::{Error, OnConstraint, Problem, Refusal, Result};
pub use etag::IfNoneMatch;
pub use extract::{Json, Path, Query, Valid};
pub use observe::{ClientAddress, RequestId};
pub use page::{Cursor, Page, PageQuery};
