//! Gym operators. Each has its own key for hashing card numbers, made once and never changed.

mod model;
mod store;

pub use model::Organization;
pub use store::{by_name, only};

use crate::http::Result;
use anyhow::Context;
use sqlx::PgConnection;
use time::OffsetDateTime;

/// Makes an organization, and the key its card numbers are hashed under.
pub async fn create(
    db: &mut PgConnection,
    name: &str,
    now: OffsetDateTime,
) -> Result<Organization> {
    let mut credential_key = [0; 32];
    getrandom::fill(&mut credential_key).context("no random numbers")?;
    Ok(store::insert(db, name, &credential_key, now).await?)
}
