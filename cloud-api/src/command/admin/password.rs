//! Where a new password comes from: the environment, a pipe, the keyboard, or chance.

use anyhow::{Context, ensure};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use std::io::{self, BufRead, IsTerminal, Write};

/// A password for a new account.
pub struct Chosen {
    pub password: String,
    /// Made up here, so that it has to be shown.
    pub is_generated: bool,
}

/// Takes `NEW_USER_PASSWORD`, or a line from a pipe if asked to, or asks at a terminal, or makes one up.
pub fn choose(from_stdin: bool, generate: bool) -> anyhow::Result<Chosen> {
    if generate {
        return generated();
    }
    let given = match std::env::var("NEW_USER_PASSWORD") {
        Ok(password) => password,
        Err(_) if from_stdin => line()?,
        Err(_) if io::stdin().is_terminal() => ask()?,
        Err(_) => return generated(),
    };
    ensure!(
        (MIN_CHARS..=MAX_CHARS).contains(&given.chars().count()),
        "a password has {MIN_CHARS} to {MAX_CHARS} characters"
    );
    Ok(Chosen { password: given, is_generated: false })
}

const MIN_CHARS: usize = 8;
const MAX_CHARS: usize = 1024;

fn generated() -> anyhow::Result<Chosen> {
    let password = crate::domains::devices::Secret::generate()?.expose()[..20].to_owned();
    Ok(Chosen { password, is_generated: true })
}

fn line() -> anyhow::Result<String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).context("no password on stdin")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Asks twice, without showing what is typed.
fn ask() -> anyhow::Result<String> {
    let stdin = io::stdin();
    let shown = tcgetattr(&stdin)?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    hidden.local_modes.insert(LocalModes::ECHONL);
    tcsetattr(&stdin, OptionalActions::Flush, &hidden)?;
    let typed = prompt("Password: ").and_then(|first| Ok((first, prompt("Again: ")?)));
    tcsetattr(&stdin, OptionalActions::Flush, &shown)?;
    let (first, second) = typed?;
    ensure!(first == second, "the passwords are not the same");
    Ok(first)
}

fn prompt(text: &str) -> anyhow::Result<String> {
    let mut terminal = io::stderr();
    terminal.write_all(text.as_bytes())?;
    terminal.flush()?;
    line()
}
