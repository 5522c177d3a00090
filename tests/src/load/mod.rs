//! Devices under load that keep what is not acked over lost connections, as good clients do, and count; and clients of
//! the REST API that ask as fast as they are answered.

pub mod asking;
mod crowd;
mod sender;

pub use asking::{Asked, Asking};
pub use crowd::Crowd;
pub use sender::{Role, Sender};
