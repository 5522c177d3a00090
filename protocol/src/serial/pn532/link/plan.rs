//! What is done with the chip, in which order, and how long each step may take.

use super::{Fault, Link, Output, Waiting, What};
use crate::serial::pn532::command::{ABORT, WAKE_UP};
use crate::serial::tag::ABSENCE;
use pn532::requests::Command;
use std::time::Duration;

/// The chip acks within 15 ms; a USB adapter may hold bytes back for 16 ms more.
const ACK_WITHIN: Duration = Duration::from_millis(100);
/// Longest for a command that has nothing to do with cards.
const ANSWER_WITHIN: Duration = Duration::from_millis(200);
/// So long may the chip wait for a card without proving that it lives.
const IDLE_FOR: Duration = Duration::from_secs(2);
/// So long may it take to find a card that was there just now.
const FIND_WITHIN: Duration = Duration::from_millis(150);
/// Between two looks at what lies on the reader.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Without a field for so long every card starts anew.
const FIELD_OFF: Duration = Duration::from_millis(10);

/// One thing that is done with the chip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Rest(Duration),
    WakeUp,
    Version,
    Retries,
    FieldOff,
    List { within: Duration },
    IsPhoneThere,
}

/// Before the next look. A chip that was reset since finds nothing, which must not pass for absence: it is configured
/// first, and looks as often as it should even so. A card that was selected, though its listing was lost on the line,
/// answers again after the field was off; the look itself switches it on.
pub(super) const LOOK_ANEW: [Act; 3] = [Act::WakeUp, Act::FieldOff, Act::Rest(FIELD_OFF)];

impl Link {
    /// Does the next of what is planned, or plans what comes next.
    pub(super) fn proceed(&mut self, now: Duration) {
        if self.waiting.is_some() {
            return;
        }
        if self.plan.is_empty() {
            self.plan_next_look();
        }
        let Some(act) = self.plan.pop_front() else { return };
        match act {
            Act::Rest(pause) if pause.is_zero() => self.proceed(now),
            Act::Rest(pause) => self.wait(What::Rest, pause, now),
            Act::WakeUp => {
                let mut line = ABORT.to_vec();
                line.extend_from_slice(&WAKE_UP);
                self.outputs.push(Output::Write(line));
                self.asked_at = now;
                self.command(Command::SAMConfiguration, &[0x01, 0x00, 0x00], ANSWER_WITHIN, now);
            }
            Act::Version => self.command(Command::GetFirmwareVersion, &[], ANSWER_WITHIN, now),
            // Look for ever for a card, answer at once for the rest.
            Act::Retries => {
                self.command(
                    Command::RFConfiguration,
                    &[0x05, 0xFF, 0x01, 0xFF],
                    ANSWER_WITHIN,
                    now,
                );
            }
            Act::FieldOff => {
                self.command(Command::RFConfiguration, &[0x01, 0x00], ANSWER_WITHIN, now);
            }
            Act::List { within } => {
                self.command(Command::InListPassiveTarget, &[0x02, 0x00], within, now);
            }
            // A request to repeat the last block: any answer will do.
            Act::IsPhoneThere => {
                self.command(Command::InCommunicateThru, &[0xB2], ANSWER_WITHIN, now);
            }
        }
    }

    fn plan_next_look(&mut self) {
        if self.held {
            self.plan.extend([Act::Rest(LOOK_EVERY), Act::IsPhoneThere]);
        } else if self.occupied {
            self.plan.push_back(Act::Rest(LOOK_EVERY));
            self.plan.extend(LOOK_ANEW);
            self.plan.push_back(Act::List { within: FIND_WITHIN });
        } else if self.presence.is_empty() {
            self.plan.push_back(Act::List { within: IDLE_FOR });
        } else {
            self.plan.push_back(Act::List { within: ABSENCE });
        }
    }

    /// The chip looks and has found nothing yet. It goes on looking, unless it has to prove that it lives, or somebody
    /// was there just now and may be deaf.
    pub(super) fn nothing_found(&mut self, now: Duration) {
        let was_occupied = self.occupied;
        self.look(&[], now);
        let left = IDLE_FOR.saturating_sub(now.saturating_sub(self.asked_at));
        if was_occupied || !self.presence.is_empty() || left.is_zero() {
            self.outputs.push(Output::Write(ABORT.to_vec()));
            self.plan.extend(LOOK_ANEW);
            self.proceed(now);
        } else {
            self.wait(What::Answer(Command::InListPassiveTarget), left, now);
        }
    }

    pub(super) fn command(
        &mut self,
        command: Command,
        data: &[u8],
        answer_within: Duration,
        now: Duration,
    ) {
        self.framer.clear();
        match self.commands.frame(command, data) {
            Some(frame) => {
                self.outputs.push(Output::Write(frame));
                self.wait(What::Ack { command, answer_within }, ACK_WITHIN, now);
            }
            None => self.fail(Fault::Refused, now),
        }
    }

    pub(super) fn wait(&mut self, what: What, time: Duration, now: Duration) {
        self.waiting = Some(Waiting { until: now.saturating_add(time), what });
    }
}
