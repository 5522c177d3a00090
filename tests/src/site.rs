//! A branch with devices and people in the cloud's database, made by the same functions as `cloud-api admin` uses.

use crate::mqtt::Login;
use anyhow::Result;
use cloud_api::Clock;
use cloud_api::config::Auth;
use cloud_api::domains::accounts::{self, NewUser, Passwords, Role};
use cloud_api::domains::devices::{self, DeviceKind, MachineType, NewDevice};
use cloud_api::domains::edges::{self, Order};
use cloud_api::domains::members::{self, Member, NewMember, Proof, Source, Terms, import};
use cloud_api::domains::sessions::{self, Wanted};
use cloud_api::domains::{branches, organizations};
use cloud_api::ids::{BranchId, CommandId, DeviceId, MemberId, OrganizationId, UserId};
use protocol::credential::uid_hash;
use protocol::sync::commands::Target;
use protocol::sync::entry;
use protocol::sync::roster::ReaderPlace;
use sqlx::PgPool;
use std::fmt::Write as _;
use std::time::Duration;
use time::macros::date;

/// A branch of an organization of its own.
#[derive(Debug, Clone)]
pub struct Site {
    db: PgPool,
    organization: OrganizationId,
    /// Which branch.
    pub branch: BranchId,
    /// Its name.
    pub name: String,
}

impl Site {
    /// Opens a branch.
    pub async fn open(db: &PgPool) -> Result<Self> {
        let name = format!("Branch {}", uuid::Uuid::now_v7());
        let now = Clock::system().now();
        let mut tx = db.begin().await?;
        let organization = organizations::create(&mut tx, &name, now).await?;
        let branch = branches::open(&mut tx, organization.id, &name, "UTC", now).await?;
        tx.commit().await?;
        Ok(Self { db: db.clone(), organization: organization.id, branch: branch.id, name })
    }

    /// Opens another branch of the same organization.
    pub async fn beside(&self) -> Result<Self> {
        let name = format!("Branch {}", uuid::Uuid::now_v7());
        let mut tx = self.db.begin().await?;
        let now = Clock::system().now();
        let branch = branches::open(&mut tx, self.organization, &name, "UTC", now).await?;
        tx.commit().await?;
        Ok(Self { branch: branch.id, name, ..self.clone() })
    }

    /// Adds machines; their logins.
    pub async fn machines(&self, codes: &[String]) -> Result<Vec<Login>> {
        let mut logins = Vec::new();
        for code in codes {
            let mut new = new(code, DeviceKind::Machine)?;
            new.machine_type = Some(MachineType::Cardio);
            logins.push(self.add(&new).await?.1);
        }
        Ok(logins)
    }

    /// Adds a bridge and the readers that it speaks for; the bridge's login.
    pub async fn bridge(&self, code: &str, readers: &[&str]) -> Result<Login> {
        self.bridge_of(code, readers, &[]).await
    }

    /// Adds a bridge with the readers and strength machines that it speaks for; the bridge's login.
    pub async fn bridge_of(
        &self,
        code: &str,
        readers: &[&str],
        machines: &[&str],
    ) -> Result<Login> {
        let (bridge, login) = self.add(&new(code, DeviceKind::Bridge)?).await?;
        for reader in readers {
            let mut new = new(reader, DeviceKind::Reader)?;
            new.bridge = Some(bridge);
            self.add(&new).await?;
        }
        for machine in machines {
            let mut new = new(machine, DeviceKind::Machine)?;
            (new.bridge, new.machine_type) = (Some(bridge), Some(MachineType::Strength));
            self.add(&new).await?;
        }
        Ok(login)
    }

    /// Adds a member who may come in whenever they like, with cards of these numbers.
    pub async fn member(&self, name: &str, cards: &[[u8; 7]]) -> Result<MemberId> {
        let proof = |card: &[u8; 7]| Ok(Proof::NfcUid(hex::encode(card).parse()?));
        let cards = cards.iter().map(proof).collect::<Result<Vec<_>>>()?;
        Ok(self.member_with(name, &cards).await?.id)
    }

    /// Adds many members at once, "Member 0" and so on, each with a card.
    pub async fn members(&self, cards: impl Iterator<Item = Vec<u8>>) -> Result<()> {
        let mut file = String::from("reference,display_name,valid_from,card_uids\n");
        for (number, card) in cards.enumerate() {
            writeln!(file, "M{number},Member {number},2026-01-01,{}", hex::encode_upper(card))?;
        }
        let mut tx = self.db.begin().await?;
        let now = Clock::system().now();
        let (gym, bytes) = (self.organization, file.as_bytes());
        let imported = import::import(&mut tx, gym, bytes, now, &mut |_| {}).await;
        imported.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        Ok(tx.commit().await?)
    }

