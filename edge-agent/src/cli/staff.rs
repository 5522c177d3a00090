//! `edge-agent staff`: who may sign in at the branch's page. Who may open the state folder needs no password for it.

use super::{ask, say, text};
use crate::config::Config;
use crate::ops::actions::{Ask, ListedStaff};
use crate::staff::accounts::{Role, Secret};
use anyhow::{Context as _, Result};
use clap::Subcommand;
use std::io::{BufRead as _, Read as _};
use zeroize::Zeroizing;

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum StaffCommand {
    /// Lets somebody sign in and prints the password, once.
    Add {
        /// What they sign in as.
        name: String,
        /// What they may do: trainer, reception, technician or manager.
        #[arg(long, default_value = "manager")]
        role: Role,
        /// Reads the password from standard input (one line) instead of drawing one.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Lists the accounts.
    List,
    /// Gives an account another password and signs it out everywhere.
    Reset {
        /// Whose.
        name: String,
        /// Reads the password from standard input (one line) instead of drawing one.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Removes an account and signs it out.
    Remove {
        /// Whose.
        name: String,
    },
}

const MAX_LINE: u64 = 1_024;

pub(super) async fn perform(config: &Config, command: StaffCommand) -> Result<()> {
    match command {
        StaffCommand::Add { name, role, password_stdin } => {
            let password = given(password_stdin)?;
            credential(config, Ask::StaffAdd { name, role, password }, password_stdin).await
        }
        StaffCommand::Reset { name, password_stdin } => {
            let password = given(password_stdin)?;
            credential(config, Ask::StaffReset { name, password }, password_stdin).await
        }
        StaffCommand::Remove { name } => {
            let done = ask(config, Ask::StaffRemove { name }).await?;
            say(&format!("{} cannot sign in any more", text(&done, "name")))
        }
        StaffCommand::List => {
            let asked = ask(config, Ask::StaffList).await?;
            let listed: Vec<ListedStaff> = serde_json::from_value(asked)?;
            listed.iter().try_for_each(|staff| say(&line(staff)))
        }
    }
}

/// What is typed is not printed again.
async fn credential(config: &Config, wanted: Ask, is_given: bool) -> Result<()> {
    let done = ask(config, wanted).await?;
    let name = text(&done, "name");
    if is_given {
        return say(&format!("{name} can sign in"));
    }
    say(&format!("name      {name}\npassword  {}", text(&done, "password")))
}

fn given(is_given: bool) -> Result<Option<Secret>> {
    if !is_given {
        return Ok(None);
    }
    let mut line = Zeroizing::new(String::new());
    let mut input = std::io::stdin().lock().take(MAX_LINE);
    input.read_line(&mut line).context("no password can be read from standard input")?;
    Ok(Some(Secret::from(line.trim_end_matches(['\r', '\n']).to_owned())))
}

fn line(staff: &ListedStaff) -> String {
    let devices = match staff.signed_in {
        0 => String::new(),
        1 => "signed in".to_owned(),
        count => format!("signed in on {count} devices"),
    };
    format!("{:<32} {:<11} {devices}", staff.name, staff.role).trim_end().to_owned()
}
