//! The main loop of a board, on a computer: `cargo run -p firmware-bridge --example board -- PATH CODE`, where PATH is a
//! serial port or one end of a pseudo terminal.
//!
//! A maker replaces three things: the port, the clock (milliseconds since the boot) and what the machine measures.
//! `docs/boards.md` tells the rest.

use protocol::serial::board::BoardOutcome;
use protocol::serial::board::device::{Device, Identity, Input, Order, Settings};
use std::error::Error;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};
use tokio_serial::SerialPortBuilderExt;

/// A cardio machine tells what it measures every second.
const MEASURE_EVERY_MS: u64 = 1_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, path, code] = &arguments[..] else { return Err("usage: board PATH CODE".into()) };
    let mut port = tokio_serial::new(path, 115_200).open_native_async()?;

    // On a board: a random number of the chip, or a counter kept in flash and mixed with noise.
    let boot = getrandom::u32().map_err(|error| error.to_string())?;
    let identity = Identity { code: code.clone(), firmware: "example 1".to_owned(), boot };
    let mut board = Device::new(identity, Settings::default());
    let booted = Instant::now();
    let now_ms = || u64::try_from(booted.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut measure_at_ms = 0;
    let mut buffer = [0; 64];
    loop {
        let wake_ms = board.wake_at_ms().min(measure_at_ms);
        let wake = booted + Duration::from_millis(wake_ms);
        let mut reaction = tokio::select! {
            read = port.read(&mut buffer) => board.handle(Input::Bytes(&buffer[..read?]), now_ms()),
            () = sleep_until(wake) => {
                if measure_at_ms <= now_ms() {
                    measure_at_ms += MEASURE_EVERY_MS;
                    board.handle(Input::Measured(&measured(now_ms())), now_ms())
                } else {
                    board.handle(Input::Tick, now_ms())
                }
            }
        };
        for order in std::mem::take(&mut reaction.orders) {
            let outcome = carry_out(&order, now_ms())?;
            let ended = board.handle(Input::OrderEnded { id: order.id, outcome }, now_ms());
            reaction.bytes.extend(ended.bytes);
        }
        port.write_all(&reaction.bytes).await?;
    }
}

/// Elapsed seconds, metres, speed and power of somebody who runs evenly, by field number and scaled: see `docs/boards.md`.
fn measured(now_ms: u64) -> [(u8, i32); 4] {
    let tenths_of_seconds = i32::try_from(now_ms / 100).unwrap_or(i32::MAX);
    [(0, tenths_of_seconds), (1, tenths_of_seconds / 10 * 30), (4, 3_000), (9, 1_800)]
}

/// Nothing is begun after its time; a board with real hardware would look again when the hardware is ready.
fn carry_out(order: &Order, now_ms: u64) -> io::Result<BoardOutcome> {
    use std::io::Write as _;

    if order.until_ms <= now_ms {
        return Ok(BoardOutcome::Expired);
    }
    match order.command.as_str() {
        "lock" | "unlock" | "reset" => writeln!(io::stdout(), "{}", order.command)?,
        "display" => writeln!(io::stdout(), "display: {}", order.text.as_deref().unwrap_or(""))?,
        _ => return Ok(BoardOutcome::Unknown),
    }
    Ok(BoardOutcome::Done)
}
