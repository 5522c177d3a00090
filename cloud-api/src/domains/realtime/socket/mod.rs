//! `/ws`, `/ws/machines`, `/ws/workouts`: the hub over a WebSocket.

pub mod frame;
pub mod handshake;
mod task;

pub use task::ready;
