//! A reader that libnfc drives. The library blocks, so it has a thread of its own.
//!
//! Whom a card stands for is found out as with our own driver; only what lies between is another's.

use super::{Event, Nonce, TapReader};
use nfc1::target_info::TargetInfo;
use nfc1::{BaudRate, Context, Device, Error, Modulation, ModulationType, Property, Timeout};
use protocol::credential::Credential;
use protocol::serial::pn532::Notice;
use protocol::serial::tag::{
    Finding, Habits, Identification, Key, Presence, Step, SunNames, Target,
};
use std::io;
use std::sync::mpsc as blocking;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Between two looks at what lies on the reader.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Between two attempts to open the device.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// So long may the agent take to give a nonce.
const NONCE_WITHIN: Duration = Duration::from_millis(1_500);
/// Longest answer of a card or phone.
const MAX_ANSWER: usize = 264;
/// The chip takes two cards at once.
const MAX_CARDS: usize = 2;

const TYPE_A: Modulation =
    Modulation { modulation_type: ModulationType::Iso14443a, baud_rate: BaudRate::Baud106 };

/// A reader that is served by a thread. Dropping it ends the thread.
#[derive(Debug)]
pub struct Libnfc {
    events: mpsc::Receiver<Event>,
    nonces: blocking::SyncSender<Nonce>,
}

impl Libnfc {
    /// Starts the thread. `connection` is libnfc's name of the device, e.g. `pn532_uart:/dev/ttyUSB0:115200`.
    pub fn start(connection: String, sun: SunNames) -> io::Result<Self> {
        let (to_bridge, events) = mpsc::channel(16);
        let (nonces, given) = blocking::sync_channel(1);
        let watch = Watch {
            habits: Habits { sun, message_length: None },
            events: to_bridge,
            nonces: given,
            presence: Presence::default(),
            origin: Instant::now(),
            last_request: 0,
        };
        std::thread::Builder::new()
            .name("libnfc".into())
            .spawn(move || watch.run(&connection))
            .map(drop)?;
        Ok(Self { events, nonces })
    }
}

impl TapReader for Libnfc {
    async fn next(&mut self) -> io::Result<Event> {
        self.events.recv().await.ok_or_else(|| io::Error::other("the thread of libnfc has ended"))
    }

    fn give(&mut self, nonce: Nonce) {
        // When it is full, nobody waits for a nonce.
        let _ = self.nonces.try_send(nonce);
    }
}

/// What the thread knows.
struct Watch {
    habits: Habits,
    events: mpsc::Sender<Event>,
    nonces: blocking::Receiver<Nonce>,
    presence: Presence,
    origin: Instant,
    last_request: u32,
}

impl Watch {
    fn run(mut self, connection: &str) {
        let mut is_faulty = false;
        while !self.events.is_closed() {
            let error = match open(connection) {
                Ok((context, mut device)) => {
                    is_faulty = false;
                    let firmware = format!("libnfc, {}", device.name());
                    self.tell(Event::Working { firmware });
                    let Err(error) = self.serve(&mut device);
                    // The device must not outlive its context.
                    drop(device);
                    drop(context);
                    error
                }
                Err(error) => error,
            };
            self.presence.look_failed();
            if !std::mem::replace(&mut is_faulty, true) {
                self.tell(Event::Faulty(error.to_string()));
            }
            self.pause(RETRY_EVERY);
        }
    }

    fn serve(&mut self, device: &mut Device) -> Result<std::convert::Infallible, Error> {
        loop {
            if self.events.is_closed() {
                return Err(Error::OperationAborted);
            }
            device.set_property_bool(Property::ActivateField, false)?;
            device.set_property_bool(Property::ActivateField, true)?;
            let mut seen = Vec::new();
            let mut is_phone = false;
            for _ in 0..MAX_CARDS {
                let Some((card, target)) = select(device)? else { break };
                let key = Key::Uid(target.uid.clone());
                is_phone |= target.is_random();
                if seen.contains(&key) {
                    break;
                }
                if !self.presence.knows(&key) {
                    self.identify(device, &target)?;
                }
                if is_phone {
                    self.hold(device, &card);
                }
                seen.push(key);
                device.initiator_deselect_target()?;
            }
            self.presence.look(&seen, is_phone, self.origin.elapsed());
            self.pause(LOOK_EVERY);
        }
    }

