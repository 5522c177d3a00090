//! `test-postgres stop`: stops the Postgres server that the tests share. The tests start it themselves.

use anyhow::{Result, bail};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("stop") => tests::db::stop_shared().await,
        _ => bail!("usage: test-postgres stop"),
    }
}
