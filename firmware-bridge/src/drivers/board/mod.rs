//! Our own boards: samples, sets, states and answers to the agent, its commands to the board.
//!
//! The board keeps what it says until the agent has it on disk, so nothing is kept here: what was on its way when
//! the bridge is killed comes again. What is said is decided in [`conversation`]; here is the I/O.

pub mod conversation;

use crate::config::BoardConfig;
use crate::desk::Desk;
use crate::inbox::{Mail, Mailbox, Word};
use crate::place::Place;
use crate::port::Port;
use crate::queue::Refused;
use anyhow::{Result, anyhow};
use conversation::{Action, Conversation, Event};
use protocol::mqtt::topics::Topic;
use protocol::serial::board::link::Input;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

/// The commands that boards are told.
const COMMANDS: &[&str] = &["lock", "unlock", "reset", "display"];

/// A board that takes no bytes for so long is stuck; its port is opened anew.
const WRITE_PATIENCE: Duration = Duration::from_secs(1);

/// Until a message that found the queue full is offered again.
const FULL_PAUSE: Duration = Duration::from_secs(1);

/// Serves one board until it is stopped, however often its port comes and goes.
pub async fn run(config: BoardConfig, desk: Desk, stop: CancellationToken) -> Result<()> {
    let place = Place::machine(&config.code);
    let path = config.port.clone();
    let mut port = Port::new(place, path, config.baud, desk.clone()).must_answer();
    let mut board = Board::new(&config, desk)?;
    loop {
        let Some(stream) = board.while_closed(port.open(&stop)).await else { return Ok(()) };
        match board.drive(stream, &stop).await {
            Ok(()) => return Ok(()),
            Err(error) => port.lost(&error),
        }
    }
}

/// One board with everything that is under way for it.
struct Board {
    conversation: Conversation,
    desk: Desk,
    place: Place,
    mailbox: Mailbox,
    /// Messages to the agent; each ends with its ticket when it is acked.
    deliveries: JoinSet<Option<u64>>,
    origin: Instant,
}

/// What may happen while nothing is read.
enum Happening {
    Delivered(u64),
    Mail(Mail),
    Tick,
}

impl Board {
    fn new(config: &BoardConfig, desk: Desk) -> Result<Self> {
        let place = Place::machine(&config.code);
        let session = getrandom::u32().map_err(|error| anyhow!("no random numbers: {error}"))?;
        Ok(Self {
            conversation: Conversation::new(config.code.clone(), config.sets(), session),
            mailbox: desk.inbox.mailbox(place.clone(), COMMANDS),
            desk,
            place,
            deliveries: JoinSet::new(),
            origin: Instant::now(),
        })
    }

    /// Goes on with everything else while the port is opened.
    async fn while_closed<T>(&mut self, opening: impl Future<Output = T>) -> T {
        tokio::pin!(opening);
        loop {
            tokio::select! {
                opened = &mut opening => return opened,
                happening = self.next() => drop(self.happened(happening)),
            }
        }
    }

    /// The whole I/O of an open port: returns when it is stopped, or with the error of the port.
    async fn drive(
        &mut self,
        mut port: impl AsyncRead + AsyncWrite + Unpin,
        stop: &CancellationToken,
    ) -> io::Result<()> {
        let mut buffer = [0; 1024];
        let mut bytes = self.line(Input::Reopened);
        loop {
            if !bytes.is_empty() {
                let written = timeout(WRITE_PATIENCE, port.write_all(&bytes)).await;
                if let Err(error) = written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
                {
                    return self.closed(error);
                }
            }
            bytes = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                read = port.read(&mut buffer) => match read {
                    Ok(0) => return self.closed(io::ErrorKind::UnexpectedEof.into()),
                    Ok(length) => self.line(Input::Bytes(&buffer[..length])),
                    Err(error) => return self.closed(error),
                },
                happening = self.next() => self.happened(happening),
            };
        }
    }

    fn closed(&mut self, error: io::Error) -> io::Result<()> {
        self.line(Input::Closed);
        Err(error)
    }

    /// May be cancelled.
    async fn next(&mut self) -> Happening {
        loop {
            let wake = self.origin + self.conversation.wake_at();
            tokio::select! {
                Some(ended) = self.deliveries.join_next(), if !self.deliveries.is_empty() => {
                    if let Ok(Some(ticket)) = ended {
                        return Happening::Delivered(ticket);
                    }
                }
                Some(mail) = self.mailbox.recv() => return Happening::Mail(mail),
                () = sleep_until(wake) => return Happening::Tick,
            }
        }
    }

    /// What is to be written then.
    fn happened(&mut self, happening: Happening) -> Vec<u8> {
        match happening {
            Happening::Delivered(ticket) => self.handle(Event::Delivered { ticket }),
            Happening::Mail(mail) => self.told(&mail),
            Happening::Tick => self.line(Input::Tick),
        }
    }

    /// A command goes to the board with what is left of its time, if anything is.
    fn told(&mut self, mail: &Mail) -> Vec<u8> {
        let left = |ttl_ms| mail.left_of(ttl_ms, &self.desk.clock);
        match &mail.word {
            Word::Command(command) => {
                let order = conversation::order(command.id, &command.command, &command.args);
                let ttl = left(command.ttl_ms);
                self.line(Input::Order { order, ttl })
            }
            Word::Error(report) => {
                let (machine, message) = (&self.place.code, &report.message);
                debug!(%machine, seq = report.seq, message, "agent could not use what the board said");
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn line(&mut self, input: Input<'_>) -> Vec<u8> {
        self.handle(Event::Line(input))
    }

    fn handle(&mut self, event: Event<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for action in self.conversation.handle(event, self.origin.elapsed()) {
            match action {
                Action::Write(written) => bytes.extend(written),
                Action::Deliver { ticket, topic, payload } => {
                    self.deliveries.spawn(deliver(self.desk.clone(), ticket, topic, payload));
                }
                Action::Answered(result) => self.desk.inbox.answered(&self.place, &result),
                Action::Answer(result) => {
                    let (desk, place) = (self.desk.clone(), self.place.clone());
                    self.deliveries.spawn(async move {
                        desk.answer(&place, result.id, result.outcome, result.detail).await;
                        None
                    });
                }
                Action::Note(status) => self.desk.note(&self.place, status),
            }
        }
        bytes
    }
}

/// Ends with the ticket when the agent has the message, or has refused it for good.
async fn deliver(desk: Desk, ticket: u64, topic: Topic, payload: Vec<u8>) -> Option<u64> {
    loop {
        match desk.deliver(topic.clone(), payload.clone()).await {
            Ok(()) => return Some(ticket),
            Err(Refused::Full) => sleep(FULL_PAUSE).await,
            Err(refused @ (Refused::Denied | Refused::TooLong)) => {
                error!(%topic, %refused, "message of a board is lost");
                return Some(ticket);
            }
            Err(Refused::Closed) => return None,
        }
    }
}
