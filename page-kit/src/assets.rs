//! Style sheet and scripts, built in. Their address holds a hash of their bytes, so browsers keep them for ever.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;

struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
}

const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

const ASSETS: [Asset; 5] = [
    Asset { name: "app.css", kind: CSS, bytes: include_bytes!("../assets/app.css") },
    Asset { name: "app.js", kind: SCRIPT, bytes: include_bytes!("../assets/app.js") },
    Asset { name: "htmx.js", kind: SCRIPT, bytes: include_bytes!("../assets/htmx.min.js") },
    Asset { name: "sse.js", kind: SCRIPT, bytes: include_bytes!("../assets/htmx-sse.min.js") },
    Asset { name: "icon.svg", kind: IMAGE, bytes: include_bytes!("../assets/icon.svg") },
];

/// Changes with every byte of any of them.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = Sha256::new();
    for asset in &ASSETS {
        hasher.update(asset.bytes);
    }
    hex::encode(&hasher.finalize()[..8])
});

/// Where a page finds an asset.
pub fn url(name: &str) -> String {
    format!("/assets/{}/{name}", *VERSION)
}

/// The route of [`handler`].
pub const ROUTE: &str = "/assets/{version}/{name}";

/// `/assets/{version}/{name}`: exactly the names above.
pub fn handler<S: Clone + Send + Sync + 'static>() -> MethodRouter<S> {
    axum::routing::get(serve)
}

async fn serve(Path((version, name)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let found = ASSETS.iter().find(|asset| asset.name == name);
    let Some(asset) = found.filter(|_| version == *VERSION) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = format!("W/\"{}\"", *VERSION);
    let answer: [(HeaderName, &str); 3] = [
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::ETAG, &tag),
        (header::CONTENT_TYPE, asset.kind),
    ];
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
        return (StatusCode::NOT_MODIFIED, answer).into_response();
    }
    (answer, asset.bytes).into_response()
}
