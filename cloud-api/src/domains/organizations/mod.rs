//! Gym operators. Each has its own key for hashing card numbers, made once and never changed, and the keys that
//! its NTAG 424 cards prove themselves with, which are kept sealed.

mod model;
mod own;
mod store;
mod sun;

pub use model::Organization;
pub use store::{branches, by_name, exists, only};
pub use sun::{SUN_KEYS, SunKeys, check_secrets, sealed_sun_keys, set_sun_keys, sun_keys};

use crate::app::App;
use crate::http::Result;
use crate::ids::OrganizationId;
use anyhow::Context;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use zeroize::Zeroizing;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(own::list_organizations))
        .routes(routes!(own::read_organization, own::update_organization))
}

/// Makes an organization, and the key its card numbers are hashed under.
pub async fn create(
    db: &mut PgConnection,
    name: &str,
    now: OffsetDateTime,
) -> Result<Organization> {
    let mut credential_key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *credential_key).context("no random numbers")?;
    Ok(store::insert(db, name, &credential_key, now).await?)
}

/// The key that card numbers of an organization are hashed under.
pub async fn credential_key(
    db: &mut PgConnection,
    organization: OrganizationId,
) -> Result<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(store::credential_key(db, organization).await?);
    let key = <[u8; 32]>::try_from(bytes.as_slice()).context("a credential key is damaged")?;
    Ok(Zeroizing::new(key))
}
