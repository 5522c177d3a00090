//! One module per kind of device: it moves bytes between a port and the device's link in `protocol`, no more.

pub mod board;
pub mod csafe;
pub mod door;
pub mod keyboard;
pub mod nfc;
pub mod scanner;
