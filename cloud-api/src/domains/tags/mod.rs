//! Labels and NFC stickers that members scan with their phones: at an entrance to come in, on a machine to take it. What
//! a label says is random and says nothing by itself; a label that was copied or lost is revoked and printed anew.

#![expect(unused_qualifications, reason = "utoipa's macro repeats the names of query types")]

mod collection;
mod item;
mod label;
mod labels;
mod model;
mod sheet;
mod store;

pub use label::labels;
pub use model::{Tag, TagKind};
pub use store::{by_token, revoke_all};

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(collection::list_tags, collection::create_tag))
        .routes(routes!(item::revoke_tag))
        .routes(routes!(label::read_tag_label))
        .routes(routes!(labels::make_labels))
        .routes(routes!(labels::read_labels))
}
