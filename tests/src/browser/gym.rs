//! A branch whose page is looked at: a running agent with members, machines and readers that the test plays itself.

use super::page::Browser;
use super::people;
use crate::edge::Edge;
use crate::mqtt::{Connection, Login};
use crate::test_clock::{Step, TestClock};
use crate::wait;
use anyhow::{Context as _, Result};
use edge_agent::ops::clock::Clock;
use edge_agent::registry::Registry;
use edge_agent::registry::identity::Enrolment;
use protocol::credential::Credential;
use protocol::ids::{BranchId, DeviceId, EdgeId, OrganizationId, TapId};
use protocol::mqtt::payloads::{CommandMessage, tap_json};
use protocol::sync::changes::{Change, Changes, DeviceRecord};
use protocol::sync::enroll::EnrollAnswer;
use protocol::sync::entry::DeviceKind;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use tokio::net::TcpStream;
use uuid::Uuid;

const START_LIMIT: Duration = Duration::from_secs(20);
const CREDENTIAL_KEY: [u8; 32] = [5; 32];
const SECRET: &str = "a secret of every device of this branch";

/// Code and name of the machines.
pub const MACHINES: [(&str, &str); 12] = [
    ("treadmill-1", "Treadmill 1"),
    ("treadmill-2", "Treadmill 2"),
    ("treadmill-3", "Treadmill 3"),
    ("bike-1", "Bike 1"),
    ("bike-2", "Bike 2"),
    ("rower-1", "Rower 1"),
    ("rower-2", "Rower 2"),
    ("stepper-1", "Stepper 1"),
    ("leg-press", "Leg press"),
    ("chest-press", "Chest press"),
    ("lat-pulldown", "Lat pulldown"),
    ("cable-tower", "Cable tower"),
];
/// Code and name of the readers.
pub const READERS: [(&str, &str); 2] = [("entrance", "Entrance"), ("desk", "Front desk")];

/// The branch. One manager can sign in: Eva.
#[derive(Debug)]
pub struct Gym {
    /// Its agent.
    pub edge: Edge,
    /// Eva's password.
    pub password: String,
    /// The certificates that browsers have to trust.
    pub roots: String,
    /// Its time, which the test may step.
    pub clock: TestClock,
}

impl Gym {
    /// A branch that runs, with everything.
    pub async fn open() -> Result<Self> {
        let mut gym = Self::prepare(0).await?;
        gym.password = gym.edge.add_staff("Eva", "manager").await?;
        gym.start().await?;
        Ok(gym)
    }

    /// A branch that does not run yet and where nobody can sign in, with so many more machines.
    pub async fn prepare(more_machines: usize) -> Result<Self> {
        let mut edge = Edge::new()?;
        std::fs::create_dir_all(edge.state())?;
        let registry = Registry::open(&edge.state(), &Clock::system()).await?.registry;
        enrol(&registry).await?;
        let more = (1..=more_machines).map(|number| format!("more-{number}"));
        let mut changes = devices()?;
        for code in more {
            changes.push(device(DeviceKind::Machine, &code, &code)?);
        }
        changes.push(setting("time_zone", &json!("UTC")));
        changes.extend(people::told(&CREDENTIAL_KEY));
        let branch = answer().branch_id;
        registry
            .apply(Changes { branch, from: 0, to: 1, reset: true, more: false, changes })
            .await?;
        drop(registry);
        let clock = TestClock::of(&mut edge);
        clock.step(Step { synced: Some(true), ..Step::default() })?;
        let roots = edge.ca().await?;
        Ok(Self { edge, password: String::new(), roots, clock })
    }

    /// A branch that was never told anything: no members, no machines, no cloud, nobody who can sign in.
    pub async fn empty() -> Result<Self> {
        let mut edge = Edge::new()?;
        std::fs::create_dir_all(edge.state())?;
        let clock = TestClock::of(&mut edge);
        clock.step(Step { synced: Some(true), ..Step::default() })?;
        let roots = edge.ca().await?;
        let mut gym = Self { edge, password: String::new(), roots, clock };
        gym.start().await?;
        Ok(gym)
    }

    /// Starts the agent and waits for its page.
    pub async fn start(&mut self) -> Result<()> {
        self.edge.start().await?;
        let address = self.edge.ports().staff;
        wait::until_true("the staff page opened", START_LIMIT, || async {
            Ok(TcpStream::connect(address).await.is_ok())
        })
        .await
    }

