//! Everything that crosses a wire: golden bytes, round trips, noise, refusals, sizes.

mod frames;
mod golden;
mod gym;
mod noise;
mod payloads;
mod qr;
mod round_trips;
mod sizes;
mod strategies;
mod topics;