    /// From now on edges that ask what is new get a snapshot of everything.
    pub async fn forget_changes(&self) -> Result<()> {
        let forget =
            "UPDATE branch_versions SET forgotten_version = version + 1 WHERE branch_id = $1";
        sqlx::query(forget).bind(self.branch.0).execute(&self.db).await?;
        Ok(())
    }

    /// The same with any cards and phones.
    pub async fn member_with(&self, name: &str, proofs: &[Proof]) -> Result<Member> {
        let (reference, email, source) = (None, None, Source::Desk);
        let new = NewMember { display_name: name.parse()?, reference, email, source };
        let (valid_from, valid_until) = (date!(2026 - 01 - 01), None);
        let terms = Terms { branches: None, valid_from, valid_until, windows: Vec::new() };
        let (gym, now) = (self.organization, Clock::system().now());
        let mut tx = self.db.begin().await?;
        let member = members::create(&mut tx, gym, &new, now).await?;
        members::add_membership(&mut tx, gym, member.id, &terms, source, now).await?;
        for proof in proofs {
            members::add_credential(&mut tx, gym, member.id, proof, None, now).await?;
        }
        tx.commit().await?;
        Ok(member)
    }

    /// Keeps a member out.
    pub async fn block(&self, member: MemberId) -> Result<()> {
        let (reason, now) = ("payment".parse()?, Clock::system().now());
        let mut tx = self.db.begin().await?;
        members::set_blocked(&mut tx, self.organization, member, Some(&reason), now).await?;
        Ok(tx.commit().await?)
    }

    /// As which the number of a card is kept.
    pub async fn card_hash(&self, card: &[u8]) -> Result<[u8; 32]> {
        let mut db = self.db.acquire().await?;
        let key = organizations::credential_key(&mut db, self.organization).await?;
        Ok(uid_hash(&key, card))
    }

    /// Adds a reader that speaks for itself.
    pub async fn reader(&self, code: &str) -> Result<Login> {
        Ok(self.add(&new(code, DeviceKind::Reader)?).await?.1)
    }

    /// Adds a reader that speaks for itself, on a machine.
    pub async fn reader_at(&self, code: &str, machine: &str) -> Result<Login> {
        let login = self.reader(code).await?;
        self.place(code, machine).await?;
        Ok(login)
    }

    /// Puts a reader on a machine.
    pub async fn place(&self, reader: &str, machine: &str) -> Result<()> {
        let (reader, machine) = (self.device(reader).await?, self.device(machine).await?);
        let mut tx = self.db.begin().await?;
        let place = ReaderPlace::Machine(machine.into());
        let placed = devices::place_reader(&mut tx, self.branch, reader, place).await;
        placed.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        Ok(tx.commit().await?)
    }

    /// The device with this code.
    pub async fn device(&self, code: &str) -> Result<DeviceId> {
        let id = "SELECT id FROM devices WHERE branch_id = $1 AND code = $2";
        let id = sqlx::query_scalar(id).bind(self.branch.0).bind(code);
        Ok(DeviceId(id.fetch_one(&self.db).await?))
    }

