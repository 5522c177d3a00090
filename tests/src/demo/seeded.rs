//! What `cloud-api seed --json` has made.

use super::training;
use crate::gym::Kind;
use crate::mqtt::Login;
use anyhow::{Context as _, Result, bail};
use firmware_bridge::emulators::pn532::{Card, Ntag424, Phone, SunKeys as CardKeys};
use protocol::credential::sun::SunKeys;
use serde::Deserialize;

/// The demo gym.
#[derive(Debug, Clone, Deserialize)]
pub struct Seeded {
    /// The branch.
    pub branch: Branch,
    /// People.
    pub users: Vec<User>,
    /// Machines, readers, bridges, observers.
    pub devices: Vec<Device>,
    /// People who train here.
    pub members: Vec<Member>,
    sun_keys: serde_json::Value,
}

/// A member, and what is needed to play them.
#[derive(Debug, Clone, Deserialize)]
pub struct Member {
    /// Their number.
    pub member_no: u64,
    /// What the door says to them.
    pub expected: String,
    /// What they carry.
    pub credential: String,
    /// Of cards.
    pub card_uid: Option<String>,
    /// Of phones.
    pub phone_private_key: Option<String>,
}

/// A branch.
#[derive(Debug, Clone, Deserialize)]
pub struct Branch {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Somebody who can log in.
#[derive(Debug, Clone, Deserialize)]
pub struct User {
    /// With this.
    pub email: String,
    /// And this.
    pub password: String,
    /// As this.
    pub role: String,
}

/// A device.
#[derive(Debug, Clone, Deserialize)]
pub struct Device {
    /// Its id.
    pub id: String,
    /// Its code.
    pub code: String,
    /// What it is.
    pub kind: String,
    /// Its secret.
    pub secret: String,
}

impl Seeded {
    /// Reads what was printed.
    pub fn read(json: &str) -> Result<Self> {
        serde_json::from_str(json).context("cloud-api seed --json prints something else")
    }

    /// How a device logs in.
    pub fn login(&self, code: &str) -> Result<Login> {
        let device = self.devices.iter().find(|device| device.code == code);
        let device = device.with_context(|| format!("the demo gym has no {code}"))?;
        Ok(Login { user: device.code.clone(), password: Some(device.secret.clone()) })
    }

    /// Every machine.
    pub fn machines(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|device| device.kind == "machine")
    }

    /// Members who train at machines, with plain cards; they do not come to the door as others do.
    pub fn trainers(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| member.group() == "nfc_uid").take(training::COUNT)
    }

    /// Everybody else.
    pub fn visitors(&self) -> impl Iterator<Item = &Member> {
        let training: Vec<_> = self.trainers().map(|member| member.member_no).collect();
        self.members.iter().filter(move |member| !training.contains(&member.member_no))
    }

    /// What cards that prove themselves are made with.
    pub fn sun_keys(&self) -> Result<SunKeys> {
        let keys = SunKeys::parse(&self.sun_keys.to_string()).map_err(anyhow::Error::msg)?;
        keys.context("the demo gym has no keys for cards")
    }

    /// Somebody with this role.
    pub fn user(&self, role: &str) -> Result<&User> {
        let found = self.users.iter().find(|user| user.role == role);
        found.with_context(|| format!("the demo gym has no {role}"))
    }
}

impl Member {
    /// Those whom the door refuses are one group; of the others each kind of credential is one.
    pub fn group(&self) -> &str {
        if self.expected == "granted" { &self.credential } else { "refused" }
    }

    /// Who asks for a code: their number, and what the door says to them.
    pub fn code(&self) -> (u64, String) {
        (self.member_no, self.expected.clone())
    }

    /// The number of their card.
    pub fn card_number(&self) -> Result<Vec<u8>> {
        Ok(hex::decode(self.card_uid.as_deref().context("a card has a number")?)?)
    }

    /// Their card or phone.
    pub fn card(&self, keys: &SunKeys) -> Result<Card> {
        let uid = || self.card_number();
        match self.credential.as_str() {
            "nfc_uid" => Ok(Card::Plain(uid()?)),
            "sun" => {
                let uid = uid()?.try_into().ok().context("such a card's number has 7 bytes")?;
                let keys = CardKeys { meta: **keys.meta(), file: *keys.file_key(uid) };
                Ok(Card::Ntag424(Ntag424::new(uid, keys, "https://demo.gymwire.example/t", 0)))
            }
            "phone" => {
                let key = self.phone_private_key.as_deref().context("a phone has a key")?;
                let key = hex::decode(key)?.try_into().ok().context("a key has 32 bytes")?;
                Phone::new(self.member_no, &key).map(Card::Phone).context("a phone's key is none")
            }
            other => bail!("nobody can play a {other}"),
        }
    }
}

impl Device {
    /// Which kind of machine plays it.
    pub fn simulated(&self) -> Kind {
        match self.code.split('-').next() {
            Some("treadmill") => Kind::Treadmill,
            Some("bike") => Kind::Bike,
            Some("rower") => Kind::Rower,
            Some("crosstrainer") => Kind::Elliptical,
            _ => Kind::Strength,
        }
    }
}
