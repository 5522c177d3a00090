//! Who comes to the door: members with a plain card, a card that proves itself, a phone and a code each; and whose tap
//! is whose.

use super::hall::{Hall, SCANNER, card};
use anyhow::{Context as _, Result, bail};
use cloud_api::domains::members::Proof;
use firmware_bridge::emulators::pn532::{Card, Ntag424, Phone, SunKeys as CardKeys};
use protocol::credential::StoredCredential;
use protocol::credential::sun::{self, SunKeys};
use std::collections::BTreeMap;
use std::fs;
use tests::ledger;
use tests::scene::Scene;

/// With the keys of cards in clear: they belong to nobody.
const KEYS: &str = r#"{"meta":"01010101010101010101010101010101","file_master":"02020202020202020202020202020202","diversify":"none"}"#;
const CARD_KEYS: CardKeys = CardKeys { meta: [1; 16], file: [2; 16] };
/// So many come, one after the other.
pub const VISITORS: u8 = 6;
/// Codes live as long as they may.
const CODE_LIVES_S: &str = "1275";

/// What somebody shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Number,
    Message,
    Phone,
    Code,
}

/// Somebody who shows something, once.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub kind: Kind,
    number: u8,
    member_no: u64,
    code: String,
    /// As what the tap is known.
    pub name: String,
}

/// Members by their numbers.
pub struct People {
    member_nos: Vec<u64>,
    keys: SunKeys,
}

impl People {
    /// Makes them members of the gym.
    pub async fn invite(scene: &Scene) -> Result<Self> {
        let file = scene.folder.path().join("sun-keys.json");
        fs::write(&file, KEYS)?;
        let file = file.to_str().context("the path is UTF-8")?;
        scene.cloud.admin(&["sun-keys", "set", file]).await?;
        let mut member_nos = Vec::new();
        for number in 1..=VISITORS {
            let key = phone(0, number)?.public_key();
            let proofs = [
                Proof::NfcUid(hex::encode(plain(number)).parse()?),
                Proof::Sun(hex::encode(proving(number)).parse()?),
                Proof::Phone(hex::encode(key).parse()?),
            ];
            let member = scene.site.member_with(&format!("Visitor {number}"), &proofs).await?;
            member_nos.push(member.member_no.unsigned_abs());
        }
        let keys = SunKeys::parse(KEYS).map_err(anyhow::Error::msg)?.context("no keys")?;
        Ok(Self { member_nos, keys })
    }

    /// All who show that.
    pub async fn with(&self, kind: Kind, scene: &Scene) -> Result<Vec<Visitor>> {
        let mut visitors = Vec::new();
        for (number, member_no) in (1..).zip(self.member_nos.iter().copied()) {
            let code = match kind {
                Kind::Code => {
                    let order = ["issue-qr", &member_no.to_string(), "--ttl-s", CODE_LIVES_S];
                    scene.cloud.admin(&order).await?.trim().to_owned()
                }
                _ => String::new(),
            };
            let name = match kind {
                Kind::Number => hex::encode(scene.site.card_hash(&plain(number)).await?),
                Kind::Message => hex::encode(proving(number)),
                Kind::Phone => member_no.to_string(),
                Kind::Code => code.clone(),
            };
            visitors.push(Visitor { kind, number, member_no, code, name });
        }
        Ok(visitors)
    }

    /// Everybody of whom the cloud has taps of that kind, each with how many.
    pub async fn came(&self, kind: Kind, scene: &Scene) -> Result<BTreeMap<String, u32>> {
        let mut came = BTreeMap::new();
        for (_, credential) in ledger::credentials(&scene.pool).await? {
            let (shown, name) = self.name(credential)?;
            if shown == kind {
                *came.entry(name).or_default() += 1;
            }
        }
        Ok(came)
    }

    fn name(&self, credential: StoredCredential) -> Result<(Kind, String)> {
        Ok(match credential {
            StoredCredential::NfcUid { uid_hash } => (Kind::Number, hex::encode(uid_hash)),
            StoredCredential::Sun { picc_data, enc, cmac } => {
                let tap = sun::verify(&self.keys, &picc_data, enc.as_deref(), cmac)?;
                (Kind::Message, hex::encode(tap.uid))
            }
            StoredCredential::Qr { code } => (Kind::Code, code),
            StoredCredential::Hce { token, .. } => {
                let Some((1, member)) = token.split_first() else { bail!("another token") };
                (Kind::Phone, u64::from_be_bytes(member.try_into()?).to_string())
            }
        })
    }
}

impl Visitor {
    /// Shows it.
    pub async fn come(&self, hall: &Hall) -> Result<()> {
        let card = match self.kind {
            Kind::Number => Card::Plain(plain(self.number).to_vec()),
            Kind::Message => {
                let uid = proving(self.number);
                Card::Ntag424(Ntag424::new(uid, CARD_KEYS, "https://gym.example/t", 0))
            }
            Kind::Phone => Card::Phone(phone(self.member_no, self.number)?),
            Kind::Code => return hall.bridge.scan(SCANNER, &self.code).await,
        };
        hall.reader.present(card).await?;
        Ok(())
    }

    /// How many taps the bridge has kept that look like theirs; of cards that prove themselves all look alike.
    pub fn kept(&self, hall: &Hall) -> Result<usize> {
        let text = match self.kind {
            Kind::Number => hex::encode(plain(self.number)),
            Kind::Message => "\"kind\":\"sun\"".to_owned(),
            Kind::Phone => hex::encode([&[1][..], &self.member_no.to_be_bytes()].concat()),
            Kind::Code => self.code.clone(),
        };
        hall.bridge.taken(&text)
    }
}

const fn plain(number: u8) -> [u8; 7] {
    card(100 + number)
}

const fn proving(number: u8) -> [u8; 7] {
    card(150 + number)
}

fn phone(member_no: u64, number: u8) -> Result<Phone> {
    Phone::new(member_no, &[number; 32]).context("not a key")
}
