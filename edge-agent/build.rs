//! Remembers when the agent was built: no certificate is checked against an earlier moment than that.

use std::time::{SystemTime, UNIX_EPOCH};

#[expect(clippy::disallowed_methods, reason = "there is no Clock at build time")]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let built_s = std::env::var("SOURCE_DATE_EPOCH").ok().unwrap_or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).to_string()
    });
    println!("cargo::rustc-env=GYMWIRE_BUILT_S={built_s}");
}
