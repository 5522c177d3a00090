//! `cloud-api`: see `--help`.

use clap::Parser;
use cloud_api::command::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    Arguments::parse().run()
}
