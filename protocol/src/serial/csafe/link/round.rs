//! What is asked in one round, and how that adapts to a console which refuses whole frames for one command in them.

use super::super::command::{GET_STATUS, GET_VERSION};
use super::super::quirks::Quirks;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

/// The questions of a round.
#[derive(Debug, Clone)]
pub(super) struct Round {
    commands: Vec<u8>,
    /// By the quirks.
    usual_per_frame: usize,
    per_frame: usize,
    /// Commands that the console refuses in its present state, each on its own.
    refused: Vec<u8>,
    waiting: VecDeque<Vec<u8>>,
    /// In this round, more than one command was refused together.
    has_split: bool,
    /// In this round, a single command was refused.
    has_learned: bool,
}

impl Round {
    pub(super) fn new(quirks: &Quirks) -> Self {
        let usual_per_frame = usize::from(quirks.commands_per_frame).max(1);
        let mut commands: Vec<u8> = Vec::new();
        for get in &quirks.commands {
            if !commands.contains(&get.command()) {
                commands.push(get.command());
            }
        }
        Self {
            commands,
            usual_per_frame,
            per_frame: usual_per_frame,
            refused: Vec::new(),
            waiting: VecDeque::new(),
            has_split: false,
            has_learned: false,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Puts the questions of the next round together. Without any the status is asked for.
    pub(super) fn plan(&mut self, with_version: bool) {
        let is_asked = |command: &u8| !self.refused.contains(command);
        let commands: Vec<u8> = self.commands.iter().copied().filter(is_asked).collect();
        self.waiting.extend(commands.chunks(self.per_frame).map(<[u8]>::to_vec));
        if self.waiting.is_empty() {
            self.waiting.push_back(vec![GET_STATUS]);
        }
        if with_version && is_asked(&GET_VERSION) {
            self.waiting.push_front(vec![GET_VERSION]);
        }
    }

    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        self.waiting.pop_front()
    }

    /// The console refused these: the halves are asked on their own, until the one is found that it minds.
    pub(super) fn refused(&mut self, asked: &[u8]) {
        if let &[command] = asked {
            self.refused.push(command);
            self.has_learned = true;
            return;
        }
        let (left, right) = asked.split_at(asked.len() / 2);
        self.waiting.push_front(right.to_vec());
        self.waiting.push_front(left.to_vec());
        self.has_split = true;
    }

    /// A frame that was refused although each half was welcome is too long for the console.
    pub(super) fn finished(&mut self) {
        if self.has_split && !self.has_learned {
            self.per_frame = (self.per_frame.min(self.commands.len()) / 2).max(1);
        }
        self.has_split = false;
        self.has_learned = false;
    }

    pub(super) fn give_up(&mut self) {
        self.waiting.clear();
        self.has_split = false;
        self.has_learned = false;
    }

    pub(super) fn forget_refusals(&mut self) {
        self.refused.clear();
    }

    pub(super) fn begin_anew(&mut self) {
        self.give_up();
        self.forget_refusals();
        self.per_frame = self.usual_per_frame;
    }
}
