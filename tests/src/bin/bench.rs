//! `make bench`: measures, beside peers and limits. Arguments choose measurements by a part of their name.
#![expect(clippy::print_stdout, reason = "this is the output of a program")]

use anyhow::Result;
use std::cell::Cell;
use std::process::ExitCode;
use tests::bench;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let missed = Cell::new(0);
    let measured = bench::run(&wanted, &|row| {
        println!("{row}");
        missed.set(missed.get() + u32::from(row.passed == Some(false)));
    })
    .await;
    tests::db::stop_durable().await?;
    measured?;
    println!("\n{} missed", missed.get());
    Ok(if missed.get() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
