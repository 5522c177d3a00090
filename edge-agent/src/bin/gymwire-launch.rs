//! `gymwire-launch [--state-dir DIR] [--packaged DIR] [--keys FILE] PROGRAM [ARGUMENT…]`: becomes the program that is
//! to run, of the package or of a newer release. systemd starts everything through it.

use edge_agent::update::launch::Launcher;
use edge_agent::update::releases::Releases;
use std::ffi::OsString;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let Some((launcher, name, arguments)) = arguments(std::env::args_os().skip(1)) else {
        complain(
            "usage: gymwire-launch [--state-dir DIR] [--packaged DIR] [--keys FILE] PROGRAM [ARGUMENT…]",
        );
        return ExitCode::from(2);
    };
    let start = launcher.choose(&name, complain);
    let mut command = Command::new(&start.program);
    command.args(arguments).env_remove("GYMWIRE_RELEASE");
    if let Some(release) = start.release {
        command.env("GYMWIRE_RELEASE", release.to_string());
    }
    if let Some(window_s) = start.window_s {
        // Survives exec. Nothing that the new program forgets or gets wrong keeps the kernel from ending it.
        nix::unistd::alarm::set(window_s);
    }
    let error = command.exec();
    complain(&format!("cannot start {}: {error}", start.program.display()));
    if let Some(release) = start.release {
        // Signed, whole, and yet the kernel refuses it: the next start must not try again.
        let _ = launcher.releases.fail(release, &format!("it cannot be started: {error}"));
    }
    ExitCode::FAILURE
}

type Arguments = (Launcher, String, Vec<OsString>);

fn arguments(given: impl Iterator<Item = OsString>) -> Option<Arguments> {
    let mut given = given.peekable();
    let (mut state_dir, mut packaged, mut keys) = (
        PathBuf::from("/var/lib/gymwire"),
        PathBuf::from("/usr/bin"),
        PathBuf::from("/etc/gymwire/release-keys"),
    );
    loop {
        let place = match given.peek()?.to_str()? {
            "--state-dir" => &mut state_dir,
            "--packaged" => &mut packaged,
            "--keys" => &mut keys,
            option if option.starts_with('-') => return None,
            _ => break,
        };
        given.next();
        *place = given.next()?.into();
    }
    let name = given.next()?.into_string().ok()?;
    let launcher = Launcher { releases: Releases::of(&state_dir), packaged, keys };
    Some((launcher, name, given.collect()))
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "gymwire-launch: {text}");
}
