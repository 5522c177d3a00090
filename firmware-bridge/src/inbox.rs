//! What the agent says to devices of this bridge: a mailbox for each driver, and each command carried out once.
//!
//! Every word carries an upper bound of its age, so that a driver can tell late mail from fresh: see
//! [`Mail::age_ms`]. Commands that nobody takes and commands past their time are answered here.

use crate::clock::{Clock, Moment};
use crate::place::Place;
use protocol::ids::CommandId;
use protocol::mqtt::payloads::{
    Challenge, CommandMessage, DecisionMessage, ErrorReport, LinkMessage,
};
use protocol::sync::entry::{CommandResult, DeviceKind, Outcome};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tracing::debug;

/// Words that wait for a driver. When it is full the oldest goes: a driver that slow would be late anyway.
const DEPTH: usize = 16;

/// Commands whose answers are remembered.
const REMEMBERED_COMMANDS: usize = 256;

/// Shows a text at a reader or machine.
const DISPLAY: &str = "display";

/// What the agent said.
#[derive(Debug, Clone, PartialEq)]
pub enum Word {
    /// The answer to a tap.
    Decision(DecisionMessage),
    /// An order.
    Command(CommandMessage),
    /// A nonce for a phone.
    Challenge(Challenge),
    /// To whom a machine is lent.
    Link(LinkMessage),
    /// What was wrong with what the device sent.
    Error(ErrorReport),
}

/// A word and how old it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Mail {
    /// What was said.
    pub word: Word,
    /// When it arrived.
    pub arrived: Moment,
    /// How old it was then, at most.
    pub age_ms: u32,
}

impl Mail {
    /// How old it is now, at most.
    pub fn age_ms(&self, clock: &Clock) -> u32 {
        self.age_ms.saturating_add(clock.age_ms(self.arrived))
    }

    /// What is left of a command that counts for `ttl_ms`; zero: it is void. Longer than an hour nobody waits.
    pub fn left_of(&self, ttl_ms: u64, clock: &Clock) -> Duration {
        let left_ms = ttl_ms.saturating_sub(self.age_ms(clock).into());
        Duration::from_millis(left_ms).min(Duration::from_hours(1))
    }
}

/// Where drivers get their mail. Clones share everything.
#[derive(Debug, Clone)]
pub struct Inbox {
    slots: watch::Sender<BTreeMap<Place, Slot>>,
    commands: Arc<Mutex<VecDeque<Known>>>,
}

/// The mailboxes of one place.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    post: broadcast::Sender<Mail>,
    takes: BTreeSet<&'static str>,
}

/// A command that came in.
#[derive(Debug)]
struct Known {
    place: Place,
    id: CommandId,
    /// How it ended, once it has.
    result: Option<CommandResult>,
}

/// What becomes of a command.
enum Admission {
    ToDriver,
    Answered(CommandResult),
    BeingCarriedOut,
}

/// The mail of one place, for one driver.
#[derive(Debug)]
pub struct Mailbox {
    mail: broadcast::Receiver<Mail>,
    takes: &'static [&'static str],
}

impl Default for Inbox {
    fn default() -> Self {
        Self { slots: watch::Sender::new(BTreeMap::new()), commands: Arc::default() }
    }
}

