//! `screenshots [FOLDER]`: pictures of every page of the staff, see `make screenshots`.

use anyhow::Result;
use std::path::PathBuf;

#[tokio::main]
async fn main() -> Result<()> {
    let folder =
        std::env::args_os().nth(1).map_or_else(|| "docs/screenshots".into(), PathBuf::from);
    tests::screenshots::take(&folder).await
}