    /// Asks the branch for something, as an app does; the id of the stay or link.
    pub async fn ask(&self, wanted: Wanted) -> Result<uuid::Uuid> {
        let mut tx = self.db.begin().await?;
        let (_, id) = sessions::ask_branch(&mut tx, self.branch, wanted, &Clock::system()).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Gives a reader an order that is void after so long.
    pub async fn order(&self, reader: &str, command: &str, ttl: Duration) -> Result<CommandId> {
        self.order_to(entry::DeviceKind::Reader, reader, command, ttl).await
    }

    /// Gives a machine an order that is void after so long.
    pub async fn order_machine(
        &self,
        machine: &str,
        command: &str,
        ttl: Duration,
    ) -> Result<CommandId> {
        self.order_to(entry::DeviceKind::Machine, machine, command, ttl).await
    }

    async fn order_to(
        &self,
        kind: entry::DeviceKind,
        code: &str,
        command: &str,
        ttl: Duration,
    ) -> Result<CommandId> {
        let target = Some(Target { kind, code: code.parse()? });
        self.give(target, command, serde_json::Map::new(), ttl).await
    }

    /// Gives the edge itself an order that is void after so long.
    pub async fn order_edge(
        &self,
        command: &str,
        args: serde_json::Map<String, serde_json::Value>,
        ttl: Duration,
    ) -> Result<CommandId> {
        self.give(None, command, args, ttl).await
    }

    async fn give(
        &self,
        target: Option<Target>,
        command: &str,
        args: serde_json::Map<String, serde_json::Value>,
        ttl: Duration,
    ) -> Result<CommandId> {
        let (branch, command) = (self.branch, command.to_owned());
        let order = Order { branch, target, command, args, ttl: ttl.try_into()? };
        let mut tx = self.db.begin().await?;
        let id = edges::give_command(&mut tx, &order, &Clock::system()).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// How an order ended, as far as the branch has told.
    pub async fn outcome(&self, order: CommandId) -> Result<Option<String>> {
        let outcome = "SELECT outcome FROM commands WHERE id = $1 AND NOT is_assumed";
        let outcome = sqlx::query_scalar(outcome).bind(order.0).fetch_optional(&self.db).await?;
        Ok(outcome.flatten())
    }

    /// Whether an order is void by now.
    pub async fn is_void(&self, order: CommandId) -> Result<bool> {
        let is_void = "SELECT expires_at < now() FROM commands WHERE id = $1";
        Ok(sqlx::query_scalar(is_void).bind(order.0).fetch_one(&self.db).await?)
    }

    /// Adds an observer of everything that may be observed.
    pub async fn observer(&self, code: &str) -> Result<Login> {
        let mut new = new(code, DeviceKind::Observer)?;
        new.topics = ["telemetry", "status", "set"]
            .map(|leaf| format!("gymwire/v1/machines/+/{leaf}"))
            .into();
        Ok(self.add(&new).await?.1)
    }

    /// Adds somebody who works there; e-mail address and password.
    pub async fn staff(&self) -> Result<(String, String)> {
        self.person(Role::Staff).await
    }

    /// Adds somebody who can log in; staff work at the branch.
    pub async fn person(&self, role: Role) -> Result<(String, String)> {
        let (_, email, password) = self.account(role).await?;
        Ok((email, password))
    }

    /// Gives a member an account; e-mail address and password.
    pub async fn account_of(&self, member: MemberId) -> Result<(String, String)> {
        let (user, email, password) = self.account(Role::Member).await?;
        members::set_user(&mut *self.db.acquire().await?, member, user).await?;
        Ok((email, password))
    }

    async fn account(&self, role: Role) -> Result<(UserId, String, String)> {
        let email = format!("{}@example.com", uuid::Uuid::now_v7().simple());
        let password = "a password of staff".to_owned();
        let cheap = Auth { hash_memory_kib: 8, hash_passes: 1, ..Auth::default() };
        let new = NewUser {
            organization: self.organization,
            email: email.parse()?,
            name: if role == Role::Admin { "Robin Ortega" } else { "Staff" }.to_owned(),
            role,
            password_hash: Some(Passwords::new(&cheap)?.hash(password.clone()).await?),
        };
        let mut tx = self.db.begin().await?;
        let user = accounts::insert(&mut tx, &new, Clock::system().now()).await?;
        if role == Role::Staff {
            accounts::add_to_branch(&mut tx, user.id, self.branch).await?;
        }
        tx.commit().await?;
        Ok((user.id, email, password))
    }

    /// A one-time code for its edge.
    pub async fn enroll_code(&self) -> Result<String> {
        let mut tx = self.db.begin().await?;
        let made = edges::make_enroll_code(&mut tx, self.branch, Clock::system().now()).await?;
        tx.commit().await?;
        Ok(made.to_string())
    }

    async fn add(&self, new: &NewDevice) -> Result<(DeviceId, Login)> {
        let mut tx = self.db.begin().await?;
        let (device, secret) =
            devices::add(&mut tx, self.branch, new, Clock::system().now()).await?;
        tx.commit().await?;
        let password = Some(secret.expose().to_owned());
        Ok((device.id, Login { user: device.code, password }))
    }
}

fn new(code: &str, kind: DeviceKind) -> Result<NewDevice> {
    let (machine_type, bridge, topics) = (None, None, Vec::new());
    Ok(NewDevice { code: code.parse()?, kind, name: code.to_owned(), machine_type, bridge, topics })
}
