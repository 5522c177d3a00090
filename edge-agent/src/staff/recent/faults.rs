//! What went wrong lately: gaps, rejects, notices.

use protocol::ids::DeviceId;
use protocol::sync::entry::{Gap, GapReason, Notice, Reject, Stream};
use protocol::time::Stamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

const MAX: usize = 100;

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// When it was last.
    pub stamp: Stamp,
    /// How often it was.
    pub count: u64,
    /// Whose message it was, if it was one.
    pub device: Option<DeviceId>,
    /// What kind of thing, in a word.
    pub kind: Kind,
    /// In words.
    pub words: String,
}

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A message could not be used.
    Unusable,
    /// Data is missing.
    Gap,
    /// About the edge itself.
    Notice,
}

impl Kind {
    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Unusable => "Unusable message",
            Self::Gap => "Gap",
            Self::Notice => "Notice",
        }
    }
}

/// The last of them, newest first.
#[derive(Debug, Default)]
pub struct Faults(VecDeque<Fault>);

impl Faults {
    /// A message could not be used.
    pub fn rejected(&mut self, device: Option<DeviceId>, stamp: Stamp, reject: &Reject) {
        let field = reject.field.as_ref().map(|field| format!(" ({field})")).unwrap_or_default();
        let words = format!("{}{field}: {}", reject.code, reject.message);
        let count = u64::from(reject.count).max(1);
        self.add(Fault { stamp, count, device, kind: Kind::Unusable, words });
    }

    /// Data is missing.
    pub fn gap(&mut self, stamp: Stamp, gap: &Gap) {
        let what = match gap.stream {
            Stream::Telemetry => "samples",
            Stream::Status => "statuses",
            Stream::Reject => "records of unusable messages",
            Stream::Fact => "events",
        };
        let why = match gap.reason {
            GapReason::Thinned => "thinned to save space",
            GapReason::Dropped => "dropped to save space",
            GapReason::Damaged => "lost in a damaged file",
        };
        let count = if gap.count > 0 { gap.count.to_string() } else { "Some".to_owned() };
        let words = format!("{count} {what} {why}");
        self.add(Fault { stamp, count: 1, device: None, kind: Kind::Gap, words });
    }

    /// Something about the edge itself.
    pub fn notice(&mut self, stamp: Stamp, notice: &Notice) {
        let words = notice.detail.clone();
        self.add(Fault { stamp, count: 1, device: None, kind: Kind::Notice, words });
    }

    /// The newest first.
    pub fn newest(&self) -> Vec<Fault> {
        self.0.iter().cloned().collect()
    }

    /// One more; the same again is counted and comes to the top.
    pub fn add(&mut self, mut fault: Fault) {
        let is_same = |known: &Fault| {
            (known.device, known.kind, &known.words) == (fault.device, fault.kind, &fault.words)
        };
        if let Some(place) = self.0.iter().position(is_same)
            && let Some(known) = self.0.remove(place)
        {
            // At the same moment: it is read a second time.
            fault.count = if known.stamp == fault.stamp {
                known.count.max(fault.count)
            } else {
                known.count.saturating_add(fault.count)
            };
        }
        self.0.push_front(fault);
        self.0.truncate(MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_fault_again_is_counted_and_not_listed_again() {
        let mut faults = Faults::default();
        let notice = |text: &str| Notice { code: String::new(), detail: text.to_owned() };
        let at = |mono_ms| Stamp { boot: 1, mono_ms, wall_ms: 0, synced: true };

        faults.notice(at(1), &notice("a cable is loose"));
        faults.notice(at(2), &notice("the disk is full"));
        faults.notice(at(3), &notice("a cable is loose"));
        faults.notice(at(3), &notice("a cable is loose"));

        let told: Vec<_> = faults.newest().into_iter().map(|one| (one.words, one.count)).collect();
        assert_eq!(told, [("a cable is loose".to_owned(), 2), ("the disk is full".to_owned(), 1)]);
    }
}
