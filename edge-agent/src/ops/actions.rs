//! What the command line may ask for, done by the running agent or, if none runs, by the command itself.

use crate::config;
use crate::floor::{Asker, audit};
use crate::front_door::tls::{Given, Tls};
use crate::journal::{Ack, AckSink, Journal, Received, What};
use crate::ops::clock::Clock;
use crate::registry::Registry;
use crate::registry::local::NewCredential;
use crate::staff::FirstStart;
use crate::staff::accounts::{Accounts, Role, Secret};
use crate::uplink::enroll::enroll;
use anyhow::{Context as _, Result, bail};
use protocol::ids::Code;
use protocol::sync::entry::{Body, DeviceKind, Source};
use protocol::sync::staff::Act;
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
    /// Let somebody sign in at the staff page.
    StaffAdd {
        /// What they are called.
        name: String,
        /// What they may do.
        role: Role,
        /// Their password; one is drawn if there is none.
        password: Option<Secret>,
    },
    /// Give an account of the staff page another password.
    StaffReset {
        /// Whose.
        name: String,
        /// Their password; one is drawn if there is none.
        password: Option<Secret>,
    },
    /// Remove an account of the staff page.
    StaffRemove {
        /// Whose.
        name: String,
    },
    /// Who may sign in at the staff page.
    StaffList,
    /// How the first account of the staff page is made.
    FirstStart,
    /// Give a device a certificate.
    DeviceCertify {
        /// Its short name.
        code: String,
    },
    /// Refuse a certificate from now on.
    CertificateRevoke {
        /// Its serial number, hexadecimal.
        serial: String,
    },
    /// Replace the edge's own key.
    KeyRotate,
    /// Make a new root of the branch.
    CaRotate,
    /// Trust the former root no more.
    CaDropFormer,
    /// End, to be started again.
    Restart,
}

/// An account of the staff page in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedStaff {
    /// What they are called.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// On how many devices they are signed in.
    pub signed_in: usize,
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
    /// The certificates it was given, the newest first.
    #[serde(default)]
    pub certificates: Vec<Given>,
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
    /// Who may sign in at the staff page.
    pub accounts: Accounts,
    /// The code for making the first account; only a running agent has one.
    pub first_start: FirstStart,
    /// The branch's certificates.
    pub tls: Tls,
}

/// A journal that cannot be written does not answer.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);
/// A cloud that is away gets the new key when it is back; nobody waits for that.
const KEY_TIMEOUT: Duration = Duration::from_secs(15);

impl Actions {
    /// Carries a request out; everything but what only a running agent can.
    pub async fn perform(&self, ask: Ask) -> Result<serde_json::Value> {
        match ask {
            Ask::Status => bail!("only a running agent has a status"),
            Ask::Restart => bail!("only a running agent can be restarted"),
            Ask::Enroll { cloud, code } => {
                let enrolled =
                    enroll(&self.registry, &self.cloud, &self.clock, &cloud, &code).await?;
                let answer = &enrolled.enrolment.answer;
                Ok(serde_json::json!({ "branch": answer.branch_name, "edge_id": answer.edge_id }))
            }
            Ask::DeviceAdd { kind, code } => {
                let new = self.registry.prepare_device(kind, code)?;
                self.issue(new).await
            }
            Ask::DeviceRotate { code } => {
                let new = self.registry.prepare_secret(&code).await?;
                self.issue(new).await
            }
            Ask::DeviceRevoke { code } => self.revoke_device(&code).await,
            Ask::DeviceCertify { code } => {
                let device = self.registry.by_code(&code).filter(|device| device.enabled);
                device.with_context(|| format!("there is no device {code} that may log in"))?;
                let made = self.tls.certify(&code)?;
                Ok(serde_json::json!({ "certificate": made.certificate, "key": made.key }))
            }
            Ask::CertificateRevoke { serial } => {
                self.audited("certificate_revoke", &serial).await?;
                Ok(serde_json::to_value(self.tls.revoke(&serial)?)?)
            }
            Ask::KeyRotate => {
                self.audited("key_rotate", "").await?;
                Ok(serde_json::json!({ "replaced": self.rotate_key().await? }))
            }
            Ask::CaRotate => {
                self.audited("authority_rotate", "").await?;
                Ok(serde_json::to_value(self.tls.rotate()?)?)
            }
            Ask::CaDropFormer => {
                self.audited("authority_drop_former", "").await?;
                Ok(serde_json::to_value(self.tls.drop_former()?)?)
            }
            Ask::DeviceList => Ok(serde_json::to_value(self.devices())?),
            Ask::StaffAdd { .. } | Ask::StaffReset { .. } | Ask::StaffRemove { .. } => {
                self.change_staff(ask).await
            }
            Ask::FirstStart if self.accounts.is_empty() => {
                Ok(serde_json::json!({ "code": self.first_start.code() }))
            }
            Ask::FirstStart => Ok(serde_json::json!({})),
            Ask::StaffList => Ok(serde_json::to_value(self.staff())?),
        }
    }

