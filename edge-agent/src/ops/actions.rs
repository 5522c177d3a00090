//! What the command line may ask for, done by the running agent or, if none runs, by the command itself.

use crate::config;
use crate::journal::{Ack, AckSink, Journal, Received, What};
use crate::ops::clock::Clock;
use crate::registry::Registry;
use crate::registry::local::NewCredential;
use crate::uplink::enroll::enroll;
use anyhow::{Context as _, Result, bail};
use protocol::ids::Code;
use protocol::sync::entry::{Body, DeviceKind, Notice, Source};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// A request of the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// How the agent is.
    Status,
    /// Become known to a cloud.
    Enroll {
        /// Its base URL.
        cloud: String,
        /// The one-time code.
        code: String,
    },
    /// Add a device.
    DeviceAdd {
        /// What it is.
        kind: DeviceKind,
        /// Its short name.
        code: Code,
    },
    /// Give a device a new secret.
    DeviceRotate {
        /// Its short name.
        code: String,
    },
    /// Lock a device out.
    DeviceRevoke {
        /// Its short name.
        code: String,
    },
    /// Which devices there are.
    DeviceList,
}

/// A device in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its short name.
    pub code: String,
    /// What it is.
    pub kind: DeviceKind,
    /// Shown to people.
    pub name: String,
    /// May log in.
    pub enabled: bool,
    /// Has a secret.
    pub has_secret: bool,
}

/// The parts that requests are carried out with.
#[derive(Clone)]
pub struct Actions {
    /// Devices and enrolment.
    pub registry: Registry,
    /// Where the cloud will learn of it from.
    pub journal: Journal,
    /// The clock.
    pub clock: Clock,
    /// The way to the cloud.
    pub cloud: config::Cloud,
}

/// A journal that cannot be written does not answer.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);

impl Actions {
    /// Carries a request out; everything but [`Ask::Status`].
    pub async fn perform(&self, ask: Ask) -> Result<serde_json::Value> {
        match ask {
            Ask::Status => bail!("only a running agent has a status"),
            Ask::Enroll { cloud, code } => {
                let enrolled =
                    enroll(&self.registry, &self.cloud, &self.clock, &cloud, &code).await?;
                let answer = &enrolled.enrolment.answer;
                Ok(serde_json::json!({ "branch": answer.branch_name, "edge_id": answer.edge_id }))
            }
            Ask::DeviceAdd { kind, code } => {
                let new = self.registry.add(kind, code).await?;
                self.proposed(new).await
            }
            Ask::DeviceRotate { code } => {
                let new = self.registry.rotate(&code).await?;
                self.proposed(new).await
            }
            Ask::DeviceRevoke { code } => {
                let device = self.registry.revoke(&code).await?;
                let detail = format!("staff locked the device {} out at the branch", device.code);
                let code = "device_revoked".to_owned();
                self.journaled(Body::Notice(Notice { code, detail })).await?;
                Ok(serde_json::json!({ "code": device.code, "name": device.name }))
            }
            Ask::DeviceList => Ok(serde_json::to_value(self.devices())?),
        }
    }

    fn devices(&self) -> Vec<Listed> {
        let listed = self.registry.all().into_iter().map(|device| Listed {
            code: device.code.to_string(),
            kind: device.kind,
            name: device.name.clone(),
            enabled: device.enabled,
            has_secret: device.secret_sha256.is_some(),
        });
        listed.collect()
    }

    async fn proposed(&self, new: NewCredential) -> Result<serde_json::Value> {
        let answer = serde_json::json!({ "code": new.proposal.code, "secret": new.secret });
        self.journaled(Body::DeviceProposed(new.proposal)).await?;
        Ok(answer)
    }

    /// Journals and waits until it is on disk.
    async fn journaled(&self, body: Body) -> Result<()> {
        let (sender, committed) = oneshot::channel();
        let connection = Arc::new(Committed(Mutex::new(Some(sender))));
        let mut received = Received::new(Source::Edge, What::Event(body));
        received.ack = Some(Ack { connection, packet_id: 1, reason: 0 });
        self.journal.submit(vec![received]).await?;
        timeout(COMMIT_TIMEOUT, committed)
            .await
            .context("the journal cannot be written")?
            .context("the journal is closed")
    }
}

/// Waits for one commit.
struct Committed(Mutex<Option<oneshot::Sender<()>>>);

impl AckSink for Committed {
    fn committed(&self, _: &[(u16, u8)]) {
        let sender = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if let Some(sender) = sender {
            let _ = sender.send(());
        }
    }
}
