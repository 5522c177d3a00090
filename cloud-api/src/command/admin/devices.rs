//! Devices of a branch, and the code that enrols its edge.

use super::Output;
use super::find::BranchArgument;
use super::people::{name, taken};
use crate::command::Database;
use crate::domains::devices::{self, DeviceKind, MachineType, NewDevice};
use crate::domains::edges;
use crate::http::Error;
use anyhow::{Context, ensure};
use clap::Args;
use protocol::ids::Code;
use protocol::sync::roster::ReaderPlace;
use serde_json::json;

#[derive(Debug, Args)]
pub struct CreateMachine {
    #[command(flatten)]
    device: DeviceArguments,
    /// What it is for.
    #[arg(long = "type", value_name = "TYPE")]
    machine_type: MachineType,
    /// Code of the bridge that speaks for it.
    #[arg(long, value_name = "CODE")]
    bridge: Option<Code>,
}

#[derive(Debug, Args)]
pub struct CreateReader {
    #[command(flatten)]
    device: DeviceArguments,
    /// Code of the bridge that speaks for it.
    #[arg(long, value_name = "CODE")]
    bridge: Option<Code>,
    /// Where its door leads: both ways if left out.
    #[arg(long, value_name = "WAY", conflicts_with = "machine")]
    direction: Option<Direction>,
    /// Code of the machine it is on.
    #[arg(long, value_name = "CODE")]
    machine: Option<Code>,
}

/// Where a door leads.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Direction {
    In,
    Out,
    Both,
}

#[derive(Debug, Args)]
pub struct CreateBridge {
    #[command(flatten)]
    device: DeviceArguments,
}

#[derive(Debug, Args)]
pub struct CreateObserver {
    #[command(flatten)]
    device: DeviceArguments,
    /// Topic it may read, a `telemetry`, `status` or `set` topic or a filter over those; may be repeated.
    #[arg(long, required = true, value_name = "FILTER", value_parser = observed)]
    topic: Vec<String>,
}

#[derive(Debug, Args)]
pub struct EnrollCode {
    #[command(flatten)]
    branch: BranchArgument,
    #[command(flatten)]
    output: Output,
}

/// What all devices have.
#[derive(Debug, Args)]
struct DeviceArguments {
    /// Its short name, unique in the branch: a-z, 0-9 and -. It logs in with it.
    code: Code,
    /// Shown to people; the code, if left out.
    #[arg(long, value_parser = name)]
    name: Option<String>,
    #[command(flatten)]
    branch: BranchArgument,
    #[command(flatten)]
    output: Output,
}

impl CreateMachine {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let Self { device, machine_type, bridge } = self;
        let make = |new: NewDevice| NewDevice { machine_type: Some(machine_type), ..new };
        create(database, device, DeviceKind::Machine, bridge, make).await
    }
}

impl CreateReader {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let Self { device, bridge, direction, machine } = self;
        let place = match direction {
            _ if machine.is_some() => None,
            None => None,
            Some(Direction::Both) => Some(ReaderPlace::Door),
            Some(Direction::In) => Some(ReaderPlace::Entry),
            Some(Direction::Out) => Some(ReaderPlace::Exit),
        };
        let place = Place { place, machine };
        create_at(database, device, DeviceKind::Reader, bridge, |new| new, place).await
    }
}

impl CreateBridge {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        create(database, self.device, DeviceKind::Bridge, None, |new| new).await
    }
}

impl CreateObserver {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let Self { device, topic } = self;
        let make = |new: NewDevice| NewDevice { topics: topic, ..new };
        create(database, device, DeviceKind::Observer, None, make).await
    }
}

impl EnrollCode {
    pub async fn run(self, database: &Database) -> anyhow::Result<()> {
        let mut tx = database.pool().begin().await?;
        let branch = self.branch.find(&mut tx).await?;
        let made = edges::make_enroll_code(&mut tx, branch.id, database.clock.now()).await?;
        tx.commit().await?;
        self.output.show(
            &json!({ "branch": branch.name, "branch_id": branch.id, "code": made.to_string() }),
        )
    }
}

