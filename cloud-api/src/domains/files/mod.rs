//! Files of users: rows that say whose they are, contents in the store below `users/<owner>/`. Whoever may see a file is
//! given a link that is signed and soon over; the link itself needs no token, so that a page can show it.

#![expect(unused_qualifications, reason = "utoipa's macro repeats the names of query types")]

mod content;
mod item;
mod jobs;
mod link;
mod model;
mod store;

pub use jobs::ForgetFiles;
pub use link::signed_link;
pub use model::{File, FileKind, NewFile};
pub use store::{avatar_of, forget, insert, replace_avatar};

use crate::app::App;
use crate::ids::{FileId, UserId};
use axum::body::Bytes;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(item::read_file))
        .routes(routes!(content::read_file_content))
}

/// Puts the variants of a new file into the store. Its row is written afterwards: a file that was put in vain goes away
/// with its owner.
pub async fn put(
    app: &App,
    owner: UserId,
    variants: Vec<(&'static str, Bytes)>,
) -> anyhow::Result<FileId> {
    let id = FileId::new();
    for (variant, content) in variants {
        app.files.put(&path(owner, id, variant), content).await?;
    }
    Ok(id)
}

/// The content of a file.
pub async fn content(
    app: &App,
    owner: UserId,
    id: FileId,
    variant: &str,
) -> anyhow::Result<Option<Bytes>> {
    app.files.get(&path(owner, id, variant)).await
}

/// Takes a file out of the store whose row is gone. If that fails now, it goes away with its owner.
pub async fn discard(app: &App, owner: UserId, id: FileId) {
    if let Err(error) = app.files.delete_below(&folder(owner, Some(id))).await {
        tracing::warn!(error = format!("{error:#}"), file_id = %id, "a file is left over");
    }
}

/// Takes everything of somebody out of the store.
pub async fn erase(app: &App, owner: UserId) -> anyhow::Result<()> {
    app.files.delete_below(&folder(owner, None)).await
}

fn folder(owner: UserId, id: Option<FileId>) -> String {
    match id {
        Some(id) => format!("users/{owner}/{id}"),
        None => format!("users/{owner}"),
    }
}

fn path(owner: UserId, id: FileId, variant: &str) -> String {
    format!("{}/{variant}", folder(owner, Some(id)))
}
