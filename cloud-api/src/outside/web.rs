//! The HTTP client for services on the internet.

use std::time::Duration;

/// A client with time limits that follows no redirects.
pub fn client() -> anyhow::Result<reqwest::Client> {
    use_ring();
    Ok(reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(20))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("gymwire/", env!("CARGO_PKG_VERSION")))
        .build()?)
}

/// TLS is rustls on ring, in every library that does not choose for itself.
pub fn use_ring() {
    // Fails only where it was installed before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
