//! What the chip has found: who is new is identified, one after the other.

use super::plan::LOOK_ANEW;
use super::{Fault, Link, Notice, Output, What};
use crate::credential::Credential;
use crate::serial::pn532::command::{has_more, went_well};
use crate::serial::pn532::listing::{self, Listed};
use crate::serial::tag::{Finding, Identification, Key, Step, Type2Reader, Type2Step};
use pn532::requests::Command;
use std::mem;
use std::time::Duration;

/// Longest for an exchange with a card or phone: a phone may ask for more time again and again.
const EXCHANGE_WITHIN: Duration = Duration::from_millis(1_200);
/// So long may the agent take to give a nonce.
const NONCE_WITHIN: Duration = Duration::from_millis(1_500);
/// Longest answer of a card over several frames.
const MAX_ANSWER: usize = 1_024;

/// The conversation with a target.
#[derive(Debug)]
pub(super) struct Talk {
    with: Listed,
    subject: Subject,
    /// The answer so far; long ones come in pieces.
    answer: Vec<u8>,
    /// The question for a nonce, if it was asked.
    asked: Option<u32>,
}

#[derive(Debug)]
enum Subject {
    Who(Box<Identification>),
    Message(Type2Reader),
}

impl Link {
    pub(super) fn listed(&mut self, data: &[u8], now: Duration) {
        match listing::parse(data) {
            Some(listed) => self.seen(listed, now),
            None => self.fail(Fault::Silent, now),
        }
    }

    /// The chip has looked and found this.
    /// The chip has looked and found this.
    fn seen(&mut self, listed: Vec<Listed>, now: Duration) {
        self.look(&listed, now);
        self.alone = listed.len() == 1;
        self.found_at = now;
        let fresh = listed.into_iter().filter(|listed| !self.presence.knows(&key(listed)));
        self.listed = fresh.collect();
        self.next_target(now);
    }

    /// That is what lies on the reader now, and nothing else.
    pub(super) fn look(&mut self, listed: &[Listed], now: Duration) {
        let keys: Vec<Key> = listed.iter().map(key).collect();
        let phone = listed.iter().any(|listed| listed.target.is_random());
        let left = self.presence.look(&keys, phone, now);
        if left > 0 {
            self.outputs.push(Output::Notice(Notice::Left(left)));
        }
        self.occupied = !listed.is_empty();
    }

    pub(super) fn phone_is_there(&mut self, data: &[u8], now: Duration) {
        self.held = data.first().is_some_and(|status| went_well(*status));
        // Nobody has looked for anything else.
        self.presence.look_failed();
        if !self.held {
            self.look(&[], now);
            self.plan.extend(LOOK_ANEW);
        }
    }

    pub(super) fn next_target(&mut self, now: Duration) {
        let Some(with) = self.listed.pop_front() else { return self.proceed(now) };
        let (who, step) = Identification::begin(with.target.clone(), self.habits.clone());
        let asked = who.needs_nonce().then(|| self.ask_nonce());
        let subject = Subject::Who(Box::new(who));
        self.talk = Some(Talk { with, subject, answer: Vec::new(), asked });
        self.step(step, now);
    }

    fn ask_nonce(&mut self) -> u32 {
        self.last_request = self.last_request.wrapping_add(1);
        self.outputs.push(Output::AskNonce { request: self.last_request });
        self.last_request
    }

    fn step(&mut self, step: Step, now: Duration) {
        match step {
            Step::Send(bytes) => self.say(&bytes, now),
            Step::AskNonce => {
                let asked = self.talk.as_ref().and_then(|talk| talk.asked);
                let request = asked.unwrap_or_else(|| self.ask_nonce());
                self.wait(What::Nonce(request), NONCE_WITHIN, now);
            }
            Step::Done(finding) => self.found(finding, now),
        }
    }

