//! The staff page over real HTTPS, with a real journal, registry and front door behind it.

mod acting;
mod browser;
mod first_start;
mod forms;
mod guarding;
mod pages;
mod signing_in;

use super::accounts::{Accounts, Cost, Role};
use super::{Config, FirstStart, Parts, Server, Staff, follow};
use crate::access::Access;
use crate::floor::{self, Floor};
use crate::front_door;
use crate::front_door::tls::{BranchCa, Tls};
use crate::journal::{Journal, JournalConfig};
use crate::ops::actions::Actions;
use crate::ops::clock::Clock;
use crate::ops::status::Watched;
use crate::registry::Registry;
use crate::uplink::board::Board;
use crate::uplink::link::LinkStatus;
use browser::Browser;
use protocol::ids::{BranchId, DeviceId, MemberId};
use protocol::sync::changes::{Change, Changes, DeviceRecord};
use protocol::sync::entry::DeviceKind;
use protocol::sync::roster::{Member, Membership, RosterItem};
use protocol::time::Stamp;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use zeroize::Zeroizing;

pub const NOW: Stamp = Stamp { boot: 1, mono_ms: 60_000, wall_ms: 1_795_000_000_000, synced: true };
pub const PASSWORD: &str = "correct horse battery";
/// A name that wants to be a script.
pub const NASTY: &str = "<script>alert('x')</script>\"'&\r\nevent: evil";
const CHEAP: Cost = Cost { memory_kib: 8, passes: 1 };

/// A branch with a machine `bike`, a reader `door`, a bridge `box`, members, and nobody who can sign in.
pub struct Branch {
    pub address: SocketAddr,
    pub clock: Clock,
    pub registry: Registry,
    pub journal: Journal,
    pub accounts: Accounts,
    pub access: Access,
    pub first_start: FirstStart,
    pub tls: Tls,
    ca: String,
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
    _folder: TempDir,
}

impl Branch {
    pub async fn open() -> Self {
        Self::with(Config::default()).await
    }

    pub async fn with(config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(NOW);
        let registry = Registry::open(folder.path(), &clock).await.unwrap().registry;
        registry.apply(changes()).await.unwrap();
        let (journal, opened) =
            Journal::open(JournalConfig::new(folder.path()), clock.clone()).unwrap();
        let ca = BranchCa::open(&folder.path().join("ca"), clock.latest_ms()).unwrap();
        let exported = ca.export();
        let tls = Tls::open(ca, Vec::new(), clock.clone()).unwrap();
        let access = Access::new(registry.clone(), clock.clone());
        access.decide_in(&journal).await.unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let door = door(&registry, &journal, &clock, &access, &tls);
        let floor = Floor::new(floor::Parts {
            access: access.clone(),
            registry: registry.clone(),
            journal: journal.clone(),
            clock: clock.clone(),
            board: Board::new(opened.epoch),
            publisher: door.publisher(),
        });
        let accounts =
            Accounts::open(registry.clone(), clock.clone(), &config, CHEAP).await.unwrap();
        let watched = Watched {
            registry: registry.clone(),
            journal: journal.clone(),
            clock: clock.clone(),
            publisher: door.publisher(),
            link: watch::Sender::new(LinkStatus::default()).subscribe(),
        };
        let parts = parts(watched, &accounts, &access, (floor.clone(), tls.clone()));
        let first_start = parts.actions.first_start.clone();
        let staff = Staff::new(parts);
        let config = Config { listen: any, ..config };
        let server = Server::bind(config, tls.clone(), staff.clone()).unwrap();
        let (address, stop) = (server.address().unwrap(), CancellationToken::new());
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(staff, journal.events(), stop.clone()));
        tasks.spawn(server.run(stop.clone()));
        tasks.spawn(door.run(stop.clone()));
        tasks.spawn(floor.run(stop.clone()));
        Self {
            address,
            clock,
            registry,
            journal,
            accounts,
            access,
            first_start,
            tls,
            ca: exported,
            stop,
            tasks,
            _folder: folder,
        }
    }

    pub fn browser(&self) -> Browser {
        Browser::new(self.address, &self.ca)
    }

    pub async fn add(&self, name: &str, role: Role) {
        let password = Some(Zeroizing::new(PASSWORD.to_owned()));
        self.accounts.add(name, role, password, None).await.unwrap();
    }

    /// A browser of somebody with this role.
    pub async fn signed_in(&self, role: Role) -> Browser {
        let name = format!("{role} {}", self.accounts.list().len());
        self.add(&name, role).await;
        let mut browser = self.browser();
        let answer = browser.sign_in(&name, PASSWORD).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        browser
    }

    pub fn step(&self, by: Duration) {
        let now = self.clock.stamp();
        let ms = i64::try_from(by.as_millis()).unwrap();
        let mono_ms = now.mono_ms.saturating_add_signed(ms);
        self.clock.set(Stamp { mono_ms, wall_ms: now.wall_ms + ms, ..now });
    }

    pub async fn close(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap().unwrap();
        }
    }
}

pub fn device_id(number: u128) -> DeviceId {
    DeviceId(Uuid::from_u128(number))
}

pub fn member_id(number: u128) -> MemberId {
    MemberId(Uuid::from_u128(number))
}

fn door(
    registry: &Registry,
    journal: &Journal,
    clock: &Clock,
    access: &Access,
    tls: &Tls,
) -> front_door::Server {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let config = front_door::Config { listen: any, tls_listen: any, ..Default::default() };
    let inside = front_door::Inside {
        access: access.clone(),
        board: Board::new(0),
        registry: registry.clone(),
        journal: journal.clone(),
        clock: clock.clone(),
        retained: Vec::new(),
    };
    front_door::Server::bind(config, inside, tls.clone()).unwrap()
}

fn parts(
    watched: Watched,
    accounts: &Accounts,
    access: &Access,
    (floor, tls): (Floor, Tls),
) -> Parts {
    let actions = Actions {
        registry: watched.registry.clone(),
        journal: watched.journal.clone(),
        clock: watched.clock.clone(),
        cloud: crate::config::Cloud::default(),
        accounts: accounts.clone(),
        first_start: FirstStart::draw().unwrap(),
        tls: tls.clone(),
    };
    let (accounts, access) = (accounts.clone(), access.clone());
    Parts { accounts, watched, actions, access, floor, tls, has_open_mqtt: false }
}

fn changes() -> Changes {
    let device = |number: u128, code: &str, kind| {
        Change::Device(DeviceRecord {
            id: device_id(number),
            code: code.parse().unwrap(),
            kind,
            name: format!("{code} {NASTY}"),
            secret_sha256: Some([9; 32]),
            bridge: None,
            topics: Vec::new(),
            enabled: true,
        })
    };
    let member = |number: u128, name: &str| {
        RosterItem::Member(Member {
            id: member_id(number),
            member_no: u64::try_from(number).unwrap(),
            display_name: name.to_owned(),
            blocked: None,
            memberships: vec![Membership {
                here: true,
                valid_from_ms: 0,
                valid_until_ms: None,
                frozen: false,
                windows: Vec::new(),
            }],
        })
        .change()
    };
    let changes = vec![
        device(1, "bike", DeviceKind::Machine),
        device(2, "door", DeviceKind::Reader),
        device(3, "box", DeviceKind::Bridge),
        member(101, "Ada Lovelace"),
        member(102, NASTY),
    ];
    Changes { branch: BranchId(Uuid::nil()), from: 0, to: 1, reset: true, more: false, changes }
}

/// Fails the test if it takes too long.
pub async fn soon<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(20), future).await.expect("it should have happened by now")
}
