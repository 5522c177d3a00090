//! The floor in pieces, so that only those that changed are made and told again.

use crate::floor::{FloorView, MachineView};
use crate::staff::app::Staff;
use crate::staff::machines::{figure, holder, state_words};
use askama::Template;
use page_kit::{chart, times};
use protocol::ids::DeviceId;

/// Points of a machine's small line, and how far it goes back.
const LINE_POINTS: usize = 24;
const LINE_MS: u64 = 180_000;

/// How many of what there are.
#[derive(Template, Default)]
#[template(path = "floor_counts.html")]
pub struct Counts {
    pub inside: usize,
    pub busy: usize,
    pub free: usize,
    pub broken: usize,
    pub gone: usize,
    pub is_update: bool,
}

/// Who is inside.
#[derive(Template)]
#[template(path = "floor_inside.html")]
pub struct Inside {
    pub count: usize,
    pub people: Vec<Person>,
    /// May see who they are.
    pub may_name: bool,
    pub is_update: bool,
}

/// Somebody who is inside.
pub struct Person {
    pub id: String,
    pub name: String,
    pub since: String,
    pub until: String,
}

/// A machine.
#[derive(Template)]
#[template(path = "floor_tile.html")]
pub struct Tile {
    pub code: String,
    pub name: String,
    pub look: &'static str,
    pub words: String,
    pub holder: Option<String>,
    pub queue: usize,
    pub figure: Option<String>,
    pub line: String,
    pub is_update: bool,
}

impl Counts {
    /// Of the floor.
    pub fn of(seen: &FloorView) -> Self {
        let mut counts = Self { inside: seen.occupancy(), ..Self::default() };
        for machine in &seen.machines {
            match state_words(machine).0 {
                "is-busy" => counts.busy += 1,
                "is-free" => counts.free += 1,
                "is-broken" => counts.broken += 1,
                _ => counts.gone += 1,
            }
        }
        counts
    }
}

impl Inside {
    /// Who is inside, with names for who may see them.
    pub fn of(staff: &Staff, may_name: bool, seen: &FloorView) -> Self {
        let zone = staff.access.zone();
        let people = seen.sessions.iter().filter(|_| may_name).map(|session| Person {
            id: session.member.to_string(),
            name: known(&session.name),
            since: times::minute(&zone, session.since_ms),
            until: times::minute(&zone, session.ends_by_ms),
        });
        Self { count: seen.occupancy(), people: people.collect(), may_name, is_update: false }
    }
}

fn known(name: &str) -> String {
    if name.is_empty() { "A former member".to_owned() } else { name.to_owned() }
}

/// The small lines of all machines.
pub fn lines(staff: &Staff, seen: &FloorView) -> Vec<Vec<f64>> {
    let ids: Vec<DeviceId> = seen.machines.iter().map(|machine| machine.id).collect();
    let since_ms = staff.watched.clock.mono_ms().saturating_sub(LINE_MS);
    staff.recent.lines(&ids, LINE_POINTS, since_ms)
}

/// Every machine.
pub fn tiles(staff: &Staff, may_name: bool, seen: &FloorView) -> Vec<Tile> {
    let lines = lines(staff, seen);
    seen.machines.iter().zip(lines).map(|(machine, line)| tile(machine, &line, may_name)).collect()
}

/// One of them.
pub fn tile(machine: &MachineView, line: &[f64], may_name: bool) -> Tile {
    let (look, words) = state_words(machine);
    Tile {
        code: machine.code.clone(),
        name: machine.name.clone(),
        look,
        words,
        holder: holder(machine, may_name),
        queue: machine.queue.len(),
        figure: machine.sample.as_ref().and_then(figure),
        line: chart::spark(line),
        is_update: false,
    }
}