    pub(super) fn nonce(&mut self, request: u32, nonce: [u8; 16], site_no: u16, now: Duration) {
        let awaited = self.waiting.as_ref().is_some_and(|waits| waits.what == What::Nonce(request));
        let Some(Talk { subject: Subject::Who(who), asked, .. }) = &mut self.talk else { return };
        if !awaited && *asked != Some(request) {
            return;
        }
        if let Some(step) = who.nonce(nonce, site_no) {
            self.waiting = None;
            self.step(step, now);
        }
    }

    fn say(&mut self, bytes: &[u8], now: Duration) {
        let Some(talk) = &mut self.talk else { return self.proceed(now) };
        talk.answer.clear();
        let data = [&[talk.with.number], bytes].concat();
        self.command(Command::InDataExchange, &data, EXCHANGE_WITHIN, now);
    }

    /// The target has answered: status, then data. Bit 6 of the status says that there is more to fetch.
    pub(super) fn heard(&mut self, data: &[u8], now: Duration) {
        let Some(talk) = &mut self.talk else { return self.proceed(now) };
        let number = talk.with.number;
        match data {
            [status, rest @ ..]
                if went_well(*status) && talk.answer.len() + rest.len() <= MAX_ANSWER =>
            {
                talk.answer.extend_from_slice(rest);
                if has_more(*status) {
                    self.command(Command::InDataExchange, &[number], EXCHANGE_WITHIN, now);
                } else {
                    let answer = mem::take(&mut talk.answer);
                    self.understood(&answer, now);
                }
            }
            _ => self.found(Finding::Unreadable, now),
        }
    }

    fn understood(&mut self, answer: &[u8], now: Duration) {
        match self.talk.as_mut().map(|talk| &mut talk.subject) {
            Some(Subject::Who(who)) => {
                let step = who.hear(answer);
                self.step(step, now);
            }
            Some(Subject::Message(reader)) => {
                let step = reader.hear(answer);
                self.carries(step, now);
            }
            None => self.proceed(now),
        }
    }

    fn found(&mut self, finding: Finding, now: Duration) {
        let Some(Talk { with, subject, .. }) = self.talk.take() else { return self.proceed(now) };
        let reading = matches!(subject, Subject::Message(_));
        let random = with.target.is_random();
        match finding {
            _ if reading => {}
            Finding::Credential(credential) => {
                if let Subject::Who(who) = subject {
                    self.habits = who.habits();
                }
                self.report(credential, &with);
                if with.target.is_type2() {
                    return self.read_message(with, now);
                }
                self.held = random && self.alone;
            }
            Finding::Nobody => {
                self.outputs.push(Output::Notice(Notice::Nobody));
                self.held = random && self.alone && with.target.speaks_apdus();
            }
            Finding::Locked => self.outputs.push(Output::Notice(Notice::PhoneLocked)),
            Finding::Unreadable => self.outputs.push(Output::Notice(Notice::Unreadable)),
        }
        self.next_target(now);
    }

    fn report(&mut self, credential: Credential, with: &Listed) {
        let key = Key::of(&credential, &with.target);
        if !self.presence.knows(&key) {
            self.presence.add(key);
            self.outputs.push(Output::Presented { credential, at: self.found_at });
        }
    }

    fn read_message(&mut self, with: Listed, now: Duration) {
        let (reader, step) = Type2Reader::begin();
        self.talk =
            Some(Talk { with, subject: Subject::Message(reader), answer: Vec::new(), asked: None });
        self.carries(step, now);
    }

    fn carries(&mut self, step: Type2Step, now: Duration) {
        match step {
            Type2Step::Send(bytes) => self.say(&bytes, now),
            Type2Step::Done(record) => {
                self.talk = None;
                if let Some(record) = record {
                    self.outputs.push(Output::Notice(Notice::Carries(record)));
                }
                self.next_target(now);
            }
        }
    }
}

fn key(listed: &Listed) -> Key {
    Key::Uid(listed.target.uid.clone())
}
