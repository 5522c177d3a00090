//! The scanner's line as a value: splits bytes into codes, and takes repeats of a code as one presentation.
//!
//! Time is a `Duration` since any origin, never going back. The link must be told of every byte in order.

use super::text;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;
use core::time::Duration;

/// A longer line is not a code: it is discarded up to its end.
pub const MAX_LINE: usize = 512;

/// So long must a line without an ending be silent to be complete. At 9600 baud a byte takes 1 ms.
pub const IDLE: Duration = Duration::from_millis(100);

/// A line that must end in CR or LF and does not go on for so long is broken.
const BROKEN_AFTER: Duration = Duration::from_secs(1);

/// Codes remembered for the repeat window; a scanner sees one or two phones at a time.
const MAX_RECENT: usize = 16;

/// How the scanner marks the end of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ending {
    /// CR, LF, CR LF or nothing: silence ends a code too.
    #[default]
    Any,
    /// Always CR or LF: what stops in the middle is broken and discarded.
    Line,
}

/// How the scanner is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What ends a code.
    pub ending: Ending,
    /// The same code again within this time is the same presentation.
    pub repeat_within: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { ending: Ending::Any, repeat_within: Duration::from_secs(3) }
    }
}

/// What happens to the link.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// The scanner sent bytes.
    Bytes(&'a [u8]),
    /// Time has passed; due at [`Link::wake_at`].
    Tick,
    /// The port was opened anew: what was begun before can never be completed.
    Reopened,
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Somebody presented a code.
    Code {
        /// Without prefix and ending, at most [`MAX_LINE`] characters.
        code: String,
        /// When its last byte arrived.
        at: Duration,
    },
}

/// What was not a presentation, since the link exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Lines above [`MAX_LINE`].
    pub overlong: u64,
    /// Lines that broke off.
    pub partial: u64,
    /// Codes seen again within the repeat window.
    pub repeated: u64,
}

/// The line to one scanner.
#[derive(Debug, Clone, Default)]
pub struct Link {
    settings: Settings,
    line: Vec<u8>,
    /// The running line is too long; wait for its end.
    discarding: bool,
    /// When the last byte of the running line came; `None` between lines.
    last_byte: Option<Duration>,
    recent: VecDeque<(String, Duration)>,
    counts: Counts,
}

impl Link {
    /// A link to a scanner with these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// What was not a presentation so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// When the link wants a [`Input::Tick`].
    pub fn wake_at(&self) -> Option<Duration> {
        self.last_byte.map(|at| at.saturating_add(self.patience()))
    }

    /// Takes what happened and says what comes of it.
    pub fn handle(&mut self, input: Input<'_>, now: Duration) -> Vec<Output> {
        let mut outputs = Vec::new();
        if self.wake_at().is_some_and(|due| due <= now) {
            outputs.extend(self.fall_silent());
        }
        match input {
            Input::Tick => {}
            Input::Reopened => self.break_off(),
            Input::Bytes(bytes) => {
                outputs.extend(bytes.iter().filter_map(|byte| self.take(*byte, now)));
            }
        }
        outputs
    }

    fn patience(&self) -> Duration {
        match self.settings.ending {
            Ending::Any => IDLE,
            Ending::Line => BROKEN_AFTER,
        }
    }

    fn take(&mut self, byte: u8, now: Duration) -> Option<Output> {
        if matches!(byte, b'\r' | b'\n') {
            self.last_byte = None;
            return self.complete(now);
        }
        self.last_byte = Some(now);
        if self.line.len() == MAX_LINE && !self.discarding {
            self.discarding = true;
            self.counts.overlong += 1;
            self.line.clear();
        }
        if !self.discarding {
            self.line.push(byte);
        }
        None
    }

    fn fall_silent(&mut self) -> Option<Output> {
        if self.settings.ending == Ending::Line {
            self.break_off();
            return None;
        }
        let at = self.last_byte.take()?;
        self.complete(at)
    }

    fn break_off(&mut self) {
        self.last_byte = None;
        if !mem::take(&mut self.discarding) && text::code(&mem::take(&mut self.line)).is_some() {
            self.counts.partial += 1;
        }
    }

    fn complete(&mut self, at: Duration) -> Option<Output> {
        let line = mem::take(&mut self.line);
        if mem::take(&mut self.discarding) {
            return None;
        }
        let code = text::code(&line)?;
        if self.is_repeat(&code, at) {
            self.counts.repeated += 1;
            return None;
        }
        Some(Output::Code { code, at })
    }

    /// A phone that stays in front of the scanner renews the window with every read, else holding it for
    /// long would check in and out in turn.
    fn is_repeat(&mut self, code: &str, at: Duration) -> bool {
        let window = self.settings.repeat_within;
        self.recent.retain(|(_, seen)| at.saturating_sub(*seen) < window);
        if let Some(known) = self.recent.iter_mut().find(|(known, _)| known == code) {
            known.1 = at;
            return true;
        }
        if self.recent.len() == MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((code.into(), at));
        false
    }
}

#[cfg(test)]
mod tests;
