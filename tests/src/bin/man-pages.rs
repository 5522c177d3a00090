//! Writes the manual pages of the programs (roff) out of what their command lines say of themselves.
//!   man-pages FOLDER

use anyhow::{Context as _, Result};
use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory as _};
use std::fmt::Write as _;
use std::path::PathBuf;

/// What belongs into a page and is not said by the command line.
struct Page {
    command: Command,
    files: &'static [(&'static str, &'static str)],
    see_also: &'static str,
}

fn main() -> Result<()> {
    let folder: PathBuf = std::env::args_os().nth(1).context("usage: man-pages FOLDER")?.into();
    std::fs::create_dir_all(&folder)?;
    for page in pages() {
        let path = folder.join(format!("{}.1", page.command.get_name()));
        std::fs::write(&path, page.roff()).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn pages() -> [Page; 3] {
    [
        Page {
            command: edge_agent::cli::command(),
            files: &[
                ("/etc/gymwire/edge-agent.toml", "Configuration; every key is explained there."),
                ("/etc/gymwire/release-keys", "Whose releases are trusted."),
                ("/var/lib/gymwire", "Everything the agent keeps."),
            ],
            see_also: "firmware-bridge(1), /usr/share/doc/gymwire-edge/operations.md",
        },
        Page {
            command: firmware_bridge::command::command(),
            files: &[(
                "/etc/gymwire/firmware-bridge.toml",
                "Configuration: what is attached where.",
            )],
            see_also: "edge-agent(1), /usr/share/doc/gymwire-edge/boards.md",
        },
        Page {
            command: cloud_api::command::Arguments::command(),
            files: &[
                ("/etc/gymwire/cloud-api.toml", "Configuration of the packaged service."),
                ("/var/lib/gymwire-cloud", "Its private Postgres and the key that seals secrets."),
            ],
            see_also: "edge-agent(1)",
        },
    ]
}

impl Page {
    fn roff(mut self) -> String {
        self.command.build();
        let name = self.command.get_name().to_owned();
        let mut roff = String::new();
        let _ = writeln!(roff, ".TH {} 1 \"\" Gymwire \"Gymwire\"", escaped(&name.to_uppercase()));
        let about = about(&self.command);
        let _ = writeln!(roff, ".SH NAME\n{} \\- {}", escaped(&name), about.trim_end_matches('.'));
        let _ = writeln!(roff, ".SH SYNOPSIS\n\\fB{}\\fR [OPTIONS] COMMAND", escaped(&name));
        roff.push_str(".SH OPTIONS\n");
        self.command.get_arguments().for_each(|arg| describe(&mut roff, arg));
        roff.push_str(".SH COMMANDS\n");
        subcommands(&mut roff, &self.command, "");
        roff.push_str(".SH FILES\n");
        for (path, what) in self.files {
            let _ = writeln!(roff, ".TP\n\\fI{}\\fR\n{}", escaped(path), escaped(what));
        }
        roff.push_str(
            ".SH EXIT STATUS\n0 done, 1 it did not work, 2 bad usage or configuration.\n",
        );
        let _ = writeln!(roff, ".SH SEE ALSO\n{}", escaped(self.see_also));
        roff
    }
}

/// Those that do something; what only groups others is part of their names.
fn subcommands(roff: &mut String, command: &Command, before: &str) {
    for sub in command.get_subcommands().filter(|sub| is_packaged(sub)) {
        let name = format!("{before}{}", sub.get_name());
        if sub.has_subcommands() {
            subcommands(roff, sub, &format!("{name} "));
            continue;
        }
        let own = || sub.get_arguments().filter(|arg| !arg.is_global_set() && is_told(arg));
        let mut heading = format!("\\fB{}\\fR", escaped(&name));
        for arg in own() {
            let shown =
                if arg.is_required_set() { usage(arg) } else { format!("[{}]", usage(arg)) };
            let _ = write!(heading, " {shown}");
        }
        let _ = writeln!(roff, ".SS {heading}\n{}", about(sub));
        own().for_each(|arg| describe(roff, arg));
    }
}

/// Emulators are built for tests and demos only.
fn is_packaged(command: &Command) -> bool {
    !matches!(command.get_name(), "help" | "emulate") && !command.is_hide_set()
}

fn is_told(arg: &Arg) -> bool {
    !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version")
}

fn usage(arg: &Arg) -> String {
    let values = arg.get_value_names().unwrap_or_default();
    let takes = arg.get_num_args().is_none_or(|count| count.takes_values());
    let value: Vec<_> = values.iter().filter(|_| takes).map(|name| escaped(name)).collect();
    let value = format!("\\fI{}\\fR", value.join(" "));
    match arg.get_long() {
        Some(long) if takes && !values.is_empty() => {
            format!("\\fB\\-\\-{}\\fR {value}", escaped(long))
        }
        Some(long) => format!("\\fB\\-\\-{}\\fR", escaped(long)),
        None => value,
    }
}

fn describe(roff: &mut String, arg: &Arg) {
    if !is_told(arg) {
        return;
    }
    let help = arg.get_help().map(StyledStr::to_string).unwrap_or_default();
    let _ = writeln!(roff, ".TP\n{}\n{}", usage(arg), escaped(&help));
    let values = arg.get_possible_values();
    let values: Vec<_> = values.iter().map(|value| escaped(value.get_name())).collect();
    let is_switch = values.iter().all(|value| value == "true" || value == "false");
    if !is_switch {
        let _ = writeln!(roff, "One of: {}.", values.join(", "));
    }
}

fn about(command: &Command) -> String {
    escaped(&command.get_about().map(StyledStr::to_string).unwrap_or_default())
}

/// Text as roff takes it: no line begins with a request, and a hyphen stays one.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\n', " ");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}
