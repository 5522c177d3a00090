//! Readers of cards and phones: what is presented becomes a tap of the reader, a phone gets a nonce of the agent.
//!
//! A [`TapReader`] is a reader of any make: [`uart::Pn532Uart`] speaks to the chip itself, `libnfc::Libnfc` lets
//! libnfc do so (feature `libnfc`), and the emulators bring one that needs no port.

#[cfg(feature = "libnfc")]
pub mod libnfc;
pub mod uart;

use crate::config::{NfcConfig, NfcDriver};
use crate::desk::Desk;
use crate::inbox::{Mailbox, Word};
use crate::place::Place;
use crate::port::Port;
use protocol::credential::Credential;
use protocol::ids::Code;
use protocol::mqtt::payloads::Challenge;
use protocol::mqtt::topics::Topic;
use protocol::serial::pn532::{Link, Notice};
use protocol::sync::entry::{DeviceState, DeviceStatus};
use std::io;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// What waits for the disk. When it is full the reader waits.
const DEPTH: usize = 16;

/// Something that reads cards and phones.
pub trait TapReader {
    /// What happens next; an error when the device is gone. May be cancelled.
    fn next(&mut self) -> impl Future<Output = io::Result<Event>> + Send;

    /// Answers [`Event::NonceWanted`].
    fn give(&mut self, nonce: Nonce);
}

/// What happens at a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something was presented.
    Presented {
        /// What.
        credential: Credential,
        /// When.
        at: Instant,
    },
    /// A phone is there that wants to be asked; the answer is good for a second or so.
    NonceWanted {
        /// Number of the question.
        request: u32,
    },
    /// It works, for the first time or again.
    Working {
        /// What it is.
        firmware: String,
    },
    /// It does not work, and why; said once until it works again.
    Faulty(String),
    /// Something that is no presentation.
    Notice(Notice),
}

/// What a phone is asked.
#[derive(Debug, Clone, Copy)]
pub struct Nonce {
    /// Number of the question that it answers.
    pub request: u32,
    /// Random bytes.
    pub nonce: [u8; 16],
    /// Number of the branch.
    pub site_no: u16,
}

/// Serves one reader until it is stopped, however often it comes and goes.
pub async fn run(config: NfcConfig, desk: Desk, stop: CancellationToken) -> anyhow::Result<()> {
    let place = Place::reader(&config.code);
    let (to_keep, kept) = mpsc::channel(DEPTH);
    let service = Service {
        mail: desk.inbox.mailbox(place.clone(), &[]),
        session: session()?,
        place: place.clone(),
        desk: desk.clone(),
        to_keep,
    };
    let keep = keep(config.code.clone(), desk.clone(), kept);
    let read = async {
        match config.driver {
            NfcDriver::Pn532Uart => over_uart(config, place, desk, service, &stop).await,
            NfcDriver::Libnfc => over_libnfc(config, service, &stop).await?,
        }
        Ok(())
    };
    let ((), ended) = tokio::join!(keep, read);
    ended
}

async fn over_uart(
    config: NfcConfig,
    place: Place,
    desk: Desk,
    mut service: Service,
    stop: &CancellationToken,
) {
    let origin = Instant::now();
    let mut link = Link::new(config.settings());
    let mut port = Port::new(place, config.port, config.baud, desk).must_answer();
    while let Some(stream) = port.open(stop).await {
        let mut reader = uart::Pn532Uart::new(stream, &mut link, origin);
        match service.serve(&mut reader, stop).await {
            Ok(()) => break,
            Err(error) => port.lost(&error),
        }
    }
}

#[cfg(feature = "libnfc")]
async fn over_libnfc(
    config: NfcConfig,
    mut service: Service,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let connection = format!("pn532_uart:{}:{}", config.port.display(), config.baud);
    let mut reader = libnfc::Libnfc::start(connection, config.settings().sun)?;
    Ok(service.serve(&mut reader, stop).await?)
}

#[cfg(not(feature = "libnfc"))]
fn over_libnfc(
    _: NfcConfig,
    _: Service,
    _: &CancellationToken,
) -> std::future::Ready<anyhow::Result<()>> {
    let missing = anyhow::anyhow!("nfc.driver: this firmware-bridge was built without libnfc");
    std::future::ready(Err(missing))
}

/// What the service of a reader needs.
struct Service {
    place: Place,
    desk: Desk,
    mail: Mailbox,
    /// In front of the numbers of questions, so that an answer to an earlier life of this program is none to us.
    session: String,
    to_keep: mpsc::Sender<ToKeep>,
}

/// What goes to the agent by way of the disk.
enum ToKeep {
    Tap { credential: Credential, at: Instant },
    Question(String),
}

impl Service {
    /// Returns when it is stopped, or with the error of the reader.
    async fn serve(
        &mut self,
        reader: &mut impl TapReader,
        stop: &CancellationToken,
    ) -> io::Result<()> {
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                event = reader.next() => self.take(event?).await?,
                Some(mail) = self.mail.recv() => {
                    if let Word::Challenge(answer) = mail.word
                        && let Some(nonce) = self.nonce(&answer)
                    {
                        reader.give(nonce);
                    }
                }
            }
        }
    }

    async fn take(&self, event: Event) -> io::Result<()> {
        let reader = &self.place.code;
        match event {
            Event::Presented { credential, at } => {
                self.keep(ToKeep::Tap { credential, at }).await?;
            }
            Event::NonceWanted { request } => {
                self.keep(ToKeep::Question(format!("{}{request}", self.session))).await?;
            }
            Event::Working { firmware } => {
                info!(%reader, firmware, "card reader works");
                self.note(DeviceState::Idle, Some(firmware), None);
            }
            Event::Faulty(why) => {
                warn!(%reader, why, "card reader does not work: trying on");
                self.note(DeviceState::Offline, None, Some(why));
            }
            Event::Notice(notice) => debug!(%reader, ?notice, "no presentation"),
        }
        Ok(())
    }

    async fn keep(&self, what: ToKeep) -> io::Result<()> {
        self.to_keep.send(what).await.map_err(io::Error::other)
    }

    fn note(&self, state: DeviceState, firmware: Option<String>, error: Option<String>) {
        self.desk.note(&self.place, DeviceStatus { state, firmware, uptime_ms: None, error });
    }

    fn nonce(&self, answer: &Challenge) -> Option<Nonce> {
        let request = answer.request_id.strip_prefix(&self.session)?.parse().ok()?;
        let site_no = answer.site_no.unwrap_or_default();
        Some(Nonce { request, nonce: answer.nonce?, site_no })
    }
}

fn session() -> anyhow::Result<String> {
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
    Ok(format!("{:08x}-", u32::from_be_bytes(random)))
}

/// Makes taps of presentations. Their age begins when they were made, not when the disk had time for them.
async fn keep(reader: Code, desk: Desk, mut kept: mpsc::Receiver<ToKeep>) {
    while let Some(what) = kept.recv().await {
        match what {
            ToKeep::Tap { credential, at } => {
                let taken = desk.clock.ago(at.elapsed());
                desk.tap(&reader, &credential, taken).await;
            }
            ToKeep::Question(request_id) => {
                let question = Challenge { request_id, nonce: None, valid_ms: None, site_no: None };
                let topic = Topic::ReaderChallenge(reader.clone());
                match serde_json::to_vec(&question) {
                    Ok(payload) => {
                        if let Err(refused) = desk.tell(topic, payload).await {
                            warn!(%reader, %refused, "the agent cannot be asked for a nonce");
                        }
                    }
                    Err(error) => warn!(%reader, %error, "a question cannot be written"),
                }
            }
        }
    }
}
