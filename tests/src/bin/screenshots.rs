//! `screenshots [FOLDER [operators]]`: pictures of every page, or of the operators' alone, see `make screenshots`.

use anyhow::Result;
use std::path::PathBuf;

#[tokio::main]
async fn main() -> Result<()> {
    let folder =
        std::env::args_os().nth(1).map_or_else(|| "docs/screenshots".into(), PathBuf::from);
    if std::env::args_os().nth(2).is_some_and(|which| which == "operators") {
        return tests::screenshots::take_operators(&folder).await;
    }
    tests::screenshots::take(&folder).await
}
