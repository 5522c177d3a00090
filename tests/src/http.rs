//! The HTTP client of the kit.

use reqwest::{Client, ClientBuilder};
use std::sync::LazyLock;

/// Keeps no connection, so that tests with runtimes of their own may share it.
pub fn client() -> Client {
    static CLIENT: LazyLock<Client> =
        LazyLock::new(|| builder().pool_max_idle_per_host(0).build().expect("a plain client"));
    CLIENT.clone()
}

/// A client like that, still to be changed.
pub fn builder() -> ClientBuilder {
    // Fails only if somebody else has installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy()
}
