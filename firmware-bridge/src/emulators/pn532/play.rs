//! The reader at the command line: cards are typed.

use super::{Card, Model, Ntag, Ntag424, Phone, Pn532, SunKeys, Timing};
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

/// What is explained when it is started.
const HELP: &str =
    "type: card UID | tag UID ADDRESS | ntag424 | phone MEMBER_NO | remove | !unplug | !plug";

/// Keys of the cards that are typed: for demonstrations only.
const DEMO_KEYS: SunKeys = SunKeys { meta: [0x11; 16], file: [0x22; 16] };
const DEMO_SUN_UID: [u8; 7] = [0x04, 0x42, 0x40, 0xDE, 0xD0, 0x55, 0x80];

/// Cards keep their counters from one presentation to the next.
#[derive(Debug, Default)]
struct Wallet {
    sun: Option<Card>,
    phones: BTreeMap<u64, Card>,
    held: Vec<(u64, Owner)>,
}

#[derive(Debug, Clone, Copy)]
enum Owner {
    Sun,
    Phone(u64),
    Nobody,
}

/// Holds to the reader what is typed.
pub(in crate::emulators) async fn play(link: &Path) -> Result<()> {
    let reader = Pn532::plug_in(link, Timing::real())
        .with_context(|| format!("cannot make {}", link.display()))?;
    say(&format!("card reader is at {}; {HELP}", link.display()))?;
    let mut wallet = Wallet::default();
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let words: Vec<&str> = line.split_whitespace().collect();
        match act(&reader, &mut wallet, &words).await {
            Ok(done) => say(done)?,
            Err(error) => say(&format!("not done: {error:#}"))?,
        }
    }
    Ok(())
}

async fn act(reader: &Pn532, wallet: &mut Wallet, words: &[&str]) -> Result<&'static str> {
    let (card, owner) = match words {
        [] => return Ok(HELP),
        ["!unplug"] => return Ok(reader.unplug().await.map(|()| "unplugged")?),
        ["!plug"] => return Ok(reader.plug_back().await.map(|()| "plugged in")?),
        ["remove"] => {
            for (id, owner) in wallet.held.drain(..) {
                let card = reader.take_away(id).await?;
                match owner {
                    Owner::Sun => wallet.sun = card,
                    Owner::Phone(member) => wallet.phones.extend(card.map(|card| (member, card))),
                    Owner::Nobody => {}
                }
            }
            return Ok("removed");
        }
        ["card", uid] => (plain(uid)?, Owner::Nobody),
        ["tag", uid, address] => (tag(uid, address)?, Owner::Nobody),
        ["ntag424"] => (wallet.sun.take().unwrap_or_else(new_sun_card), Owner::Sun),
        ["phone", member] => {
            let member = member.parse().context("the member's number")?;
            let phone = wallet.phones.remove(&member).map_or_else(|| new_phone(member), Ok)?;
            (phone, Owner::Phone(member))
        }
        _ => bail!("{HELP}"),
    };
    let presented = reader.present(card).await?;
    wallet.held.push((presented.id, owner));
    Ok("presented")
}

fn plain(uid: &str) -> Result<Card> {
    let uid = hex::decode(uid).context("the number")?;
    if !matches!(uid.len(), 4 | 7 | 10) {
        bail!("a number has 4, 7 or 10 bytes");
    }
    Ok(Card::Plain(uid))
}

fn tag(uid: &str, address: &str) -> Result<Card> {
    let uid = hex::decode(uid).context("the number")?;
    let uid = uid.try_into().ok().context("a tag's number has 7 bytes")?;
    let rest = address.trim_start_matches("https://");
    let length = u8::try_from(rest.len() + 1).context("the address is too long")?;
    let message = [&[0xD1, 0x01, length, b'U', 0x04], rest.as_bytes()].concat();
    Ok(Card::Ntag(Ntag::new(Model::Ntag215, uid, &message)))
}

fn new_sun_card() -> Card {
    Card::Ntag424(Ntag424::new(DEMO_SUN_UID, DEMO_KEYS, "https://gym.example/t", 0))
}

/// The key of a typed phone follows from the member's number, so that a roster can be made that knows it.
fn new_phone(member: u64) -> Result<Card> {
    let secret = Sha256::new_with_prefix(b"gymwire demo phone").chain_update(member.to_be_bytes());
    let phone = Phone::new(member, &secret.finalize().into()).context("no key for that member")?;
    say(&format!("public key {}", hex::encode(phone.public_key())))?;
    Ok(Card::Phone(phone))
}

fn say(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}
