//! Writes the JSON Schemas and the `AsyncAPI` document into the folder that is named.

use protocol::mqtt::documents::documents;
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "docs/mqtt".to_owned()));
    std::fs::create_dir_all(&folder)?;
    for (name, text) in documents() {
        std::fs::write(folder.join(name), text)?;
    }
    Ok(())
}
