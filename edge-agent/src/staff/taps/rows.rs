//! Taps in words.

use crate::staff::accounts::{Caller, Permission};
use crate::staff::app::Staff;
use crate::staff::recent::TapSeen;
use page_kit::times;
use protocol::mqtt::payloads::{DecisionAction, DecisionOutcome};

/// A row of the log.
pub struct Row {
    /// When, by the branch's clock.
    pub at: String,
    /// Name of the reader.
    pub reader: String,
    /// Whose credential it was, for who may see names; `None` for nobody's.
    pub member: Option<String>,
    /// What was presented.
    pub credential: &'static str,
    /// It opened.
    pub is_granted: bool,
    /// What it did, or why not.
    pub words: String,
    /// Decided without knowing the time.
    pub time_uncertain: bool,
}

/// The newest taps, as this caller may see them.
pub fn newest(staff: &Staff, caller: &Caller, count: usize) -> Vec<Row> {
    let zone = staff.access.zone();
    let seen = staff.recent.taps(count);
    let may_name = caller.role.may(Permission::SeeMembers);
    seen.iter()
        .map(|tap| Row {
            at: times::clock(&zone, tap.stamp.wall_ms),
            reader: reader(staff, tap),
            member: tap
                .member
                .map(|id| if may_name { staff.name_of(id) } else { "A member".to_owned() }),
            credential: tap.credential.word(),
            is_granted: tap.outcome == DecisionOutcome::Granted,
            words: words(tap),
            time_uncertain: tap.time_uncertain,
        })
        .collect()
}

fn reader(staff: &Staff, tap: &TapSeen) -> String {
    let device = staff.watched.registry.by_id(tap.reader);
    device.map_or_else(|| "a reader that is gone".to_owned(), |device| device.name.clone())
}

fn words(tap: &TapSeen) -> String {
    result(tap.outcome, tap.action, &tap.reason)
}

/// What a tap came to.
pub fn result(outcome: DecisionOutcome, action: DecisionAction, reason: &str) -> String {
    let words = match (outcome, action) {
        (DecisionOutcome::Granted, DecisionAction::CheckIn) => "Checked in",
        (DecisionOutcome::Granted, DecisionAction::CheckOut) => "Checked out",
        (DecisionOutcome::Granted, DecisionAction::Link) => "Took the machine",
        (DecisionOutcome::Granted, DecisionAction::Unlink) => "Gave the machine back",
        (DecisionOutcome::Granted, DecisionAction::None) => "Let through",
        (DecisionOutcome::Denied, _) => return refusal(reason),
    };
    words.to_owned()
}

/// Why somebody was not let in, for colleagues: more than the reader's display tells.
pub fn refusal(reason: &str) -> String {
    let words = match reason {
        "stale" => "Presented too long ago: the reader or its line was away",
        "no_roster" => "The branch was never told its members",
        "bad_signature" => "The signature does not fit: a forged or foreign credential",
        "code_expired" => "The code was too old, or from the future",
        "replayed" => "Used before: a copy, or presented twice",
        "unknown_card" => "Nobody's card",
        "disabled_credential" => "Reported lost, or given back",
        "blocked" => "Locked out",
        "wrong_branch" => "No membership for this branch",
        "expired" => "No membership in force",
        "frozen" => "Membership paused",
        "outside_hours" => "Membership does not count at this time",
        "closed" => "The branch is closed",
        "time_uncertain" => "Nobody knows the time, and the branch wants it known",
        "roster_too_old" => "The cloud has been away too long, and they were not let in last time",
        "already_inside" => "Inside already",
        "machine_taken" => "Somebody else has the machine",
        "machine_out_of_order" => "The machine is out of order",
        other => return other.replace('_', " "),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::access::Reason;

    #[test]
    fn every_reason_has_words() {
        for reason in Reason::ALL.into_iter().filter(|reason| *reason != Reason::Granted) {
            let words = refusal(reason.as_str());
            assert!(words.starts_with(char::is_uppercase), "{words}");
        }
    }
}
