//! What went wrong lately: gaps, rejects, notices.

use protocol::ids::DeviceId;
use protocol::sync::entry::{Gap, GapReason, Notice, Reject, Stream};
use protocol::time::Stamp;
use std::collections::VecDeque;

const MAX: usize = 100;

/// Something that went wrong.
#[derive(Debug, Clone)]
pub struct Fault {
    /// When.
    pub stamp: Stamp,
    /// Whose message it was, if it was one.
    pub device: Option<DeviceId>,
    /// What kind of thing, in a word.
    pub kind: &'static str,
    /// In words.
    pub words: String,
}

/// The last of them, newest first.
#[derive(Debug, Default)]
pub struct Faults(VecDeque<Fault>);

impl Faults {
    /// A message could not be used.
    pub fn rejected(&mut self, device: Option<DeviceId>, stamp: Stamp, reject: &Reject) {
        let field = reject.field.as_ref().map(|field| format!(" ({field})")).unwrap_or_default();
        let count =
            if reject.count > 1 { format!(", {} times", reject.count) } else { String::new() };
        let words = format!("{}{field}: {}{count}", reject.code, reject.message);
        self.push(Fault { stamp, device, kind: "Unusable message", words });
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
        self.push(Fault {
            stamp,
            device: None,
            kind: "Gap",
            words: format!("{count} {what} {why}"),
        });
    }

    /// Something about the edge itself.
    pub fn notice(&mut self, stamp: Stamp, notice: &Notice) {
        self.push(Fault { stamp, device: None, kind: "Notice", words: notice.detail.clone() });
    }

    /// The newest first.
    pub fn newest(&self) -> Vec<Fault> {
        self.0.iter().cloned().collect()
    }

    fn push(&mut self, fault: Fault) {
        self.0.push_front(fault);
        self.0.truncate(MAX);
    }
}
