//! The staff page in a real browser: Chromium over `WebDriver`, at a branch whose people and devices the tests play.
//! `packaging/setup.sh` installs what is needed.

mod acting;
mod devices;
mod first_start;
mod hostile;
mod live;
mod looks;
mod machines;
mod members;
mod operators;
mod signing_in;
