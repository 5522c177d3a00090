//! Members who come to the door: with a card or a phone for the reader, or with a code for the scanner. And strangers.

use super::hardware::Hardware;
use super::seeded::{Member, Seeded};
use super::system::System;
use super::tally::Tally;
use crate::cloud::Cloud;
use crate::metrics;
use crate::seed::Seed;
use crate::wait;
use anyhow::{Context as _, Result, ensure};
use ed25519_dalek::SigningKey;
use firmware_bridge::emulators::pn532::Card;
use protocol::credential::qr::{self, QrPayload};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// So long somebody waits for the door's answer before they go.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many come in any case, however short the gym is open: a stranger, then somebody with each kind of key.
const AT_LEAST: u64 = 5;
/// One of so many is a stranger.
const STRANGERS: f64 = 0.1;

/// Everybody who may come, in the order in which they do.
#[derive(Debug)]
pub struct Crowd {
    cards: VecDeque<Holder>,
    /// Those who come with a code: member number, and the answer to expect.
    codes: VecDeque<(u64, String)>,
    seed: Seed,
    came: u64,
}

/// Somebody with a card or phone.
#[derive(Debug)]
struct Holder {
    card: Card,
    expected: String,
}

/// What somebody shows.
enum Visit {
    Card(Holder),
    Code { member_no: u64, expected: String },
    Forged(String),
}

impl Crowd {
    /// All members of the demo gym.
    pub fn new(seeded: &Seeded, seed: Seed) -> Result<Self> {
        let keys = seeded.sun_keys()?;
        let holder = |member: &Member| {
            anyhow::Ok(Holder { card: member.card(&keys)?, expected: member.expected.clone() })
        };
        // Cards, cards that prove themselves, phones, members who are refused: one of each in turn.
        let groups = ["nfc_uid", "sun", "phone", "refused"]
            .map(|group| seeded.visitors().filter(move |member| member.group() == group));
        Ok(Self {
            cards: in_turn(groups).into_iter().map(holder).collect::<Result<_>>()?,
            codes: seeded.visitors().map(Member::code).collect(),
            seed,
            came: 0,
        })
    }

    /// The first one is a stranger with a card, the second a member with one.
    fn next(&mut self) -> Visit {
        let turn = self.came;
        self.came += 1;
        let is_stranger = turn == 0 || (turn >= AT_LEAST && self.seed.chance(STRANGERS));
        if turn % 3 == 2 {
            let member = if is_stranger { None } else { self.codes.pop_front() };
            return match member {
                None => Visit::Forged(forged(&mut self.seed)),
                Some((member_no, expected)) => {
                    self.codes.push_back((member_no, expected.clone()));
                    Visit::Code { member_no, expected }
                }
            };
        }
        let holder = if is_stranger { None } else { self.cards.pop_front() };
        Visit::Card(holder.unwrap_or_else(|| {
            let [a, b, c, d] = self.seed.next_u32().to_be_bytes();
            // NXP's numbers begin with 04, these with 08: nobody has one.
            Holder { card: Card::Plain(vec![8, 0, 0, a, b, c, d]), expected: "unknown_card".into() }
        }))
    }
}

/// Somebody comes every 0.3 to 1.5 s until the gym closes; that is a busy evening.
pub async fn come(
    crowd: &mut Crowd,
    system: &System,
    tally: &Tally,
    closed: &CancellationToken,
) -> Result<()> {
    while crowd.came < AT_LEAST || !closed.is_cancelled() {
        sleep(Duration::from_millis(crowd.seed.between(300, 1_500))).await;
        let visit = crowd.next();
        let card = visit.make(system, tally).await?;
        crowd.cards.extend(card.filter(|holder| holder.expected != "unknown_card"));
        if crowd.came == 2 {
            only_the_member_was_let_in(&system.hardware).await?;
        }
    }
    Ok(())
}

/// What a stranger did before cannot move the relay any more when it has moved for a member at the same reader.
async fn only_the_member_was_let_in(hardware: &Hardware) -> Result<()> {
    let is_open = async || Ok(hardware.openings() > 0);
    wait::until_true("the door opens for a member", PATIENCE, is_open).await?;
    ensure!(hardware.openings() == 1, "the door opened for an unknown card");
    Ok(())
}

impl Visit {
    /// Shows it until the door has decided; gives back the card.
    async fn make(self, system: &System, tally: &Tally) -> Result<Option<Holder>> {
        let _turn = tally.turn().await;
        let (hardware, edge) = (&system.hardware, system.edge.ports().ops);
        let before = decisions(edge).await;
        let (code, expected) = match self {
            Self::Card(Holder { card, expected }) => {
                tally.held(&expected);
                let presented = hardware.cards.present(card).await?;
                decided(edge, before).await;
                let card = hardware.cards.take_away(presented.id).await?;
                let card = card.context("a card has vanished from the reader")?;
                return Ok(Some(Holder { card, expected }));
            }
            Self::Code { member_no, expected } => {
                (fresh_code(&system.cloud, member_no).await?, expected)
            }
            Self::Forged(code) => (code, "bad_signature".to_owned()),
        };
        tally.presented(code.clone(), &expected);
        hardware.scanner.scan(&code).await.context("the scanner is gone")?;
        decided(edge, before).await;
        Ok(None)
    }
}

/// A member's phone shows a code that was made just now: an edge takes none that is older than the edge itself knows of.
async fn fresh_code(cloud: &Cloud, member_no: u64) -> Result<String> {
    let code = cloud.admin(&["issue-qr", &member_no.to_string()]).await?;
    Ok(code.trim().to_owned())
}

/// A code of the right form that somebody else has signed.
fn forged(seed: &mut Seed) -> String {
    let key = SigningKey::from_bytes(&std::array::from_fn(|_| seed.next_u32().to_be_bytes()[0]));
    let nonce = seed.next_u32().to_be_bytes();
    let payload =
        QrPayload { kid: 1, site_no: 0, member_no: 1, iat_s: 0, ttl: u8::MAX, scope: 0, nonce };
    qr::sign(&payload, &key)
}

/// Who gets no answer goes on; that nothing was decided is told by the count at the end.
pub async fn decided(edge: SocketAddr, before: f64) {
    let is_decided = async || Ok(decisions(edge).await > before);
    let _ = wait::until_true("the door decides", PATIENCE, is_decided).await;
}

/// How many the edge has made; it tells nothing before the first.
pub async fn decisions(edge: SocketAddr) -> f64 {
    metrics::read(edge, metrics::DECISIONS).await.unwrap_or(0.0)
}

/// The first of each group, then the second of each, and so on.
fn in_turn<T>(groups: impl IntoIterator<Item = impl Iterator<Item = T>>) -> Vec<T> {
    let mut groups: Vec<_> = groups.into_iter().collect();
    let mut all = Vec::new();
    loop {
        let before = all.len();
        all.extend(groups.iter_mut().filter_map(Iterator::next));
        if all.len() == before {
            return all;
        }
    }
}
