//! The front door over real sockets, with a real journal and registry behind it.

mod certificates;
mod client;
mod devices;
mod hostile;
mod messages;
mod rights;
mod sessions;
mod tls;

use super::tls::{BranchCa, Tls};
use super::{Config, Inside, Publisher, Server};
use crate::access::Access;
use crate::journal::{Committed, Item, Journal, JournalConfig};
use crate::ops::clock::Clock;
use crate::registry::Registry;
use crate::uplink::board::Board;
use client::Client;
use devices::devices;
pub use devices::{device_id, record, secret};
use protocol::ids::BranchId;
use protocol::sync::changes::{Change, Changes};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A branch with a machine `bike`, a machine `rack` and a reader `door` behind the bridge `box`, an observer `screen`.
pub struct Branch {
    pub plain: SocketAddr,
    pub encrypted: SocketAddr,
    pub registry: Registry,
    pub publisher: Publisher,
    pub ca: String,
    pub tls: Tls,
    pub folder: TempDir,
    committed: broadcast::Receiver<Arc<Committed>>,
    version: u64,
    _journal: Journal,
    server: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
}

pub const OBSERVED: [&str; 3] = [
    "gymwire/v1/machines/+/telemetry",
    "gymwire/v1/machines/+/status",
    "gymwire/v1/machines/bike/set",
];

impl Branch {
    pub async fn open() -> Self {
        Self::with(Config::default()).await
    }

    pub async fn with(config: Config) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let registry = Registry::in_memory().await.unwrap();
        let (journal, opened) =
            Journal::open(JournalConfig::new(folder.path()), clock.clone()).unwrap();
        let committed = journal.events();
        let ca = BranchCa::open(&folder.path().join("ca"), clock.latest_ms()).unwrap();
        let exported = ca.export();
        let tls = Tls::open(ca, Vec::new(), clock.clone()).unwrap();
        let access = Access::new(registry.clone(), clock.clone());
        access.decide_in(&journal).await.unwrap();
        let inside = Inside {
            access,
            board: Board::new(0),
            registry: registry.clone(),
            journal: journal.clone(),
            clock,
            retained: opened.retained,
        };
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let config = Config { listen: any, tls_listen: any, ..config };
        let server = Server::bind(config, inside, tls.clone()).unwrap();
        let (plain, encrypted) = server.addresses().unwrap();
        let publisher = server.publisher();
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(server.run(stop.clone()));
        let mut branch = Self {
            plain,
            encrypted,
            registry,
            publisher,
            ca: exported,
            tls,
            folder,
            committed,
            version: 0,
            _journal: journal,
            server: tasks,
            stop,
        };
        branch.change(devices(&OBSERVED).into_iter().map(Change::Device).collect()).await;
        branch
    }

    pub async fn change(&mut self, changes: Vec<Change>) {
        let (from, to) = (self.version, self.version + 1);
        let branch = BranchId(Uuid::nil());
        let changes = Changes { branch, from, to, reset: from == 0, more: false, changes };
        self.registry.apply(changes).await.unwrap();
        self.version = to;
    }

    pub async fn v311(&self, code: &str) -> Client {
        Client::log_in(self.plain, 4, code).await
    }

    pub async fn v5(&self, code: &str) -> Client {
        Client::log_in(self.plain, 5, code).await
    }

    /// The next message that was committed and fits.
    pub async fn committed<T>(&mut self, mut find: impl FnMut(&Item) -> Option<T>) -> T {
        soon(async {
            loop {
                let commit = self.committed.recv().await.unwrap();
                if let Some(found) = commit.items.iter().find_map(&mut find) {
                    return found;
                }
            }
        })
        .await
    }

    pub async fn close(mut self) {
        self.stop.cancel();
        self.server.join_next().await.unwrap().unwrap().unwrap();
    }
}

/// Fails the test if it takes too long.
pub async fn soon<F: Future>(future: F) -> F::Output {
    timeout(Duration::from_secs(10), future).await.expect("it should have happened by now")
}