impl Inbox {
    /// A mailbox for `place`. Each driver asks for it once, at its start; several drivers may serve one place, each
    /// with the commands that it carries out and answers. It gets everything but the commands of others.
    pub fn mailbox(&self, place: Place, takes: &'static [&'static str]) -> Mailbox {
        let mut mail = None;
        self.slots.send_modify(|slots| {
            let slot = slots.entry(place).or_insert_with(Slot::new);
            slot.takes.extend(takes);
            mail = Some(slot.post.subscribe());
        });
        let mail = mail.unwrap_or_else(|| broadcast::channel(1).1);
        Mailbox { mail, takes }
    }

    /// A device without ears stands for `place`: commands to it are answered all the same.
    pub fn serve_deaf(&self, place: &Place) {
        self.slots.send_modify(|slots| {
            slots.entry(place.clone()).or_insert_with(Slot::new);
        });
    }

    /// The places that have a mailbox, whenever there is another one.
    pub(crate) fn slots(&self) -> watch::Receiver<BTreeMap<Place, Slot>> {
        self.slots.subscribe()
    }

    /// Hands mail over. What is returned is to be told to the agent: the driver is not asked.
    pub(crate) fn post(&self, place: &Place, mail: Mail) -> Option<CommandResult> {
        if let Word::Command(command) = &mail.word {
            match self.admit(place, command, mail.age_ms) {
                Admission::ToDriver => {}
                Admission::Answered(result) => return Some(result),
                Admission::BeingCarriedOut => return None,
            }
        }
        if let Some(slot) = self.slots.borrow().get(place) {
            // Without a driver that listens, as while the bridge stops, nobody is there to be told.
            let _ = slot.post.send(mail);
        }
        None
    }

    /// Notes how a command ended.
    pub(crate) fn answered(&self, place: &Place, result: &CommandResult) {
        let mut commands = self.commands();
        let is_it = |known: &&mut Known| known.id == result.id && known.place == *place;
        if let Some(known) = commands.iter_mut().find(is_it) {
            known.result = Some(result.clone());
        }
    }

    fn admit(&self, place: &Place, command: &CommandMessage, age_ms: u32) -> Admission {
        let mut commands = self.commands();
        let is_it = |known: &&Known| known.id == command.id && known.place == *place;
        if let Some(known) = commands.iter().find(is_it) {
            debug!(%place, id = %command.id, "a command came again");
            let answer = known.result.clone().map(Admission::Answered);
            return answer.unwrap_or(Admission::BeingCarriedOut);
        }
        let refused = if !self.is_taken(place, &command.command) {
            Some(self.refused(place, &command.command))
        } else if u64::from(age_ms) > command.ttl_ms {
            Some((Outcome::Expired, None))
        } else {
            None
        };
        let result =
            refused.map(|(outcome, detail)| CommandResult { id: command.id, outcome, detail });
        if commands.len() >= REMEMBERED_COMMANDS {
            commands.pop_front();
        }
        let place = place.clone();
        commands.push_back(Known { place, id: command.id, result: result.clone() });
        result.map_or(Admission::ToDriver, Admission::Answered)
    }

    /// Why nobody takes a command. Any reader may be told to show a text; none of those that we drive can.
    fn refused(&self, place: &Place, command: &str) -> (Outcome, Option<String>) {
        let is_here = self.slots.borrow().contains_key(place);
        if is_here && place.kind == DeviceKind::Reader && command == DISPLAY {
            return (Outcome::Failed, Some("has no display".to_owned()));
        }
        (Outcome::Unknown, None)
    }

    fn is_taken(&self, place: &Place, command: &str) -> bool {
        self.slots.borrow().get(place).is_some_and(|slot| slot.takes.contains(command))
    }

    fn commands(&self) -> MutexGuard<'_, VecDeque<Known>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mailbox {
    /// The next word; `None` when there will be no more. May be cancelled.
    pub async fn recv(&mut self) -> Option<Mail> {
        loop {
            match self.mail.recv().await {
                Ok(mail) if self.is_for_me(&mail.word) => return Some(mail),
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => debug!(missed, "mail was dropped unread"),
                Err(RecvError::Closed) => return None,
            }
        }
    }

    fn is_for_me(&self, word: &Word) -> bool {
        match word {
            Word::Command(command) => self.takes.contains(&command.command.as_str()),
            _ => true,
        }
    }
}

