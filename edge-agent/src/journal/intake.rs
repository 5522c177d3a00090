//! From a received message to a place in the group: repeats are left out, rejects limited, times worked out.

use super::classes::Class;
use super::decide::{Came, Decider, Kept, NewTap};
use super::devices::Devices;
use super::group::{Group, PendingEvent};
use super::message::{Item, Publish, Received, What};
use super::recent::RecentIds;
use super::rejects::Rejects;
use super::repeats::{Repeats, put_digest};
use super::retained::Retained;
use super::spent::Spent;
use crate::access::Proof;
use crate::device_time::DeviceTimes;
use crate::floor::{Book, Petition};
use protocol::machine::{Sample, TimedSample};
use protocol::sync::entry::{Body, Event, MAX_ENTRY_BYTES, Reject, Source};
use protocol::time::Stamp;
use rusqlite::Connection;
use tokio::time::Instant;

/// What the writer knows beside the entries. It changes when a message is taken in and is durable with the
/// commit of the message's group.
#[derive(Debug, Default)]
pub struct Memory {
    /// Which messages came before.
    pub repeats: Repeats,
    /// Local numbers.
    pub devices: Devices,
    /// Ids of taps and sets.
    pub recent: RecentIds,
    /// Limits of rejects.
    pub rejects: Rejects,
    /// Retained values.
    pub retained: Retained,
    /// When devices started.
    pub times: DeviceTimes<u32>,
    /// What may be used only once.
    pub spent: Spent,
    /// What holds on the floor.
    pub book: Book,
    /// Who decides about taps.
    pub decider: Decider,
    /// Repeats left out since the start.
    pub repeats_seen: u64,
    /// Rejects taken in since the start.
    pub rejects_seen: u64,
}

/// Whether an event came before.
enum Novelty {
    Repeat,
    /// With the digests that its entry is to carry.
    New(Option<Vec<u8>>),
}

/// What a packed sample costs at most in memory and on disk, for the bound of a group.
const SAMPLE_BYTES: usize = 100;

/// What a counted reject costs of the bound of a group.
const COUNTED_BYTES: usize = 16;

impl Memory {
    /// Takes a message into the group.
    pub fn accept(&mut self, group: &mut Group, now: Instant, stamp: Stamp, received: Received) {
        let Received { source, ack, what, dup, payload_digest, fan_out, proof } = received;
        if let Some(ack) = ack {
            group.add_ack(ack);
        }
        let digest = (dup, payload_digest);
        let (stored, bytes) = match what {
            What::Telemetry(samples) => self.accept_samples(group, source, stamp, samples, digest),
            What::Event(body) => self.accept_event(group, source, stamp, body, digest),
            What::FanOut => (Some(What::FanOut), 0),
        };
        group.arrived(now, bytes);
        let Some(what) = stored else { return };
        if let Some(publish) = &fan_out {
            self.retained.keep(publish);
        }
        let came = self.came_of(source, stamp, &what, proof.as_deref());
        group.items.push(Item { source, stamp, what, publish: fan_out, answer: None });
        if let Some(came) = came {
            self.add(group, stamp, came);
        }
    }

    /// Lets somebody decide about a tap, or tells them of what a device said.
    fn came_of(
        &mut self,
        source: Source,
        stamp: Stamp,
        what: &What,
        proof: Option<&Proof>,
    ) -> Option<Came> {
        let (What::Event(body), Some(device)) = (what, source.device()) else { return None };
        let Self { decider, spent, book, .. } = self;
        let (decider, mut kept) = (decider.0.as_mut()?, Kept { spent, book });
        match (body, proof) {
            (Body::Tap(tap), Some(proof)) => {
                let tap = NewTap { reader: device, stamp, tap, proof };
                Some(decider.decide(&tap, &mut kept))
            }
            (Body::Tap(_), None) => None,
            (body, _) => decider.hear(device, stamp, body, &mut kept),
        }
    }

    /// Lets somebody answer a request, or (without one) lets the time pass.
    pub fn ask(
        &mut self,
        group: &mut Group,
        now: Instant,
        stamp: Stamp,
        petition: Option<Petition>,
    ) {
        let Self { decider, spent, book, .. } = self;
        // Whoever waits hears that nobody answers.
        let Some(decider) = decider.0.as_mut() else { return };
        let mut kept = Kept { spent, book };
        let came = match petition {
            Some(petition) => decider.ask(stamp, petition, &mut kept),
            None => decider.pass(stamp, &mut kept),
        };
        if came.is_empty() && !self.book.is_changed() {
            came.tell();
            return;
        }
        group.is_at_once = true;
        group.arrived(now, 0);
        self.add(group, stamp, came);
    }

    /// Puts what a tap, a request or the time came to into the group.
    fn add(&mut self, group: &mut Group, stamp: Stamp, came: Came) {
        let Came { bodies, answer, publishes, told } = came;
        let mut answer = answer;
        for body in bodies {
            let event = Event { stamp, source: Source::Edge, body };
            let bytes = add_event(group, &event, None);
            group.grew(bytes);
            let is_decision = matches!(event.body, Body::Decision(_));
            let answer = if is_decision { answer.take() } else { None };
            let what = What::Event(event.body);
            group.items.push(Item { source: Source::Edge, stamp, what, publish: None, answer });
        }
        for publish in publishes {
            self.retained.keep(&publish);
            group.items.push(out_going(stamp, publish));
        }
        group.add_told(told);
    }

    /// Shows what is on disk now.
    pub fn show(&mut self, has_changed: bool) {
        if let Some(decider) = &mut self.decider.0 {
            decider.show(&self.book, has_changed);
        }
    }