    async fn revoke_device(&self, code: &str) -> Result<serde_json::Value> {
        let (device, told) = self.registry.revoke(code).await?;
        // A new secret is for another device under this code; certificates of the former stay void.
        self.tls.revoke_all_of(code)?;
        self.journaled(told).await.with_context(|| {
            format!("{code} is locked out at the branch, but the cloud will not hear of it")
        })?;
        Ok(serde_json::json!({ "code": device.code, "name": device.name }))
    }

    /// Accounts of the staff page; who may open the state folder may do it all.
    async fn change_staff(&self, ask: Ask) -> Result<serde_json::Value> {
        match ask {
            Ask::StaffAdd { name, role, password } => {
                self.audited("account_add", &name).await?;
                let given = password.map(Secret::into_inner);
                let password = self.accounts.add(&name, role, given, None).await?;
                Ok(serde_json::json!({ "name": name.trim(), "password": *password }))
            }
            Ask::StaffReset { name, password } => {
                self.audited("account_reset", &name).await?;
                let given = password.map(Secret::into_inner);
                let password = self.accounts.reset(&name, given, None).await?;
                Ok(serde_json::json!({ "name": name.trim(), "password": *password }))
            }
            Ask::StaffRemove { name } => {
                self.audited("account_remove", &name).await?;
                self.accounts.remove(&name, true).await?;
                Ok(serde_json::json!({ "name": name.trim() }))
            }
            _ => bail!("that is no account"),
        }
    }

    /// Orders a new key of the edge, and waits a while for the cloud to have it. Whether it has.
    async fn rotate_key(&self) -> Result<bool> {
        let mut next = self.registry.next_keys();
        self.registry.order_new_key()?;
        let replaced = timeout(KEY_TIMEOUT, next.wait_for(Option::is_none)).await;
        Ok(replaced.is_ok())
    }

    fn devices(&self) -> Vec<Listed> {
        let given = self.tls.certificates();
        let listed = self.registry.all().into_iter().map(|device| Listed {
            certificates: given
                .iter()
                .filter(|given| given.code == *device.code.as_str())
                .cloned()
                .collect(),
            code: device.code.to_string(),
            kind: device.kind,
            name: device.name.clone(),
            enabled: device.enabled,
            has_secret: device.secret_sha256.is_some(),
        });
        listed.collect()
    }

    fn staff(&self) -> Vec<ListedStaff> {
        let listed = self.accounts.list().into_iter().map(|account| ListedStaff {
            name: account.name,
            role: account.role,
            signed_in: account.signed_in,
        });
        listed.collect()
    }

    /// A secret that nobody is shown must not count: it is journaled before it is kept.
    async fn issue(&self, new: NewCredential) -> Result<serde_json::Value> {
        self.journaled(new.told.clone()).await.context("nothing was changed")?;
        self.registry.keep(&new).await?;
        Ok(serde_json::json!({ "code": new.code, "secret": new.secret }))
    }

    /// Writes down what somebody at the gateway itself does, before it is done: nobody asks for their name.
    async fn audited(&self, what: &str, subject: &str) -> Result<()> {
        let by = Asker::Staff { id: None, name: "command line".to_owned() };
        let subject = subject.chars().take(300).collect();
        let act = Act::Other { what: what.to_owned(), subject };
        self.journaled(audit(&by, act, None)).await.context("nothing was changed")
    }

    /// Journals and waits until it is on disk.
    pub(crate) async fn journaled(&self, body: Body) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front_door::tls::BranchCa;
    use crate::journal::{BatchLimits, JournalConfig};
    use crate::staff;
    use crate::staff::accounts::Cost;
    use protocol::sync::batch::Batch;
    use protocol::sync::entry::Event;
    use protocol::time::Stamp;
    use tempfile::TempDir;

    struct Branch {
        actions: Actions,
        _folder: TempDir,
    }

