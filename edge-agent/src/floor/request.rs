//! What somebody may ask of the branch, and what they are answered.

use protocol::access::Reason;
use protocol::ids::{CredentialId, DeviceId, LinkId, MemberId, SessionId, UserId};
use protocol::rules::Refusal;
use tokio::sync::oneshot;
use uuid::Uuid;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// Somebody on the branch's page; journaled with what they did.
    Staff {
        /// Their account, if the cloud knows it.
        id: Option<UserId>,
        /// What they are called.
        name: String,
    },
    /// The cloud, which folds the facts of several branches.
    Cloud,
    /// A member's app.
    App,
}

/// What they want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FloorRequest {
    /// A stay to begin.
    CheckIn { member: MemberId },
    /// A stay to end.
    CheckOut { member: MemberId },
    /// The stay that is known by these ids to end, if it is open.
    EndSession { member: MemberId, sessions: Vec<SessionId> },
    /// This link to end, if it is open.
    EndLink { machine: DeviceId, link: LinkId },
    /// What the cloud knows of the floor from a former edge of this branch: (id, member, since) and (id, member,
    /// machine, since), in Unix milliseconds. It is no deed; what is known here already stays as it is.
    Adopt {
        sessions: Vec<(SessionId, MemberId, i64)>,
        links: Vec<(LinkId, MemberId, DeviceId, i64)>,
    },
    /// A machine.
    Link { member: MemberId, machine: DeviceId },
    /// A machine to be given back, whoever has it.
    Unlink { machine: DeviceId },
    /// To wait for a machine.
    Enqueue { member: MemberId, machine: DeviceId },
    /// To wait no more.
    Dequeue { member: MemberId, machine: DeviceId },
    /// A door to be opened once.
    OpenDoor { reader: DeviceId, reason: String },
    /// A machine's console to be locked.
    LockMachine { machine: DeviceId, reason: Option<String> },
    /// A machine's console to be unlocked.
    UnlockMachine { machine: DeviceId },
    /// A machine to be put out of use, or back into use.
    OutOfOrder { machine: DeviceId, is_out: bool, reason: Option<String> },
    /// Something to be written down about a machine.
    Maintenance { machine: DeviceId, note: String },
    /// The next card at this reader to become the member's; answered when it was presented, or after 60 s.
    EnrolCard { member: MemberId, reader: DeviceId },
    /// No card to be taken any more.
    CancelEnrolment { reader: DeviceId },
    /// A member to be locked out.
    BlockMember { member: MemberId, reason: String },
    /// A member to be let in again.
    UnblockMember { member: MemberId },
}

/// What it came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FloorAnswer {
    /// The stay that began or ended.
    pub session: Option<SessionId>,
    /// The link that began or ended.
    pub link: Option<LinkId>,
    /// The card that was given out.
    pub credential: Option<CredentialId>,
    /// It was so already, and nothing changed.
    pub is_repeat: bool,
}

/// Why it came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FloorRefusal {
    /// The rules of stays and machines.
    #[error("{0}")]
    Rules(#[from] Refusal),
    /// The member may not be here now.
    #[error("the member may not come in: {}", .0.as_str())]
    Access(Reason),
    /// Nobody of that id is in the roster.
    #[error("the branch knows no such member")]
    UnknownMember,
    /// The branch has no such machine or reader.
    #[error("the branch has no such device")]
    UnknownDevice,
    /// It could not be told.
    #[error("the device is not connected")]
    NotConnected,
    /// The device answered that it did not, or did not answer in time.
    #[error("the device did not: {0}")]
    Failed(String),
    /// No card was presented in time.
    #[error("no card was presented in time")]
    NoCard,
    /// Somebody else waits for a card at this reader.
    #[error("a card is awaited at this reader already")]
    ReaderBusy,
    /// The card belongs to another member.
    #[error("the card belongs to another member")]
    CardTaken,
    /// A text is empty or too long.
    #[error("{0} has 1 to 500 characters")]
    Text(&'static str),
    /// Too much waits for the cloud.
    #[error("the cloud has to take over what was changed here first")]
    TooManyChanges,
    /// The agent stops.
    #[error("the agent stops")]
    Stopping,
}

impl FloorRefusal {
    /// For machines.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rules(refusal) => refusal.code(),
            Self::Access(reason) => reason.as_str(),
            Self::UnknownMember => "unknown_member",
            Self::UnknownDevice => "unknown_device",
            Self::NotConnected => "not_connected",
            Self::Failed(_) => "failed",
            Self::NoCard => "no_card",
            Self::ReaderBusy => "reader_busy",
            Self::CardTaken => "card_taken",
            Self::Text(_) => "invalid_text",
            Self::TooManyChanges => "too_many_changes",
            Self::Stopping => "stopping",
        }
    }
}

/// How the asker hears of it.
pub type Reply = oneshot::Sender<Result<FloorAnswer, FloorRefusal>>;

/// A request on its way to the journal's thread.
#[derive(Debug)]
pub struct Petition {
    pub by: Asker,
    pub request: FloorRequest,
    /// What begins gets this id, if the asker has drawn one.
    pub id: Option<Uuid>,
    pub reply: Reply,
}
