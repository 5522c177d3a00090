//! The floor of a branch in pieces, so that only those that changed are told again.

use super::Place;
use super::edge::Edge;
use crate::app::App;
use crate::clock::unix_ms;
use crate::domains::devices::MachineType;
use crate::domains::edges;
use crate::domains::floor::{self as floor_domain, Hold, PresentFilter, PresentSession};
use crate::domains::machines::{self, Availability, MachineNow};
use crate::http::{Caller, Permission, Result};
use crate::ids::{BranchId, DeviceId};
use crate::pages::overview::Machines;
use crate::pages::reply::piece;
use askama::Template;
use page_kit::times;
use page_kit::told::Piece;
use protocol::access::LocalTime;
use sqlx::PgConnection;
use std::collections::HashMap;
use uuid::Uuid;

/// More people than fit a page are counted only.
const MAX_NAMED: i64 = 300;

/// What is going on at a branch.
pub struct Floor {
    pub counts: Counts,
    pub inside: Inside,
    pub edge: Edge,
    tiles: Vec<Tile>,
}

/// How many of what there are.
#[derive(Template)]
#[template(path = "console/counts.html")]
pub struct Counts {
    inside: i64,
    machines: Machines,
    is_update: bool,
}

/// Who is inside.
#[derive(Template)]
#[template(path = "console/inside.html")]
pub struct Inside {
    branch: BranchId,
    count: i64,
    people: Vec<Person>,
    is_cut: bool,
    /// May see who they are.
    may_name: bool,
    is_update: bool,
}

/// Somebody who is inside.
struct Person {
    stay: Uuid,
    name: String,
    since: String,
    machine: String,
}

/// A machine.
#[derive(Template)]
#[template(path = "console/tile.html")]
pub struct Tile {
    branch: BranchId,
    code: String,
    name: String,
    kind: MachineType,
    look: &'static str,
    words: &'static str,
    since: Option<String>,
    holder: Option<String>,
    error: Option<String>,
    waiting: i64,
    is_update: bool,
}

impl Floor {
    /// As somebody may see it now.
    pub async fn read(
        app: &App,
        db: &mut PgConnection,
        caller: &Caller,
        place: &Place,
        is_update: bool,
    ) -> Result<Self> {
        let (id, zone, now) = (place.branch.id, &place.settings.zone, app.clock.now());
        let scope = caller.scope();
        let may_name = caller.has(Permission::ReadMembers);
        let machines = machines::now(app, db, scope, Some(id)).await?;
        let holds = floor_domain::holds(db, id).await?;
        let holds: HashMap<_, _> = holds.into_iter().map(|hold| (hold.machine_id, hold)).collect();
        let only_here = PresentFilter { branch_id: Some(id), member_id: None, open: Some(true) };
        let people = floor_domain::present(db, scope, &only_here, None, MAX_NAMED).await?;
        let inside = floor_domain::inside_by_branch(db, scope).await?;
        let health = edges::health(app, db, scope, Some(id)).await?;
        let count = inside.get(&id).copied().unwrap_or(0);
        let mut counts = Counts { inside: count, machines: Machines::default(), is_update };
        for machine in &machines {
            counts.machines.add(machine.availability);
        }
        let names: HashMap<_, _> =
            machines.iter().map(|one| (one.machine.id, one.machine.name.as_str())).collect();
        let shown = people.iter().filter(|_| may_name);
        let inside = Inside {
            branch: id,
            count,
            people: shown.map(|stay| person(stay, &names, zone)).collect(),
            is_cut: i64::try_from(people.len()).unwrap_or(0) < count,
            may_name,
            is_update,
        };
        let tiles = machines.into_iter().map(|machine| {
            let hold = holds.get(&machine.machine.id);
            tile(machine, hold.filter(|_| may_name), zone, is_update)
        });
        let tiles = tiles.collect();
        Ok(Self { counts, inside, edge: Edge::of(health.first(), zone, now, is_update), tiles })
    }

    /// The tiles by what machines are for.
    pub fn groups(&self) -> Vec<(&'static str, Vec<String>)> {
        let of = |kind: MachineType| {
            let tiles = self.tiles.iter().filter(|tile| tile.kind == kind).map(piece);
            (kind_words(kind), tiles.collect::<Vec<_>>())
        };
        let kinds = [MachineType::Cardio, MachineType::Strength, MachineType::Functional];
        kinds.into_iter().map(of).filter(|(_, tiles)| !tiles.is_empty()).collect()
    }

    /// All of it as it is told.
    pub fn pieces(&self) -> Vec<Piece> {
        let named = |name: &str, html: String| Piece { name: name.into(), html: html.into() };
        let first = [
            named("counts", piece(&self.counts)),
            named("inside", piece(&self.inside)),
            named("edge", piece(&self.edge)),
        ];
        let tiles = self.tiles.iter().map(|tile| named(&format!("m-{}", tile.code), piece(tile)));
        first.into_iter().chain(tiles).collect()
    }
}

/// What a machine is for, in words.
pub fn kind_words(kind: MachineType) -> &'static str {
    match kind {
        MachineType::Cardio => "Endurance",
        MachineType::Strength => "Strength",
        MachineType::Functional => "Free movement",
    }
}

/// How a machine looks (a class of the style sheet), and the words for it.
pub fn state_words(availability: Availability) -> (&'static str, &'static str) {
    let known = STATES.iter().find(|(one, ..)| *one == availability);
    known.map_or(("is-busy", "In use"), |(_, look, words)| (*look, *words))
}

const STATES: [(Availability, &str, &str); 5] = [
    (Availability::Available, "is-free", "Free"),
    (Availability::Offered, "is-busy", "Kept for who waits"),
    (Availability::OutOfOrder, "is-broken", "Not usable"),
    (Availability::Offline, "is-gone", "Not connected"),
    (Availability::Unknown, "is-gone", "Unknown"),
];

fn person(stay: &PresentSession, names: &HashMap<DeviceId, &str>, zone: &LocalTime) -> Person {
    let machine = stay.machine_id.and_then(|id| names.get(&id)).copied().unwrap_or_default();
    Person {
        stay: stay.id,
        name: stay.display_name.clone(),
        since: times::minute(zone, unix_ms(stay.started_at)),
        machine: machine.to_owned(),
    }
}

fn tile(now: MachineNow, hold: Option<&Hold>, zone: &LocalTime, is_update: bool) -> Tile {
    let (look, words) = state_words(now.availability);
    let since = hold.and_then(|hold| hold.held_since.or(hold.said_at));
    let is_known = now.availability != Availability::Unknown;
    Tile {
        branch: now.machine.branch_id,
        code: now.machine.code,
        name: now.machine.name,
        kind: now.machine.kind,
        look,
        words,
        since: since.filter(|_| is_known).map(|at| times::minute(zone, unix_ms(at))),
        holder: hold.and_then(|hold| hold.holder.clone()),
        error: now.error,
        waiting: hold.map_or(0, |hold| hold.waiting),
        is_update,
    }
}
