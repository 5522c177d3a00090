//! MQTT 3.1.1 and 5 on the wire, the part that a server reads and writes.
//!
//! rumqttd's codec is not used: it hides packet ids from other crates, wants passwords to be UTF-8, takes a short
//! DISCONNECT for an unfinished one, and reaches `unreachable!()` on packets that only a server may send.

pub mod connect;
mod cursor;
pub mod frame;
pub mod packet;
mod properties;
pub mod reason;
pub mod write;

pub use connect::{Connect, Will};
pub use cursor::Text;
pub use frame::{Frame, Framer};
pub use packet::{Packet, Publish, Subscribe};
pub use reason::Reason;

/// The protocol a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// MQTT 3.1.1.
    V311,
    /// MQTT 5.
    V5,
}

/// Why a connection cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Fault {
    /// What MQTT 5 calls it.
    pub reason: Reason,
    /// In words, for the log.
    pub what: &'static str,
}

impl Fault {
    /// Bytes that are no packet.
    pub const fn malformed(what: &'static str) -> Self {
        Self { reason: Reason::MALFORMED, what }
    }

    /// A packet at the wrong moment, or with values it must not have.
    pub const fn protocol(what: &'static str) -> Self {
        Self { reason: Reason::PROTOCOL_ERROR, what }
    }
}
