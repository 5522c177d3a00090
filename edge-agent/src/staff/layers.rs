//! What holds for every answer: headers that keep browsers from doing more than we mean, and gzip.

use axum::Router;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

/// Around the whole router.
pub fn around(router: Router) -> Router {
    let router = page_kit::policy::around(router.layer(CatchPanicLayer::new()));
    router.layer(CompressionLayer::new().gzip(true))
}
