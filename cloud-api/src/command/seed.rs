//! `seed`: a demo gym.

mod members;

use super::{Database, print};
use crate::domains::accounts::{self, NewUser, Role};
use crate::domains::branches::{self, Branch};
use crate::domains::devices::{self, DeviceKind, MachineType, NewDevice, Secret};
use crate::domains::edges;
use crate::domains::organizations::{self, Organization, SunKeys};
use crate::ids::{DeviceId, UserId};
use crate::keys::Keys;
use anyhow::bail;
use clap::Args;
use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;

/// Fills an empty database.
#[derive(Debug, Args)]
pub struct Seed {
    /// Print JSON, for scripts.
    #[arg(long)]
    json: bool,
}

/// Everything that was made, with what is needed to log in.
#[derive(Serialize)]
struct Seeded {
    organization: Organization,
    branch: Branch,
    users: Vec<SeededUser>,
    devices: Vec<SeededDevice>,
    members: Vec<members::SeededMember>,
    /// What NTAG 424 cards of members prove themselves with.
    sun_keys: serde_json::Value,
    /// Enrols the branch's edge, within the hour.
    enroll_code: String,
}

#[derive(Serialize)]
struct SeededUser {
    id: UserId,
    email: String,
    role: Role,
    password: String,
}

#[derive(Serialize)]
struct SeededDevice {
    id: DeviceId,
    code: String,
    kind: DeviceKind,
    machine_type: Option<MachineType>,
    bridge: Option<String>,
    secret: String,
}

impl Seed {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let now = database.clock.now();
        let mut tx = database.pool().begin().await?;
        if organizations::by_name(&mut tx, ORGANIZATION).await?.is_some() {
            bail!("the demo gym is there already; its secrets were shown when it was made");
        }
        let organization = organizations::create(&mut tx, ORGANIZATION, now).await?;
        let branch = branches::open(&mut tx, organization.id, BRANCH, "UTC", now).await?;
        let users = make_users(&mut tx, database, &organization, &branch, now).await?;
        let devices = make_devices(&mut tx, &branch, now).await?;
        // Codes are signed, and nobody may have started the service yet.
        Keys::load(&mut tx, now).await?;
        let sun_keys = SunKeys::generate()?;
        let secrets = database.secrets();
        organizations::set_sun_keys(&mut tx, &secrets, organization.id, &sun_keys).await?;
        let members = members::make(&mut tx, &branch, now).await?;
        let enroll_code = edges::make_enroll_code(&mut tx, branch.id, now).await?.to_string();
        tx.commit().await?;
        let sun_keys = serde_json::from_str(sun_keys.expose())?;
        let seeded =
            Seeded { organization, branch, users, devices, members, sun_keys, enroll_code };
        if self.json { print(&serde_json::to_string(&seeded)?) } else { print(&seeded.lines()) }
    }
}

const ORGANIZATION: &str = "Demo Gym";
const BRANCH: &str = "Demo Branch";

impl Seeded {
    fn lines(&self) -> String {
        let mut lines =
            vec![format!("{} / {} ({})", self.organization.name, self.branch.name, self.branch.id)];
        let user =
            |user: &SeededUser| format!("{} {} password {}", user.role, user.email, user.password);
        lines.extend(self.users.iter().map(user));
        let device = |device: &SeededDevice| {
            format!("{} {} secret {}", device.kind, device.code, device.secret)
        };
        lines.extend(self.devices.iter().map(device));
        let member = |member: &members::SeededMember| {
            format!("member {} {} ({})", member.member_no, member.display_name, member.expected)
        };
        lines.extend(self.members.iter().map(member));
        lines.push(format!("enrol code of the edge, good for an hour: {}", self.enroll_code));
        lines.join("\n")
    }
}

async fn make_users(
    db: &mut PgConnection,
    database: &Database,
    organization: &Organization,
    branch: &Branch,
    now: OffsetDateTime,
) -> anyhow::Result<Vec<SeededUser>> {
    let passwords = database.passwords()?;
    let mut made = Vec::new();
    for (email, name, role) in [
        ("admin@demo.gymwire.example", "Demo Admin", Role::Admin),
        ("staff@demo.gymwire.example", "Demo Staff", Role::Staff),
    ] {
        let password = Secret::generate()?.expose().to_owned();
        let new = NewUser {
            organization: organization.id,
            email: email.parse()?,
            name: name.to_owned(),
            role,
            password_hash: Some(passwords.hash(password.clone()).await?),
        };
        let user = accounts::insert(db, &new, now).await?;
        if role == Role::Staff {
            accounts::add_to_branch(db, user.id, branch.id).await?;
        }
        made.push(SeededUser { id: user.id, email: user.email, role, password });
    }
    Ok(made)
}

async fn make_devices(
    db: &mut PgConnection,
    branch: &Branch,
    now: OffsetDateTime,
) -> anyhow::Result<Vec<SeededDevice>> {
    let mut made = Vec::new();
    let bridge = add(db, branch, device("bridge-1", DeviceKind::Bridge)?, None, now).await?;
    let bridge_id = bridge.id;
    made.push(bridge);
    for code in ["door-1", "scanner-1"] {
        let reader = NewDevice { bridge: Some(bridge_id), ..device(code, DeviceKind::Reader)? };
        made.push(add(db, branch, reader, Some("bridge-1"), now).await?);
    }
    let topics = ["telemetry", "status", "set"].map(|what| format!("gymwire/v1/machines/+/{what}"));
    let display = NewDevice { topics: topics.into(), ..device("display-1", DeviceKind::Observer)? };
    made.push(add(db, branch, display, None, now).await?);
    for (stem, machine_type, count) in MACHINES {
        for n in 1..=count {
            let machine = NewDevice {
                machine_type: Some(machine_type),
                ..device(&format!("{stem}-{n:02}"), DeviceKind::Machine)?
            };
            made.push(add(db, branch, machine, None, now).await?);
        }
    }
    Ok(made)
}

/// 40 machines, as a mid-size gym has them.
const MACHINES: [(&str, MachineType, u32); 8] = [
    ("treadmill", MachineType::Cardio, 10),
    ("bike", MachineType::Cardio, 6),
    ("rower", MachineType::Cardio, 4),
    ("crosstrainer", MachineType::Cardio, 4),
    ("leg-press", MachineType::Strength, 4),
    ("chest-press", MachineType::Strength, 4),
    ("lat-pull", MachineType::Strength, 4),
    ("cable-tower", MachineType::Functional, 4),
];

/// A device whose name is its code in words.
fn device(code: &str, kind: DeviceKind) -> anyhow::Result<NewDevice> {
    let words = code.split('-').map(|word| word.trim_start_matches('0'));
    let name = words.collect::<Vec<_>>().join(" ");
    let mut letters = name.chars();
    let name = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    Ok(NewDevice {
        code: code.parse()?,
        kind,
        name,
        machine_type: None,
        bridge: None,
        topics: Vec::new(),
    })
}

async fn add(
    db: &mut PgConnection,
    branch: &Branch,
    new: NewDevice,
    bridge: Option<&str>,
    now: OffsetDateTime,
) -> anyhow::Result<SeededDevice> {
    let (device, secret) = devices::add(db, branch.id, &new, now).await?;
    Ok(SeededDevice {
        id: device.id,
        code: device.code,
        kind: device.kind,
        machine_type: device.machine_type,
        bridge: bridge.map(str::to_owned),
        secret: secret.expose().to_owned(),
    })
}