    fn accept_samples(
        &mut self,
        group: &mut Group,
        source: Source,
        stamp: Stamp,
        mut samples: Vec<Sample>,
        (dup, digest): (bool, u64),
    ) -> (Option<What>, usize) {
        let number = self.devices.number(source.device());
        let seen = self.repeats.device(number);
        let has_bootless = samples.iter().any(|sample| sample.boot.is_none());
        let is_known = has_bootless && dup && seen.knows(digest);
        samples.retain(|sample| match sample.boot {
            Some(boot) => seen.note(boot, sample.seq),
            None => !is_known,
        });
        if has_bootless && !is_known {
            seen.note_digest(digest);
            put_digest(&mut group.digests, number, digest);
        }
        if samples.is_empty() {
            self.repeats_seen += 1;
            return (None, 0);
        }
        for sample in &samples {
            if let Some(uptime_ms) = sample.uptime_ms {
                self.times.observe(number, sample.boot, uptime_ms, stamp.mono_ms);
            }
            group.samples.push(TimedSample {
                source: number,
                mono_ms: stamp.mono_ms,
                sample: *sample,
            });
        }
        let bytes = samples.len() * SAMPLE_BYTES;
        (Some(What::Telemetry(samples)), bytes)
    }

    fn accept_event(
        &mut self,
        group: &mut Group,
        source: Source,
        stamp: Stamp,
        body: Body,
        digest: (bool, u64),
    ) -> (Option<What>, usize) {
        let number = self.devices.number(source.device());
        let Novelty::New(digests) = self.novelty(number, stamp, &body, digest) else {
            self.repeats_seen += 1;
            return (None, 0);
        };
        let body = match body {
            Body::Reject(reject) => {
                self.rejects_seen += 1;
                match self.rejects.admit(number, source, stamp, reject) {
                    Some(reject) => Body::Reject(reject),
                    // Its count is a row of the commit: the ack waits for it, nothing else does.
                    None => return (None, COUNTED_BYTES),
                }
            }
            body => body,
        };
        let event = Event { stamp, source, body };
        let bytes = add_event(group, &event, digests);
        (Some(What::Event(event.body)), bytes)
    }

    /// Whether the event came before.
    fn novelty(
        &mut self,
        number: u32,
        stamp: Stamp,
        body: &Body,
        (dup, digest): (bool, u64),
    ) -> Novelty {
        let (id, boot) = match body {
            Body::Tap(tap) => (Some(tap.tap_id.0), None),
            Body::Set(set) => (set.set_id.map(|id| id.0), set.boot.map(|boot| (boot, set.seq))),
            _ => (None, None),
        };
        let seen = self.repeats.device(number);
        if id.is_none() && boot.is_none() && number != 0 {
            if dup && seen.knows(digest) {
                return Novelty::Repeat;
            }
            seen.note_digest(digest);
            let mut digests = Vec::new();
            put_digest(&mut digests, number, digest);
            return Novelty::New(Some(digests));
        }
        let is_new_number = boot.is_none_or(|(boot, seq)| seen.note(boot, seq));
        let is_new_id = id.is_none_or(|id| self.recent.note(id, stamp));
        if is_new_number && is_new_id { Novelty::New(None) } else { Novelty::Repeat }
    }

    /// Whether a commit has to write more than the entries of its group.
    pub fn is_changed(&self) -> bool {
        self.retained.is_changed() || self.rejects.is_changed() || self.book.is_changed()
    }

    /// Writes everything that changed but the repeats, as part of the caller's transaction.
    pub fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        self.devices.save(connection)?;
        self.recent.save(connection)?;
        self.rejects.save(connection)?;
        self.spent.save(connection)?;
        self.book.save(connection)?;
        self.retained.save(connection)
    }

    /// The transaction is committed.
    pub fn saved(&mut self) {
        self.devices.saved();
        self.recent.saved();
        self.rejects.saved();
        self.spent.saved();
        self.book.saved();
        self.retained.saved();
    }

    /// The file is a new one: everything has to be written anew.
    pub fn unsaved(&mut self) {
        self.devices.unsaved();
        self.recent.unsaved();
        self.rejects.unsaved();
        self.spent.unsaved();
        self.book.unsaved();
        self.retained.unsaved();
        self.repeats.unsaved();
    }

    /// Works out when the samples of a group were taken, and puts samples of a device side by side.
    pub fn seal(&self, group: &mut Group) {
        for timed in &mut group.samples {
            if let Some(uptime_ms) = timed.sample.uptime_ms {
                timed.mono_ms =
                    self.times.date(timed.source, timed.sample.boot, uptime_ms, timed.mono_ms);
            }
        }
        group.samples.sort_by_key(|timed| timed.source);
    }
}

fn out_going(stamp: Stamp, publish: Publish) -> Item {
    let (source, what) = (Source::Edge, What::FanOut);
    Item { source, stamp, what, publish: Some(publish), answer: None }
}

/// Puts an event into the group. Its size.
pub fn add_event(group: &mut Group, event: &Event, digests: Option<Vec<u8>>) -> usize {
    let class = Class::of(&event.body);
    let Event { stamp, source, .. } = *event;
    let mut payload = event.encode();
    if payload.len() > MAX_ENTRY_BYTES {
        payload = Event { stamp, source, body: too_large() }.encode();
    }
    let bytes = payload.len();
    group.is_at_once |= class.is_at_once();
    group.events.push(PendingEvent { class, stamp, payload, digests });
    bytes
}

fn too_large() -> Body {
    Body::Reject(Reject {
        topic: String::new(),
        code: "too_large".to_owned(),
        field: None,
        message: format!("an event has at most {MAX_ENTRY_BYTES} bytes"),
        payload: Vec::new(),
        count: 1,
    })
}
