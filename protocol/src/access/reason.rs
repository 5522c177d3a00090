//! Why a decision is as it is: a code for machines, and words for the reader's display that tell the person before
//! it no more than they may know.

use crate::mqtt::payloads::DecisionAction;

/// The reason of a decision. The order is that of precedence where several hold, see [`super::decision`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Presented too long ago: it decides nothing.
    Stale,
    /// The branch was never told who its members are.
    NoRoster,
    /// A signature or MAC does not fit.
    BadSignature,
    /// A code whose time is over or has not come.
    CodeExpired,
    /// A counter, nonce or code that was used before.
    Replayed,
    /// Nobody's.
    UnknownCard,
    /// Lost or given back.
    DisabledCredential,
    /// The member is locked out.
    Blocked,
    /// Nothing that counts in this branch, but something in another one; or a code for another one.
    WrongBranch,
    /// No membership is in force.
    Expired,
    /// The membership is paused.
    Frozen,
    /// The membership does not count at this time of the week.
    OutsideHours,
    /// The branch is closed.
    Closed,
    /// Nobody knows the time, and the branch wants it known.
    TimeUncertain,
    /// The cloud has been silent for too long, and this member was not let in last time.
    RosterTooOld,
    /// They are inside.
    AlreadyInside,
    /// Somebody else has the machine.
    MachineTaken,
    /// The machine cannot be used.
    MachineOutOfOrder,
    /// They may.
    Granted,
}

impl Reason {
    /// Every reason, in the order of precedence.
    pub const ALL: [Self; 19] = [
        Self::Stale,
        Self::NoRoster,
        Self::BadSignature,
        Self::CodeExpired,
        Self::Replayed,
        Self::UnknownCard,
        Self::DisabledCredential,
        Self::Blocked,
        Self::WrongBranch,
        Self::Expired,
        Self::Frozen,
        Self::OutsideHours,
        Self::Closed,
        Self::TimeUncertain,
        Self::RosterTooOld,
        Self::AlreadyInside,
        Self::MachineTaken,
        Self::MachineOutOfOrder,
        Self::Granted,
    ];

    /// The code, as it is sent and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::NoRoster => "no_roster",
            Self::BadSignature => "bad_signature",
            Self::CodeExpired => "code_expired",
            Self::Replayed => "replayed",
            Self::UnknownCard => "unknown_card",
            Self::DisabledCredential => "disabled_credential",
            Self::Blocked => "blocked",
            Self::WrongBranch => "wrong_branch",
            Self::Expired => "expired",
            Self::Frozen => "frozen",
            Self::OutsideHours => "outside_hours",
            Self::Closed => "closed",
            Self::TimeUncertain => "time_uncertain",
            Self::RosterTooOld => "roster_too_old",
            Self::AlreadyInside => "already_inside",
            Self::MachineTaken => "machine_taken",
            Self::MachineOutOfOrder => "machine_out_of_order",
            Self::Granted => "granted",
        }
    }

    /// What the reader shows. Only who is let in is greeted by name; a stranger with a found card learns neither
    /// whose it is nor why it does not work.
    pub fn display(self, action: DecisionAction, name: Option<&str>) -> String {
        let words = match self {
            Self::Granted => return greeting(action, name),
            Self::Stale | Self::Replayed => "Please try again",
            Self::CodeExpired => "This code is too old, please show a new one",
            Self::BadSignature | Self::UnknownCard => "Not known here",
            Self::DisabledCredential | Self::Blocked | Self::Frozen | Self::Expired => {
                "Please ask at the desk"
            }
            Self::WrongBranch => "Not valid in this branch",
            Self::OutsideHours => "Not valid at this time",
            Self::Closed => "We are closed",
            Self::NoRoster | Self::TimeUncertain | Self::RosterTooOld => "Please ask the staff",
            Self::AlreadyInside => "Already inside, please ask at the desk",
            Self::MachineTaken => "Somebody else is using this machine",
            Self::MachineOutOfOrder => "This machine is out of order",
        };
        words.to_owned()
    }
}

fn greeting(action: DecisionAction, name: Option<&str>) -> String {
    let word = match action {
        DecisionAction::CheckOut => "Goodbye",
        DecisionAction::Link => "Have a good workout",
        DecisionAction::Unlink => "Thank you",
        DecisionAction::CheckIn | DecisionAction::None => "Welcome",
    };
    match name {
        Some(name) if !name.is_empty() => format!("{word}, {name}"),
        _ => word.to_owned(),
    }
}
