//! What people decide about what is stored of them: consents with their history, an archive of everything, and erasing
//! with a time to think better of it. What an erased account leaves behind are ids that lead nowhere.

mod account;
mod archive;
mod archive_store;
mod consents;
mod erase;
mod export;
mod history;
mod model;
mod retention;
mod store;
mod zip_file;

pub use account::{Leaving, begin as begin_leaving, call_off as call_off_leaving};
pub use archive::BuildArchive;
pub use erase::{EraseDue, EraseFiles};
pub use model::ConsentKind;
pub use retention::ForgetOld;

use crate::app::App;
use crate::ids::UserId;
use sqlx::PgConnection;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(consents::read_consents, consents::update_consents))
        .routes(routes!(history::list_consent_history))
        .routes(routes!(export::read_export, export::ask_for_export))
        .routes(routes!(account::delete_account))
        .routes(routes!(account::restore_account))
}

/// Whether somebody agrees to something now.
pub async fn has_consent(
    db: &mut PgConnection,
    user: UserId,
    kind: ConsentKind,
) -> sqlx::Result<bool> {
    let given = store::consents(db, user).await?;
    Ok(given.iter().any(|consent| consent.kind == kind && consent.is_given))
}
