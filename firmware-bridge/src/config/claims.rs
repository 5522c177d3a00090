//! What one device has no other may have: its code, its port. Over all sections.

use anyhow::{Result, bail};
use protocol::ids::Code;
use std::collections::BTreeSet;
use std::path::Path;

/// The codes and ports that are taken.
#[derive(Debug, Default)]
pub(super) struct Claims<'a> {
    readers: BTreeSet<&'a Code>,
    machines: BTreeSet<&'a Code>,
    ports: BTreeSet<&'a Path>,
}

impl<'a> Claims<'a> {
    /// A reader of `section` takes its code.
    pub fn reader(&mut self, section: &str, code: &'a Code) -> Result<()> {
        once(&mut self.readers, section, code)
    }

    /// A machine of `section` takes its code.
    pub fn machine(&mut self, section: &str, code: &'a Code) -> Result<()> {
        once(&mut self.machines, section, code)
    }

    /// A device takes the port that `key` names.
    pub fn port(&mut self, key: &str, port: &'a Path) -> Result<()> {
        if !self.ports.insert(port) {
            bail!("{key}: {} is there twice", port.display());
        }
        Ok(())
    }
}

fn once<'a>(codes: &mut BTreeSet<&'a Code>, section: &str, code: &'a Code) -> Result<()> {
    if !codes.insert(code) {
        bail!("{section}.code: {code} is there twice");
    }
    Ok(())
}
