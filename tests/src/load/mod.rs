//! Devices under load that keep what is not acked over lost connections, as good clients do, and count.

mod crowd;
mod sender;

pub use crowd::Crowd;
pub use sender::{Role, Sender};