/// Where a reader is.
#[derive(Default)]
struct Place {
    place: Option<ReaderPlace>,
    machine: Option<Code>,
}

async fn create(
    database: &Database,
    arguments: DeviceArguments,
    kind: DeviceKind,
    bridge: Option<Code>,
    complete: impl FnOnce(NewDevice) -> NewDevice,
) -> anyhow::Result<()> {
    create_at(database, arguments, kind, bridge, complete, Place::default()).await
}

async fn create_at(
    database: &Database,
    arguments: DeviceArguments,
    kind: DeviceKind,
    bridge: Option<Code>,
    complete: impl FnOnce(NewDevice) -> NewDevice,
    Place { mut place, machine }: Place,
) -> anyhow::Result<()> {
    let DeviceArguments { code, name, branch, output } = arguments;
    let mut tx = database.pool().begin().await?;
    let branch = branch.find(&mut tx).await?;
    let bridge = match &bridge {
        Some(code) => {
            let found = devices::by_code(&mut tx, branch.id, code).await?;
            let found = found.with_context(|| format!("--bridge: there is no device {code}"))?;
            ensure!(found.kind == DeviceKind::Bridge, "--bridge: {code} is a {}", found.kind);
            Some(found.id)
        }
        None => None,
    };
    let name = name.unwrap_or_else(|| code.to_string());
    let (machine_type, topics) = (None, Vec::new());
    let new = complete(NewDevice { code, kind, name, machine_type, bridge, topics });
    let added = devices::add(&mut tx, branch.id, &new, database.clock.now()).await;
    let (device, secret) = added.map_err(|error| match error {
        Error::Conflict("code_taken") => {
            taken(format!("{} has a device {} already", branch.name, new.code))
        }
        error => error,
    })?;
    if let Some(code) = &machine {
        let found = devices::by_code(&mut tx, branch.id, code).await?;
        let found = found.with_context(|| format!("--machine: there is no device {code}"))?;
        ensure!(found.kind == DeviceKind::Machine, "--machine: {code} is a {}", found.kind);
        place = Some(ReaderPlace::Machine(found.id.into()));
    }
    if let Some(place) = place {
        let placed = devices::place_reader(&mut tx, branch.id, device.id, place).await;
        placed.map_err(|error| anyhow::anyhow!("the place of the reader: {error:?}"))?;
    }
    tx.commit().await?;
    output.show(&json!({
        "id": device.id, "branch_id": branch.id, "code": device.code, "kind": device.kind,
        "secret": secret.expose(),
    }))
}

/// Observers may read only what contains no people.
fn observed(filter: &str) -> Result<String, String> {
    let levels: Vec<_> = filter.split('/').collect();
    let is_allowed = match levels[..] {
        ["gymwire", "v1", role, code, what] => {
            let is_code = code == "+" || Code::is_valid(code);
            let readable: &[&str] = match role {
                "machines" => &["telemetry", "status", "set"],
                "readers" | "bridges" => &["status"],
                _ => &[],
            };
            is_code && readable.contains(&what)
        }
        _ => false,
    };
    if is_allowed {
        Ok(filter.to_owned())
    } else {
        Err("is not gymwire/v1/machines/CODE|+/telemetry|status|set or …/readers|bridges/…/status"
            .to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::observed;

    #[test]
    fn an_observer_reads_telemetry_status_and_sets_only() {
        assert!(observed("gymwire/v1/machines/+/telemetry").is_ok());
        assert!(observed("gymwire/v1/readers/door-1/status").is_ok());
        assert!(observed("gymwire/v1/readers/door-1/tap").is_err());
        assert!(observed("gymwire/v1/#").is_err());
        assert!(observed("gymwire/v1/machines/+/commands").is_err());
    }
}
