//! The journal as a whole, over its handle.

mod basics;
mod broken;
mod exile;
mod golden;
mod kit;
mod space;
