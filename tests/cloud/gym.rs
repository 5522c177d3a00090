//! A gym in a test's database: two branches, people of every role, and machines.

use anyhow::{Context, Result};
use cloud_api::domains::accounts::{self, NewUser, Role};
use cloud_api::domains::branches::{self, Branch};
use cloud_api::domains::devices::{self, DeviceKind, MachineType, NewDevice};
use cloud_api::domains::members::{self, Member, NewMember, Source, Terms};
use cloud_api::domains::organizations;
use cloud_api::ids::{BranchId, DeviceId, OrganizationId};
use serde_json::json;
use tests::api::Api;
use time::macros::date;

/// The password of everybody.
pub const PASSWORD: &str = "correct horse battery staple";

/// Two branches of one organization.
pub struct Gym {
    pub organization: OrganizationId,
    pub branch: Branch,
    pub other: Branch,
}

impl Gym {
    pub async fn open(api: &Api, name: &str) -> Result<Self> {
        let now = api.app.clock.now();
        let mut db = api.app.db.begin().await?;
        let organization = organizations::create(&mut db, name, now).await?.id;
        let branch = branches::open(&mut db, organization, "Centre", "UTC", now).await?;
        let other = branches::open(&mut db, organization, "North", "UTC", now).await?;
        db.commit().await?;
        Ok(Self { organization, branch, other })
    }

    /// Adds somebody; their password is [`PASSWORD`].
    pub async fn user(&self, api: &Api, email: &str, role: Role, at: &[BranchId]) -> Result<()> {
        let hash = api.app.passwords.hash(PASSWORD.to_owned()).await?;
        let new = NewUser {
            organization: self.organization,
            email: email.parse()?,
            name: email.to_owned(),
            role,
            password_hash: Some(hash),
        };
        let mut db = api.app.db.begin().await?;
        let user = accounts::insert(&mut db, &new, api.app.clock.now()).await?;
        for branch in at {
            accounts::add_to_branch(&mut db, user.id, *branch).await?;
        }
        Ok(db.commit().await?)
    }

    /// Adds somebody and logs them in.
    pub async fn token(&self, api: &Api, role: Role, at: &[BranchId]) -> Result<String> {
        let email = format!("{}@example.com", uuid::Uuid::now_v7().simple());
        self.user(api, &email, role, at).await?;
        let login = json!({"email": email, "password": PASSWORD});
        let answer = api.post("/api/v1/auth/login", None, &login).await?.json()?;
        Ok(answer["access_token"].as_str().context("no token")?.to_owned())
    }

    /// Adds a member who may use a branch, or all.
    pub async fn member(&self, api: &Api, name: &str, at: Option<BranchId>) -> Result<Member> {
        let (reference, email, source) = (None, None, Source::Desk);
        let new = NewMember { display_name: name.parse()?, reference, email, source };
        let (branches, windows) = (at.map(|branch| vec![branch]), Vec::new());
        let (valid_from, valid_until) = (date!(2026 - 01 - 01), None);
        let terms = Terms { branches, valid_from, valid_until, windows };
        let (gym, now) = (self.organization, api.app.clock.now());
        let mut db = api.app.db.begin().await?;
        let member = members::create(&mut db, gym, &new, now).await?;
        members::add_membership(&mut db, gym, member.id, &terms, source, now).await?;
        db.commit().await?;
        Ok(member)
    }

    /// Adds a reader; the end of its code is random.
    pub async fn reader(&self, api: &Api, at: &Branch, code: &str) -> Result<DeviceId> {
        let new = NewDevice {
            code: format!("{code}-{}", uuid::Uuid::now_v7().simple()).parse()?,
            kind: DeviceKind::Reader,
            name: code.to_owned(),
            machine_type: None,
            bridge: None,
            topics: Vec::new(),
        };
        let mut db = api.app.db.begin().await?;
        let (device, _) = devices::add(&mut db, at.id, &new, api.app.clock.now()).await?;
        db.commit().await?;
        Ok(device.id)
    }

    /// Adds a machine.
    pub async fn machine(
        &self,
        api: &Api,
        at: &Branch,
        code: &str,
        kind: MachineType,
    ) -> Result<DeviceId> {
        let new = NewDevice {
            code: code.parse()?,
            kind: DeviceKind::Machine,
            name: format!("Machine {code}"),
            machine_type: Some(kind),
            bridge: None,
            topics: Vec::new(),
        };
        let mut db = api.app.db.begin().await?;
        let (device, _) = devices::add(&mut db, at.id, &new, api.app.clock.now()).await?;
        db.commit().await?;
        Ok(device.id)
    }
}
