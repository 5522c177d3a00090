//! The mark that a request was carried out, made by the transaction that does it.

use super::store::{self, Sent};
use super::{CARRIED_OUT, Result};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use sqlx::{Postgres, Transaction};
use std::convert::Infallible;

/// The key of the request, if it has one. Handlers that take an `Idempotency-Key` end their transaction by it.
#[derive(Debug, Clone, Default)]
pub struct Once(Option<Sent>);

impl Once {
    pub(super) fn of(sent: Sent) -> Self {
        Self(Some(sent))
    }

    /// Commits, unless the same request was carried out meanwhile: by whoever took over from us, since we were too slow.
    pub async fn commit(self, mut tx: Transaction<'_, Postgres>) -> Result<()> {
        if let Some(sent) = &self.0
            && !store::mark_carried_out(&mut tx, sent).await?
        {
            return Err(CARRIED_OUT);
        }
        Ok(tx.commit().await?)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Once {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}