impl Slot {
    fn new() -> Self {
        Self { post: broadcast::channel(DEPTH).0, takes: BTreeSet::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn door() -> Place {
        Place::reader(&"door".parse().unwrap())
    }

    fn clock() -> Clock {
        Clock::manual(Uuid::from_u128(1), 1_000)
    }

    fn command(number: u128, word: &str) -> Mail {
        let command = CommandMessage {
            id: CommandId(Uuid::from_u128(number)),
            command: word.into(),
            args: serde_json::Map::new(),
            ttl_ms: 2_000,
        };
        Mail { word: Word::Command(command), arrived: clock().now(), age_ms: 0 }
    }

    fn result(number: u128, outcome: Outcome) -> CommandResult {
        CommandResult { id: CommandId(Uuid::from_u128(number)), outcome, detail: None }
    }

    #[tokio::test]
    async fn two_drivers_of_a_place_get_the_mail_and_each_its_own_commands() {
        let inbox = Inbox::default();
        let mut lock = inbox.mailbox(door(), &["open"]);
        let mut lamp = inbox.mailbox(door(), &["display"]);
        let link = Mail {
            word: Word::Link(LinkMessage {
                linked: false,
                link_id: None,
                display_name: None,
                since_ms: None,
            }),
            ..command(0, "")
        };

        assert_eq!(inbox.post(&door(), command(1, "open")), None);
        assert_eq!(inbox.post(&door(), command(2, "display")), None);
        assert_eq!(inbox.post(&door(), link.clone()), None);

        assert_eq!(lock.recv().await.unwrap(), command(1, "open"));
        assert_eq!(lock.recv().await.unwrap(), link);
        assert_eq!(lamp.recv().await.unwrap(), command(2, "display"));
        assert_eq!(lamp.recv().await.unwrap(), link);
    }

    #[tokio::test]
    async fn a_command_that_comes_again_is_answered_and_not_carried_out_again() {
        let inbox = Inbox::default();
        let mut lock = inbox.mailbox(door(), &["open"]);

        assert_eq!(inbox.post(&door(), command(1, "open")), None);
        assert_eq!(inbox.post(&door(), command(1, "open")), None);
        inbox.answered(&door(), &result(1, Outcome::Done));
        let again = inbox.post(&door(), command(1, "open"));
        inbox.post(&door(), command(2, "open"));

        assert_eq!(again, Some(result(1, Outcome::Done)));
        assert_eq!(lock.recv().await.unwrap(), command(1, "open"));
        assert_eq!(lock.recv().await.unwrap(), command(2, "open"));
    }

    #[test]
    fn what_nobody_takes_is_unknown_and_what_is_too_old_has_expired() {
        let inbox = Inbox::default();
        let _lock = inbox.mailbox(door(), &["open"]);
        let old = Mail { age_ms: 2_001, ..command(3, "open") };

        assert_eq!(inbox.post(&door(), command(1, "dance")), Some(result(1, Outcome::Unknown)));
        assert_eq!(
            inbox.post(&Place::machine(&"bike".parse().unwrap()), command(2, "open")),
            Some(result(2, Outcome::Unknown))
        );
        assert_eq!(inbox.post(&door(), old), Some(result(3, Outcome::Expired)));
    }

    #[test]
    fn a_reader_without_a_display_says_so_and_any_other_place_does_not_know_the_word() {
        let inbox = Inbox::default();
        let bike = Place::machine(&"bike".parse().unwrap());
        let _lock = inbox.mailbox(door(), &["open"]);
        let _console = inbox.mailbox(bike.clone(), &["lock"]);
        let scanner = Place::reader(&"scanner".parse().unwrap());
        inbox.serve_deaf(&scanner);

        let refused = inbox.post(&door(), command(1, "display")).unwrap();
        let unserved = Place::reader(&"gate".parse().unwrap());

        assert_eq!(refused.outcome, Outcome::Failed);
        assert_eq!(refused.detail.as_deref(), Some("has no display"));
        assert_eq!(inbox.post(&door(), command(1, "display")), Some(refused));
        let of_scanner = inbox.post(&scanner, command(4, "display")).unwrap();
        assert_eq!(of_scanner.outcome, Outcome::Failed);
        for (number, place) in [(2, bike), (3, unserved)] {
            let answer = inbox.post(&place, command(number, "display"));
            assert_eq!(answer, Some(result(number, Outcome::Unknown)));
        }
    }

    #[tokio::test]
    async fn a_driver_that_does_not_read_loses_the_oldest() {
        let inbox = Inbox::default();
        let mut lock = inbox.mailbox(door(), &["open"]);

        for number in 1..=20 {
            inbox.post(&door(), command(number, "open"));
        }

        assert_eq!(lock.recv().await.unwrap(), command(5, "open"));
    }

    #[test]
    fn mail_grows_older_while_it_waits() {
        let clock = clock();
        let mail = Mail { age_ms: 300, ..command(1, "open") };

        clock.set(1_200);

        assert_eq!(mail.age_ms(&clock), 500);
        assert_eq!(mail.left_of(2_000, &clock), Duration::from_millis(1_500));
        assert_eq!(mail.left_of(500, &clock), Duration::ZERO);
        assert_eq!(mail.left_of(u64::MAX, &clock), Duration::from_hours(1));
    }
}
