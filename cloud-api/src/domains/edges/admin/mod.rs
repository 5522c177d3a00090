//! `/admin/edges`: the edges of branches as those see them who run them: how they are, what is missing, what they were
//! told, and how they come and go.

#![expect(unused_qualifications, reason = "utoipa's macro repeats the names of query types")]

mod codes;
mod codes_store;
mod collection;
mod history;
mod item;
mod model;
mod store;
mod told;
mod told_store;

pub use model::EdgeRecord;

use crate::app::App;
use crate::http::{Caller, Error, Result};
use crate::ids::{BranchId, EdgeId};
use sqlx::PgConnection;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(collection::list_edges))
        .routes(routes!(item::read_edge, item::revoke_edge))
        .routes(routes!(history::list_edge_gaps))
        .routes(routes!(history::list_edge_rejects))
        .routes(routes!(history::list_edge_notices))
        .routes(routes!(told::read_edge_roster))
        .routes(routes!(told::read_edge_configuration))
        .routes(routes!(codes::list_enroll_codes, codes::create_enroll_code))
        .routes(routes!(codes::revoke_enroll_code))
}

/// The branch of an edge that the caller may see; others are not there for them.
pub async fn visible(db: &mut PgConnection, caller: &Caller, id: EdgeId) -> Result<BranchId> {
    store::branch_of(db, caller.scope(), id, false).await?.ok_or(Error::NotFound)
}

/// The same for an edge whose key counts.
pub async fn at_work(db: &mut PgConnection, caller: &Caller, id: EdgeId) -> Result<BranchId> {
    let branch = visible(db, caller, id).await?;
    let counts = store::branch_of(db, caller.scope(), id, true).await?;
    counts.map(|_| branch).ok_or(Error::Conflict("edge_revoked"))
}