    /// Another activation would make another phone of it: waits until it goes.
    fn hold(&self, device: &mut Device, phone: &nfc1::Target) {
        while !self.events.is_closed() && device.initiator_target_is_present(phone).is_ok() {
            self.pause(LOOK_EVERY);
        }
    }

    fn identify(&mut self, device: &mut Device, target: &Target) -> Result<(), Error> {
        let at = Instant::now();
        let (mut who, mut step) = Identification::begin(target.clone(), self.habits.clone());
        let mut asked = who.needs_nonce().then(|| self.ask_nonce());
        let finding = loop {
            step = match step {
                Step::Done(finding) => break finding,
                Step::Send(bytes) => match exchange(device, &bytes)? {
                    Some(answer) => who.hear(&answer),
                    None => break Finding::Unreadable,
                },
                Step::AskNonce => {
                    let request = asked.take().unwrap_or_else(|| self.ask_nonce());
                    let given = self.nonce(request);
                    let Some(step) = given.and_then(|given| who.nonce(given.nonce, given.site_no))
                    else {
                        self.tell(Event::Notice(Notice::NoNonce));
                        return Ok(());
                    };
                    step
                }
            };
        };
        match finding {
            Finding::Credential(credential) => {
                self.habits = who.habits();
                self.report(credential, target, at);
            }
            Finding::Nobody => self.tell(Event::Notice(Notice::Nobody)),
            Finding::Locked => self.tell(Event::Notice(Notice::PhoneLocked)),
            Finding::Unreadable => self.tell(Event::Notice(Notice::Unreadable)),
        }
        Ok(())
    }

    fn report(&mut self, credential: Credential, target: &Target, at: Instant) {
        let key = Key::of(&credential, target);
        if !self.presence.knows(&key) {
            self.presence.add(key);
            self.tell(Event::Presented { credential, at });
        }
    }

    fn ask_nonce(&mut self) -> u32 {
        self.last_request = self.last_request.wrapping_add(1);
        self.tell(Event::NonceWanted { request: self.last_request });
        self.last_request
    }

    fn nonce(&self, request: u32) -> Option<Nonce> {
        let until = Instant::now() + NONCE_WITHIN;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let nonce = self.nonces.recv_timeout(left).ok()?;
            if nonce.request == request {
                return Some(nonce);
            }
        }
    }

    fn tell(&self, event: Event) {
        // Without a receiver the thread is about to end.
        let _ = self.events.blocking_send(event);
    }

    /// Nobody sends a nonce now: a late one is dropped, and the end of the reader ends the pause.
    fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        while let left @ 1.. = until.saturating_duration_since(Instant::now()).as_millis() {
            let left = Duration::from_millis(u64::try_from(left).unwrap_or(u64::MAX));
            if let Err(blocking::RecvTimeoutError::Disconnected) = self.nonces.recv_timeout(left) {
                return;
            }
        }
    }
}

fn open(connection: &str) -> Result<(Context, Device), Error> {
    let mut context = Context::new()?;
    let mut device = context.open_with_connstring(connection)?;
    device.initiator_init()?;
    device.set_property_bool(Property::InfiniteSelect, false)?;
    Ok((context, device))
}

/// Selects a card that does not sleep.
fn select(device: &mut Device) -> Result<Option<(nfc1::Target, Target)>, Error> {
    match device.initiator_select_passive_target(&TYPE_A) {
        Ok(card) => match card.target_info {
            TargetInfo::Iso14443a(a) if a.uid_len > 0 => {
                let uid = a.uid.get(..a.uid_len).unwrap_or_default().to_vec();
                Ok(Some((card, Target { atqa: a.atqa, sak: a.sak, uid })))
            }
            _ => Ok(None),
        },
        Err(error) if is_about_the_card(error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a card answers; `None` when it does not.
fn exchange(device: &mut Device, bytes: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    match device.initiator_transceive_bytes(bytes, MAX_ANSWER, Timeout::Default) {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if is_about_the_card(error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_about_the_card(error: Error) -> bool {
    matches!(
        error,
        Error::Timeout
            | Error::TargetReleased
            | Error::RfTransmissionError
            | Error::MifareAuthFailed
            | Error::Chip
    )
}
