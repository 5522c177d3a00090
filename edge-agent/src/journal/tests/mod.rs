//! The journal as a whole, over its handle.

mod basics;
mod broken;
mod golden;
mod kit;
mod space;