    impl Branch {
        async fn open() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let now = Stamp { boot: 1, mono_ms: 1, wall_ms: 1_795_000_000_000, synced: true };
            let clock = Clock::manual(now);
            let registry = Registry::open(folder.path(), &clock).await.unwrap().registry;
            let config = JournalConfig::new(folder.path());
            let (journal, _) = Journal::open(config, clock.clone()).unwrap();
            let cloud = config::Cloud::default();
            let (staff, cost) = (staff::Config::default(), Cost { memory_kib: 8, passes: 1 });
            let accounts =
                Accounts::open(registry.clone(), clock.clone(), &staff, cost).await.unwrap();
            let first_start = FirstStart::draw().unwrap();
            let ca = BranchCa::open(&folder.path().join("ca"), clock.latest_ms()).unwrap();
            let tls = Tls::open(ca, Vec::new(), clock.clone()).unwrap();
            let actions = Actions { registry, journal, clock, cloud, accounts, first_start, tls };
            Self { actions, _folder: folder }
        }

        async fn ask(&self, ask: Ask) -> Result<serde_json::Value> {
            self.actions.perform(ask).await
        }

        async fn add(&self, code: &str) -> Result<serde_json::Value> {
            self.ask(Ask::DeviceAdd { kind: DeviceKind::Reader, code: code.parse().unwrap() }).await
        }

        async fn told(&self) -> Vec<Body> {
            let batch = self.actions.journal.read_batch(BatchLimits::default()).await.unwrap();
            let events = batch.map_or_else(Vec::new, |batch: Batch| batch.events);
            events.iter().map(|entry| Event::decode(&entry.event).unwrap().body).collect()
        }
    }

    #[tokio::test]
    async fn the_cloud_is_told_of_new_secrets_and_of_revocations() {
        let branch = Branch::open().await;
        branch.add("door").await.unwrap();
        branch.ask(Ask::DeviceRotate { code: "door".to_owned() }).await.unwrap();
        let rotated = branch.actions.registry.by_code("door").unwrap().secret_sha256;

        branch.ask(Ask::DeviceRevoke { code: "door".to_owned() }).await.unwrap();

        let told = branch.told().await;
        let [Body::DeviceProposed(added), Body::DeviceSecret(renewed), Body::DeviceSecret(revoked)] =
            &told[..]
        else {
            panic!("{told:?}")
        };
        assert_eq!(renewed.former_sha256, Some(added.secret_sha256));
        assert_eq!(renewed.secret_sha256, rotated);
        assert_eq!((revoked.former_sha256, revoked.secret_sha256), (rotated, None));
    }

    #[tokio::test]
    async fn accounts_that_the_command_line_makes_and_removes_are_in_the_audit() {
        let branch = Branch::open().await;
        let (name, role) = ("Ada".to_owned(), Role::Manager);

        branch.ask(Ask::StaffAdd { name: name.clone(), role, password: None }).await.unwrap();
        branch.ask(Ask::StaffReset { name: name.clone(), password: None }).await.unwrap();
        branch.ask(Ask::StaffRemove { name }).await.unwrap();

        let told = branch.told().await;
        let acts: Vec<_> = told
            .iter()
            .map(|body| match body {
                Body::StaffAct(act) => (act.name.as_str(), &act.act),
                other => panic!("{other:?}"),
            })
            .collect();
        let expected = ["account_add", "account_reset", "account_remove"]
            .map(|what| Act::Other { what: what.to_owned(), subject: "Ada".to_owned() });
        assert_eq!(acts, expected.each_ref().map(|act| ("command line", act)));
    }

    #[tokio::test]
    async fn while_the_journal_cannot_be_written_no_secret_is_given_out_unseen() {
        let branch = Branch::open().await;
        branch.add("door").await.unwrap();
        let before = branch.actions.registry.by_code("door");
        branch.actions.journal.close().await;

        let added = branch.add("turnstile").await;
        let rotated = branch.ask(Ask::DeviceRotate { code: "door".to_owned() }).await;

        assert!(added.is_err() && rotated.is_err());
        assert_eq!(branch.actions.registry.by_code("turnstile"), None);
        assert_eq!(branch.actions.registry.by_code("door"), before);
    }

    #[tokio::test]
    async fn a_device_is_locked_out_even_if_the_journal_cannot_be_written() {
        let branch = Branch::open().await;
        branch.add("door").await.unwrap();
        branch.actions.journal.close().await;

        let revoked = branch.ask(Ask::DeviceRevoke { code: "door".to_owned() }).await;

        assert!(revoked.unwrap_err().to_string().contains("locked out at the branch"));
        assert!(!branch.actions.registry.by_code("door").unwrap().enabled);
    }
}
