//! The database decides uniqueness; the names of its constraints tell what a client did wrong.

use super::error::{Error, Result};

/// Turns the violation of a named constraint into an answer for the client.
pub trait OnConstraint<T> {
    fn on_constraint(self, name: &str, error: impl FnOnce() -> Error) -> Result<T>;
}

impl<T, E: Into<Error> + ConstraintName> OnConstraint<T> for std::result::Result<T, E> {
    fn on_constraint(self, name: &str, error: impl FnOnce() -> Error) -> Result<T> {
        self.map_err(|found| if found.constraint() == Some(name) { error() } else { found.into() })
    }
}

/// Errors that may carry the name of the constraint that was violated.
pub trait ConstraintName {
    fn constraint(&self) -> Option<&str>;
}

impl ConstraintName for sqlx::Error {
    fn constraint(&self) -> Option<&str> {
        self.as_database_error()?.constraint()
    }
}

impl ConstraintName for Error {
    fn constraint(&self) -> Option<&str> {
        let Self::Internal(error) = self else { return None };
        error.downcast_ref::<sqlx::Error>()?.constraint()
    }
}
