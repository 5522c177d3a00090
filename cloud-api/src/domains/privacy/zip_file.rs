//! A ZIP in memory.

use anyhow::Result;
use serde::Serialize;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// What is put into it, one file after the other.
pub struct ZipFile(ZipWriter<Cursor<Vec<u8>>>);

impl ZipFile {
    pub fn new() -> Self {
        Self(ZipWriter::new(Cursor::new(Vec::new())))
    }

    pub fn add(&mut self, name: &str, content: &[u8]) -> Result<()> {
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        self.0.start_file(name, stored)?;
        Ok(self.0.write_all(content)?)
    }

    /// As JSON that people can read.
    pub fn add_json(&mut self, name: &str, content: &impl Serialize) -> Result<()> {
        self.add(&format!("{name}.json"), &serde_json::to_vec_pretty(content)?)
    }

    pub fn finish(self) -> Result<Vec<u8>> {
        Ok(self.0.finish()?.into_inner())
    }
}