    /// Where the page is.
    pub fn base(&self) -> String {
        format!("https://{}", self.edge.ports().staff)
    }

    /// A browser that trusts the branch.
    pub async fn browser(&self) -> Result<Browser> {
        Browser::open(&self.base(), &self.roots).await
    }

    /// A browser in which Eva has signed in, at the first page.
    pub async fn signed_in(&self) -> Result<Browser> {
        let browser = self.browser().await?;
        browser.sign_in("Eva", &self.password).await?;
        Ok(browser)
    }

    /// A connection of a device.
    pub async fn device(&self, code: &str) -> Result<Connection> {
        let login = Login { user: code.to_owned(), password: Some(SECRET.to_owned()) };
        self.edge.connect(&login).await
    }

    /// Presents a card at a reader.
    pub async fn tap(&self, reader: &str, card: [u8; 7]) -> Result<()> {
        let payload = tap_json(TapId(Uuid::now_v7()), &Credential::NfcUid { uid: card.into() }, 0);
        let mut connection = self.device(reader).await?;
        say(&mut connection, &format!("gymwire/v1/readers/{reader}/tap"), &payload).await?;
        connection.close().await
    }

    /// A machine says how it is; the connection, which ends its being there.
    pub async fn machine(&self, code: &str, status: &Value) -> Result<Connection> {
        let mut connection = self.device(code).await?;
        let topic = format!("gymwire/v1/machines/{code}/status");
        say(&mut connection, &topic, status.to_string().as_bytes()).await?;
        Ok(connection)
    }
}

/// Publishes and waits until it is on disk.
pub async fn say(connection: &mut Connection, topic: &str, payload: &[u8]) -> Result<()> {
    connection.queue(topic, payload, 0, false);
    connection.flush().await?;
    while connection.unacked() > 0 {
        connection.acks().await?;
    }
    Ok(())
}

/// Carries out the next order that a device is given (`folder` of its topics, code), and says so; the order.
pub async fn obey(connection: &mut Connection, folder: &str, code: &str) -> Result<String> {
    let received = connection.receive().await?;
    let order: CommandMessage = serde_json::from_slice(&received.payload)?;
    let result = json!({"id": order.id, "outcome": "done"}).to_string();
    let topic = format!("gymwire/v1/{folder}/{code}/results");
    say(connection, &topic, result.as_bytes()).await.context("the order was not answered")?;
    Ok(order.command)
}

fn devices() -> Result<Vec<Change>> {
    let all = READERS.map(|(code, name)| (DeviceKind::Reader, code, name));
    let machines = MACHINES.map(|(code, name)| (DeviceKind::Machine, code, name));
    let rest = [
        (DeviceKind::Bridge, "door-box", "Box at the door"),
        (DeviceKind::Observer, "hall-screen", "Screen in the hall"),
    ];
    all.into_iter()
        .chain(machines)
        .chain(rest)
        .map(|(kind, code, name)| device(kind, code, name))
        .collect()
}

fn device(kind: DeviceKind, code: &str, name: &str) -> Result<Change> {
    Ok(Change::Device(DeviceRecord {
        id: DeviceId(Uuid::from_slice(&Sha256::digest(code)[..16])?),
        code: code.parse()?,
        kind,
        name: name.to_owned(),
        secret_sha256: Some(Sha256::digest(SECRET).into()),
        bridge: None,
        topics: Vec::new(),
        enabled: true,
    }))
}

fn setting(key: &str, value: &Value) -> Change {
    Change::Setting { key: key.to_owned(), value: value.to_string() }
}

async fn enrol(registry: &Registry) -> Result<()> {
    let key = registry.draw_key()?;
    let enrolment = Enrolment {
        // Nobody listens there.
        cloud_url: "http://127.0.0.1:9".to_owned(),
        public_key: hex::encode(key.verifying_key().as_bytes()),
        answer: answer(),
    };
    registry.enrol(key, enrolment).await
}

fn answer() -> EnrollAnswer {
    EnrollAnswer {
        edge_id: EdgeId(Uuid::from_u128(1)),
        organization_id: OrganizationId(Uuid::from_u128(2)),
        branch_id: BranchId(Uuid::from_u128(3)),
        branch_name: "Nordend".to_owned(),
        site_no: 7,
        cloud_keys: Vec::new(),
        credential_key: hex::encode(CREDENTIAL_KEY),
        now_ms: 0,
    }
}
