//! A branch with a bridge, and behind it a card reader and a scanner at a door and one of our boards in a machine.

use super::people::People;
use anyhow::{Context as _, Result};
use cloud_api::ids::CommandId;
use firmware_bridge::emulators::board::Board;
use firmware_bridge::emulators::pn532::{Card, Pn532, Timing};
use firmware_bridge::emulators::relay::Relay;
use protocol::serial::board::device::Identity;
use std::time::Duration;
use tests::bridge::Bridge;
use tests::chaos::ChaosLink;
use tests::scene::{self, Scene};
use tests::wait;
use tokio::time::Instant;

/// Nothing takes longer.
pub const LIMIT: Duration = Duration::from_secs(20);
pub const MACHINE: &str = "press-1";
/// Where codes are shown, at the same door.
pub const SCANNER: &str = "gate-1";
/// Cards of a member who may come in. Each is held to the reader once, so that nothing hangs on when the reader
/// notices that a card has gone.
pub const CARDS: [[u8; 7]; 4] = [card(1), card(2), card(3), card(4)];
/// The card of a member who is kept out.
pub const BLOCKED: [u8; 7] = card(200);

/// The number of a card.
pub const fn card(number: u8) -> [u8; 7] {
    [0x04, 0xC0, 0xFF, 0xEE, 0x10, 0x20, number]
}

/// Everything, running. The line between agent and bridge can be disturbed, as that to the cloud.
pub struct Hall {
    pub scene: Scene,
    pub line: ChaosLink,
    pub bridge: Bridge,
    pub reader: Pn532,
    pub relay: Relay,
    /// When the relay's time began, or just after that.
    pub relay_made: Instant,
    pub board: Board,
    pub people: People,
}

/// A set in the cloud: boot and number of the board's message, and repetitions.
pub type Set = (i64, i64, i32);

impl Hall {
    pub async fn open() -> Result<Self> {
        let mut scene = Scene::prepare().await?;
        scene.site.member("Ada", &CARDS).await?;
        let kept_out = scene.site.member("Bob", &[BLOCKED]).await?;
        scene.site.block(kept_out).await?;
        let people = People::invite(&scene).await?;
        let login = scene.site.bridge_of("bridge-1", &["door-1", SCANNER], &[MACHINE]).await?;
        scene.edge.start().await?;
        scene::known(&scene.edge, &login).await?;
        // What an agent knows of members is there from its start on, so nobody comes too early.
        scene.edge.stop().await?;
        scene.edge.start().await?;
        let line = ChaosLink::start(scene.edge.ports().mqtt).await?;
        let mut bridge = Bridge::new(line.address(), &login, &[SCANNER])?;
        let port = |name: &str| bridge.folder().join(name);
        let (nfc, usb, socket) = (port("usb-nfc"), port("usb-board"), port("relay"));
        let reader = Pn532::plug_in(&nfc, Timing::real())?;
        let relay = Relay::plug_in(&socket)?;
        let relay_made = Instant::now();
        let identity = Identity { code: MACHINE.into(), firmware: "1.2.3".into(), boot: 99 };
        let board = Board::plug_in(&usb, identity)?;
        bridge.configure(&format!(
            "[[nfc]]\ncode = \"door-1\"\nport = \"{}\"\n[[board]]\ncode = \"{MACHINE}\"\nport = \"{}\"\n\
             [[door]]\nreaders = [\"door-1\", \"{SCANNER}\"]\nline = \"unix:{}\"\nopen_ms = 100\nmax_open_ms = 100",
            nfc.display(),
            usb.display(),
            socket.display()
        ))?;
        bridge.start().await?;
        tokio::time::timeout(LIMIT, relay.used()).await?;
        let hall = Self { scene, line, bridge, reader, relay, relay_made, board, people };
        // From here on the whole way works.
        hall.obeyed("reset").await?;
        Ok(hall)
    }

    /// Holds a card to the reader, and returns when the bridge has its tap on disk: the tap is older than that moment.
    pub async fn present(&self, card: [u8; 7]) -> Result<Instant> {
        self.reader.clear().await?;
        self.reader.present(Card::Plain(card.into())).await?;
        let kept = async || self.has_kept(card);
        wait::until_true("the bridge kept the tap", LIMIT, kept)
            .await
            .with_context(|| self.logs())?;
        Ok(Instant::now())
    }

    /// Whether the bridge has taken the tap of a card that is presented once.
    pub fn has_kept(&self, card: [u8; 7]) -> Result<bool> {
        self.bridge.has_taken(&hex::encode(card))
    }

    /// Why the tap of a card was granted or denied, when the cloud has heard of it.
    pub async fn reason(&self, card: [u8; 7]) -> Result<String> {
        let hash = self.scene.site.card_hash(&card).await?;
        wait::until("the decision is in the cloud", LIMIT, || async {
            let reason = sqlx::query_scalar("SELECT reason FROM decisions WHERE card = $1");
            Ok(reason.bind(&hash[..]).fetch_optional(&self.scene.pool).await?)
        })
        .await
        .with_context(|| self.logs())
    }

    /// The sets that are in the cloud, when the board has nothing more to tell.
    pub async fn sets(&self) -> Result<Vec<Set>> {
        let mut shown = self.board.shown();
        let is_told =
            shown.wait_for(|shown| shown.unacked == 0 && !shown.is_busy && shown.faults_ahead == 0);
        tokio::time::timeout(LIMIT, is_told).await.with_context(|| self.logs())??;
        self.scene.edge.drained(LIMIT).await?;
        let sets = "SELECT device_boot, device_seq, reps
            FROM finished_sets JOIN devices ON devices.id = finished_sets.device_id
            WHERE devices.code = $1 ORDER BY device_boot, device_seq";
        Ok(sqlx::query_as(sets).bind(MACHINE).fetch_all(&self.scene.pool).await?)
    }

    /// When the relay was switched on.
    pub fn opened_at(&self) -> Vec<Instant> {
        let log = self.relay.log().into_iter().filter(|switched| switched.is_on);
        log.map(|switched| self.relay_made + switched.at).collect()
    }

    /// How often the relay was switched on.
    pub fn openings(&self) -> usize {
        self.relay.log().iter().filter(|switched| switched.is_on).count()
    }

    /// A card opens the door, for a moment.
    pub async fn opens(&self, card: [u8; 7]) -> Result<()> {
        let before = self.openings();
        self.present(card).await?;
        let is_over = async || Ok(self.openings() > before && !self.relay.is_on());
        wait::until_true("the door opened and fell shut", LIMIT, is_over)
            .await
            .with_context(|| self.logs())?;
        assert_eq!(self.openings(), before + 1);
        Ok(())
    }

    /// Gives the board an order, which is carried out.
    pub async fn obeyed(&self, command: &str) -> Result<()> {
        let order = self.scene.site.order_machine(MACHINE, command, Duration::from_mins(1)).await?;
        self.ended(order, "done").await
    }

    /// Waits until the branch tells that an order ended in a certain way.
    pub async fn ended(&self, order: CommandId, outcome: &str) -> Result<()> {
        let told = wait::until("the order has ended", LIMIT, || self.scene.site.outcome(order));
        assert_eq!(told.await.with_context(|| self.logs())?, outcome, "{}", self.logs());
        Ok(())
    }

    pub async fn close(mut self) -> Result<()> {
        self.bridge.stop().await?;
        self.scene.edge.stop().await
    }

    pub fn logs(&self) -> String {
        format!("agent: {}\nbridge: {}", self.scene.edge.log_text(), self.bridge.log_text())
    }
}
