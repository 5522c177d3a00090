//! Everything that crosses a wire: golden bytes, round trips, noise, refusals, sizes.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![expect(clippy::cast_precision_loss, reason = "figures are printed")]

mod csafe;
mod facts;
mod frames;
mod ftms;
mod golden;
mod gym;
mod hce;
mod noise;
mod payloads;
mod pn532;
mod qr;
mod roster;
mod round_trips;
mod sizes;
mod strategies;
mod sun;
mod topics;
