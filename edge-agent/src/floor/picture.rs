//! What holds, as it is on disk, for everybody but the journal's thread.

use super::book::Book;
use super::line::Line;
use super::local::Local;
use super::usual::LinkTimes;
use protocol::access::decision::Warning;
use protocol::ids::{DeviceId, MemberId, TapId};
use protocol::mqtt::payloads::{DecisionAction, DecisionOutcome};
use protocol::rules::State;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::watch;

/// So many taps are shown.
const TAPS: usize = 100;

/// What holds.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    pub state: State,
    pub local: Local,
    pub line: Option<Line>,
    pub link_times: LinkTimes,
    pub taps: VecDeque<SeenTap>,
}

/// A tap, and what was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenTap {
    /// Which presentation.
    pub tap: TapId,
    /// Unix milliseconds.
    pub at_ms: i64,
    /// Where.
    pub reader: DeviceId,
    /// Whose card it was, if anybody's.
    pub member: Option<MemberId>,
    /// May they.
    pub outcome: DecisionOutcome,
    /// What it did.
    pub action: DecisionAction,
    /// Machine-readable.
    pub reason: String,
    /// What staff should see although they were let in.
    pub warnings: Vec<Warning>,
}

/// Draws pictures for whoever watches.
pub struct Painter {
    shown: watch::Sender<Arc<Picture>>,
    taps: VecDeque<SeenTap>,
    has_new_taps: bool,
}

impl Painter {
    pub fn new(shown: watch::Sender<Arc<Picture>>) -> Self {
        Self { shown, taps: VecDeque::with_capacity(TAPS), has_new_taps: false }
    }

    /// A tap was decided; it is shown with the next picture.
    pub fn saw(&mut self, tap: SeenTap) {
        if self.taps.len() == TAPS {
            self.taps.pop_front();
        }
        self.taps.push_back(tap);
        self.has_new_taps = true;
    }

    /// Shows what is on disk, if it is something new.
    pub fn show(&mut self, book: &Book, has_changed: bool) {
        if !std::mem::take(&mut self.has_new_taps) && !has_changed {
            return;
        }
        self.shown.send_replace(Arc::new(Picture {
            state: book.state.clone(),
            local: book.local.clone(),
            line: book.line(),
            link_times: book.link_times.clone(),
            taps: self.taps.clone(),
        }));
    }
}
