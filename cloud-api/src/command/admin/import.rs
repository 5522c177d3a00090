//! `admin import-members`: members from a file.

use super::{Output, find};
use crate::command::Database;
use crate::domains::members::import::{self, COLUMNS, Progress};
use anyhow::{Context, bail, ensure};
use clap::Args;
use std::io::Write;
use std::path::PathBuf;

/// Reads members, their membership and their cards from a CSV file, whole or not at all. The same file twice
/// changes nothing.
#[derive(Debug, Args)]
#[command(after_help = columns_help())]
pub struct ImportMembers {
    /// The file; its first line names the columns.
    file: PathBuf,
    /// Organization, by name; may be left out while there is only one.
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
    /// Only say what would be done, and what is wrong.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
}

fn columns_help() -> String {
    format!(
        "Columns (comma or semicolon between them, UTF-8): {}.\n\
         reference and display_name are needed. A column that is missing changes nothing; an empty cell empties \
         what is there. branches: names, numbers or ids with | between them, empty for all. valid_from and \
         valid_until: YYYY-MM-DD. frozen, blocked: a reason as a code. card_uids: hexadecimal, | between \
         several; cards are only added. card_kind: nfc_uid or sun.",
        COLUMNS.join(", ")
    )
}

impl ImportMembers {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let about = || self.file.display().to_string();
        let length = std::fs::metadata(&self.file).with_context(about)?.len();
        ensure!(length <= MAX_BYTES, "{}: is longer than {MAX_BYTES} bytes", about());
        let bytes = std::fs::read(&self.file).with_context(about)?;
        let mut tx = database.pool().begin().await?;
        let organization = find::organization(&mut tx, self.org.as_deref()).await?.id;
        let report = if self.dry_run {
            import::try_import(&mut tx, organization, &bytes).await?
        } else {
            let now = database.clock.now();
            import::import(&mut tx, organization, &bytes, now, &mut show_progress).await?
        };
        if !report.errors.is_empty() {
            let errors = report.errors.len();
            self.output.show_with_lines(&report, &report.errors)?;
            bail!("{}: {errors} errors, nothing was changed", about());
        }
        tx.commit().await?;
        self.output.show(&report)
    }
}

/// The file and what it becomes are held in memory.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

fn show_progress(progress: Progress) {
    let Progress { stage, done, total } = progress;
    // Who does not look at it misses nothing.
    let _ = writeln!(std::io::stderr(), "{stage}: {done} of {total} told to the branches");
}
