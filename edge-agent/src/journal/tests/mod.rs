//! The journal as a whole, over its handle.

mod basics;
mod broken;
mod kit;
mod space;
