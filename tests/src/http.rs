//! The HTTP client of the kit.

use reqwest::Client;
use std::sync::LazyLock;

/// Keeps no connection, so that tests with runtimes of their own may share it.
pub fn client() -> Client {
    static CLIENT: LazyLock<Client> = LazyLock::new(|| {
        // Fails only if somebody else has installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::builder().pool_max_idle_per_host(0).no_proxy().build().expect("a plain client")
    });
    CLIENT.clone()
}
