//! The closed list of topics below `gymwire/v1/`.

use crate::ids::Code;
use crate::sync::entry::DeviceKind;
use std::fmt;

/// What every topic starts with.
pub const PREFIX: &str = "gymwire/v1/";

/// Whose topic it is; the folder in the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// `machines/`
    Machine,
    /// `readers/`
    Reader,
    /// `bridges/`
    Bridge,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Machine, Self::Reader, Self::Bridge];

    /// The folder in the topic.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Machine => "machines",
            Self::Reader => "readers",
            Self::Bridge => "bridges",
        }
    }

    /// The kind of device that owns such topics.
    pub fn kind(self) -> DeviceKind {
        match self {
            Self::Machine => DeviceKind::Machine,
            Self::Reader => DeviceKind::Reader,
            Self::Bridge => DeviceKind::Bridge,
        }
    }

    /// The role of a kind of device; observers have none.
    pub fn of(kind: DeviceKind) -> Option<Self> {
        match kind {
            DeviceKind::Machine => Some(Self::Machine),
            DeviceKind::Reader => Some(Self::Reader),
            DeviceKind::Bridge => Some(Self::Bridge),
            DeviceKind::Observer => None,
        }
    }
}

/// A topic with the code of the device it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// In: one sample or an array of them.
    MachineTelemetry(Code),
    /// In: a finished strength set.
    MachineSet(Code),
    /// In, retained: what the machine is doing.
    MachineStatus(Code),
    /// In: a report about the machine's own condition.
    MachineMaintenance(Code),
    /// In: raw FTMS notifications.
    MachineFtms(Code),
    /// In: raw CSAFE frames.
    MachineCsafe(Code),
    /// Out, retained: to whom the machine is lent.
    MachineLink(Code),
    /// In: a credential was presented.
    ReaderTap(Code),
    /// Both ways: a nonce for a phone.
    ReaderChallenge(Code),
    /// Out: may they enter.
    ReaderDecision(Code),
    /// In, retained: what the reader is doing.
    ReaderStatus(Code),
    /// In, retained: what the bridge is doing.
    BridgeStatus(Code),
    /// Out: orders to a device.
    Commands(Role, Code),
    /// In: answers to orders.
    Results(Role, Code),
    /// Out: what was wrong with what the device sent.
    Errors(Role, Code),
}

impl Topic {
    /// The topic of a text; `None` if it is not in the list.
    pub fn parse(topic: &str) -> Option<Self> {
        let (folder, rest) = topic.strip_prefix(PREFIX)?.split_once('/')?;
        let (code, leaf) = rest.split_once('/')?;
        let role = Role::ALL.into_iter().find(|role| role.folder() == folder)?;
        let build = Self::of(role, leaf)?;
        code.parse().ok().map(build)
    }

    /// How to build the topic of a role that ends in `leaf`.
    fn of(role: Role, leaf: &str) -> Option<fn(Code) -> Self> {
        Some(match (role, leaf) {
            (Role::Machine, "telemetry") => Self::MachineTelemetry,
            (Role::Machine, "set") => Self::MachineSet,
            (Role::Machine, "status") => Self::MachineStatus,
            (Role::Machine, "maintenance") => Self::MachineMaintenance,
            (Role::Machine, "ftms") => Self::MachineFtms,
            (Role::Machine, "csafe") => Self::MachineCsafe,
            (Role::Machine, "link") => Self::MachineLink,
            (Role::Machine, "commands") => |code| Self::Commands(Role::Machine, code),
            (Role::Machine, "results") => |code| Self::Results(Role::Machine, code),
            (Role::Machine, "errors") => |code| Self::Errors(Role::Machine, code),
            (Role::Reader, "tap") => Self::ReaderTap,
            (Role::Reader, "challenge") => Self::ReaderChallenge,
            (Role::Reader, "decision") => Self::ReaderDecision,
            (Role::Reader, "status") => Self::ReaderStatus,
            (Role::Reader, "commands") => |code| Self::Commands(Role::Reader, code),
            (Role::Reader, "results") => |code| Self::Results(Role::Reader, code),
            (Role::Reader, "errors") => |code| Self::Errors(Role::Reader, code),
            (Role::Bridge, "status") => Self::BridgeStatus,
            (Role::Bridge, "commands") => |code| Self::Commands(Role::Bridge, code),
            (Role::Bridge, "results") => |code| Self::Results(Role::Bridge, code),
            (Role::Bridge, "errors") => |code| Self::Errors(Role::Bridge, code),
            _ => return None,
        })
    }

