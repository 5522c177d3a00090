//! What is plugged into the bridge: at the door a reader of cards, a scanner and a relay; on the floor two consoles and a
//! board of our own. All of it emulated, on pseudo terminals.

use crate::cloud::Cloud;
use crate::seed::Seed;
use crate::wait;
use anyhow::{Context as _, Result};
use firmware_bridge::emulators::board::Board;
use firmware_bridge::emulators::board::bench::Deed;
use firmware_bridge::emulators::csafe::{self, Happening, Kind, Make};
use firmware_bridge::emulators::pn532::{Pn532, Timing};
use firmware_bridge::emulators::relay::Relay;
use firmware_bridge::emulators::scanner::{Scanner, Style};
use protocol::serial::board::device::Identity;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// The reader of cards, and the scanner beside it.
pub const CARD_READER: &str = "door-1";
/// The scanner.
pub const SCANNER: &str = "scanner-1";
/// Machines with a console: code, what it is called in the configuration, and how it behaves.
const CONSOLES: [(&str, &str, Kind); 2] =
    [("treadmill-31", "treadmill", Kind::Treadmill), ("bike-31", "bike", Kind::Bike)];
/// The machine with our board.
pub const BOARD: &str = "leg-press-31";
/// Of the board after each set, one a second.
const SAMPLES: u16 = 2;
/// How long a board may take to deliver what it has.
const LAST_ACKS: Duration = Duration::from_secs(20);

/// Everything that is plugged in; it is pulled out when this value goes away.
#[derive(Debug)]
pub struct Hardware {
    /// Shows codes to the bridge.
    pub scanner: Scanner,
    /// Cards and phones are held to it.
    pub cards: Pn532,
    /// Opens the door.
    pub relay: Relay,
    board: Board,
    consoles: Vec<mpsc::Sender<Happening>>,
    folder: PathBuf,
    _playing: JoinSet<io::Result<()>>,
}

/// Adds the machines to the cloud's registry.
pub async fn register(cloud: &Cloud) -> Result<()> {
    for (code, kind) in machines() {
        let arguments = ["create-machine", code, "--type", kind, "--bridge", "bridge-1"];
        cloud.admin(&arguments).await.with_context(|| format!("machine {code}"))?;
    }
    Ok(())
}

/// Codes of the machines with a console.
pub fn consoles() -> impl Iterator<Item = &'static str> {
    CONSOLES.iter().map(|(code, ..)| *code)
}

/// Codes and types of the machines that the bridge speaks for.
pub fn machines() -> impl Iterator<Item = (&'static str, &'static str)> {
    consoles().map(|code| (code, "cardio")).chain([(BOARD, "strength")])
}

impl Hardware {
    /// Plugs everything in.
    pub fn plug_in(folder: &Path, seed: &mut Seed) -> Result<Self> {
        let mut playing = JoinSet::new();
        let mut consoles = Vec::new();
        for (code, _, kind) in CONSOLES {
            // Full: whoever trains waits.
            let (happen, happenings) = mpsc::channel(4);
            let link = folder.join(code);
            playing.spawn(async move { csafe::serve(&link, Make::of(kind), happenings).await });
            consoles.push(happen);
        }
        let boot = seed.next_u32();
        let identity = Identity { code: BOARD.to_owned(), firmware: "1.0".to_owned(), boot };
        Ok(Self {
            scanner: Scanner::plug_in(&folder.join(SCANNER), Style::default())?,
            cards: Pn532::plug_in(&folder.join(CARD_READER), Timing::real())?,
            relay: Relay::plug_in(&folder.join("relay"))?,
            board: Board::plug_in(&folder.join(BOARD), identity)?,
            consoles,
            folder: folder.to_owned(),
            _playing: playing,
        })
    }

    /// What the bridge is to be told of it.
    pub fn config(&self) -> Result<String> {
        let folder = self.folder.display();
        let mut config = format!(
            "[[scanner]]\ncode = \"{SCANNER}\"\nport = \"{folder}/{SCANNER}\"\nrepeat_ms = 0\n\
             [[nfc]]\ncode = \"{CARD_READER}\"\nport = \"{folder}/{CARD_READER}\"\n\
             [[door]]\nreaders = [\"{CARD_READER}\", \"{SCANNER}\"]\nline = \"unix:{folder}/relay\"\n\
             open_ms = 800\nmax_open_ms = 800\n\
             [[board]]\ncode = \"{BOARD}\"\nport = \"{folder}/{BOARD}\"\n"
        );
        for (code, quirks, _) in CONSOLES {
            writeln!(
                config,
                "[[csafe]]\ncode = \"{code}\"\nport = \"{folder}/{code}\"\nquirks = \"{quirks}\""
            )?;
        }
        Ok(config)
    }

    /// Waits until the bridge has opened what is at the door.
    pub async fn opened(&self) -> Result<()> {
        self.scanner.opened().await?;
        self.relay.used().await;
        wait::until_true("the reader of cards is opened", LAST_ACKS, || async {
            Ok(self.cards.is_open().await?)
        })
        .await
    }

    /// How often the door was opened.
    pub fn openings(&self) -> usize {
        self.relay.log().iter().filter(|switched| switched.is_on).count()
    }

    /// People train at the consoles and at the board until the gym closes. Gives how many sets and
    /// samples the board has told.
    pub async fn train(&self, mut seed: Seed, closed: &CancellationToken) -> Result<usize> {
        let mut messages = 0;
        for console in &self.consoles {
            console.send(Happening::Begin).await.context("a console is gone")?;
        }
        loop {
            let reps = u16::try_from(seed.between(6, 13))?;
            self.board.act(Deed::Set { reps }).await;
            self.board.act(Deed::Row { seconds: SAMPLES }).await;
            messages += 1 + usize::from(SAMPLES);
            let pause = Duration::from_millis(seed.between(2_500, 5_000));
            tokio::select! {
                () = closed.cancelled() => break,
                () = sleep(pause) => {}
            }
        }
        for console in &self.consoles {
            console.send(Happening::Finish).await.context("a console is gone")?;
        }
        let mut shown = self.board.shown();
        let delivered = shown.wait_for(|shown| !shown.is_busy && shown.unacked == 0);
        tokio::time::timeout(LAST_ACKS, delivered).await.context("the board keeps something")??;
        Ok(messages)
    }
}
