//! What goes into the link to a console, and what comes out of it.

use super::order::{OrderEnd, Reset};
use crate::machine::Fields;
use crate::machine::csafe::Trouble;
use crate::serial::csafe::answer::{State, Version};
use alloc::vec::Vec;

/// What happens to the link.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// The port is open, for the first time or again.
    Opened,
    /// The port is gone.
    Closed,
    /// The console sent bytes.
    Bytes(&'a [u8]),
    /// Starts the console anew. One order at a time: wait for [`Output::OrderEnded`].
    Reset(Reset),
    /// Time has passed; due at [`Link::wake_at`](super::Link::wake_at).
    Tick,
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send these bytes.
    Write(Vec<u8>),
    /// What the console measured. Told in each round of an exercise, else when it changes.
    Sample(Fields),
    /// What the console is doing, if that is new.
    State(State),
    /// What it says about its make, if that is new.
    Version(Version),
    /// Something it says cannot be used; told once.
    Unusable(Trouble),
    /// Questions had to be repeated, and are answered again. Told at most once a minute.
    Disturbed(Disturbance),
    /// The console has not answered for [`SILENT_AFTER`](super::SILENT_AFTER). Its state is unknown until it is told again.
    Silent(Disturbance),
    /// A silent console answers again.
    Back,
    /// How the order ended.
    OrderEnded(OrderEnd),
}

/// What went wrong on the line since it was last told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Disturbance {
    /// Answers that arrived damaged.
    pub damaged: u32,
    /// Answers that did not come in time.
    pub late: u32,
    /// Questions that the console got damaged, or was not ready for.
    pub misheard: u32,
}