    /// Every topic of a device, in the order of the list.
    pub fn all_of(role: Role, code: &Code) -> Vec<Self> {
        const LEAVES: [&str; 13] = [
            "telemetry",
            "set",
            "status",
            "maintenance",
            "ftms",
            "csafe",
            "link",
            "tap",
            "challenge",
            "decision",
            "commands",
            "results",
            "errors",
        ];
        LEAVES
            .iter()
            .filter_map(|leaf| Self::of(role, leaf))
            .map(|build| build(code.clone()))
            .collect()
    }

    /// Devices publish it.
    pub fn is_inbound(&self) -> bool {
        matches!(self, Self::ReaderChallenge(_)) || !self.is_outbound()
    }

    /// The agent publishes it and devices subscribe to it.
    pub fn is_outbound(&self) -> bool {
        matches!(
            self,
            Self::MachineLink(_)
                | Self::ReaderChallenge(_)
                | Self::ReaderDecision(_)
                | Self::Commands(..)
                | Self::Errors(..)
        )
    }

    /// Its last message is kept for those who subscribe later.
    pub fn is_retained(&self) -> bool {
        matches!(
            self,
            Self::MachineStatus(_)
                | Self::ReaderStatus(_)
                | Self::BridgeStatus(_)
                | Self::MachineLink(_)
        )
    }

    /// Whose folder it is in.
    pub fn role(&self) -> Role {
        match self {
            Self::MachineTelemetry(_)
            | Self::MachineSet(_)
            | Self::MachineStatus(_)
            | Self::MachineMaintenance(_)
            | Self::MachineFtms(_)
            | Self::MachineCsafe(_)
            | Self::MachineLink(_) => Role::Machine,
            Self::ReaderTap(_)
            | Self::ReaderChallenge(_)
            | Self::ReaderDecision(_)
            | Self::ReaderStatus(_) => Role::Reader,
            Self::BridgeStatus(_) => Role::Bridge,
            Self::Commands(role, _) | Self::Results(role, _) | Self::Errors(role, _) => *role,
        }
    }

    /// The device it belongs to.
    pub fn code(&self) -> &Code {
        match self {
            Self::MachineTelemetry(code)
            | Self::MachineSet(code)
            | Self::MachineStatus(code)
            | Self::MachineMaintenance(code)
            | Self::MachineFtms(code)
            | Self::MachineCsafe(code)
            | Self::MachineLink(code)
            | Self::ReaderTap(code)
            | Self::ReaderChallenge(code)
            | Self::ReaderDecision(code)
            | Self::ReaderStatus(code)
            | Self::BridgeStatus(code)
            | Self::Commands(_, code)
            | Self::Results(_, code)
            | Self::Errors(_, code) => code,
        }
    }

    /// The last part of the topic.
    pub fn leaf(&self) -> &'static str {
        match self {
            Self::MachineTelemetry(_) => "telemetry",
            Self::MachineSet(_) => "set",
            Self::MachineStatus(_) | Self::ReaderStatus(_) | Self::BridgeStatus(_) => "status",
            Self::MachineMaintenance(_) => "maintenance",
            Self::MachineFtms(_) => "ftms",
            Self::MachineCsafe(_) => "csafe",
            Self::MachineLink(_) => "link",
            Self::ReaderTap(_) => "tap",
            Self::ReaderChallenge(_) => "challenge",
            Self::ReaderDecision(_) => "decision",
            Self::Commands(..) => "commands",
            Self::Results(..) => "results",
            Self::Errors(..) => "errors",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}/{}/{}", self.role().folder(), self.code(), self.leaf())
    }
}
