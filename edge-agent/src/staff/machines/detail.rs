//! `/machines/{code}`: one machine.

use super::words::{field_words, figure, state_words};
use crate::floor::{FloorView, MachineView};
use crate::staff::accounts::{Caller, Permission};
use crate::staff::app::Staff;
use crate::staff::layout::Layout;
use crate::staff::recent::{Said, Track};
use crate::staff::reply::{Refusal, Reply, html};
use askama::Template;
use axum::extract::{Path, State};
use page_kit::chart::Line;
use page_kit::times;

#[derive(Template)]
#[template(path = "machine.html")]
struct View {
    layout: Layout,
    code: String,
    look: &'static str,
    words: String,
    error: Option<String>,
    figure: Option<String>,
    holder: Option<String>,
    since: Option<String>,
    kept_for: Option<String>,
    queue: Vec<String>,
    is_locked: bool,
    is_out_of_order: bool,
    may: May,
    chart: Option<Chart>,
    reports: Vec<Report>,
}

/// What the reader of the page may do.
struct May {
    act: bool,
    free: bool,
}

struct Chart {
    title: &'static str,
    svg: String,
    rows: Vec<(String, String)>,
}

struct Report {
    at: String,
    kind: &'static str,
    by: String,
    message: String,
}

/// The machine with this code.
pub fn find(seen: &FloorView, code: &str) -> Result<MachineView, Refusal> {
    let found = seen.machines.iter().find(|machine| machine.code == code);
    found.cloned().ok_or_else(|| Refusal::not_found("such machine"))
}

pub async fn show(State(staff): State<Staff>, caller: Caller, Path(code): Path<String>) -> Reply {
    let machine = find(&staff.floor.look(), &code)?;
    let track = staff.recent.track(machine.id);
    let (look, words) = state_words(&machine);
    let (zone, may_name) = (staff.access.zone(), caller.role.may(Permission::SeeMembers));
    let named = |name: &str| if may_name { name.to_owned() } else { "a member".to_owned() };
    let link = machine.link.as_ref();
    html(&View {
        code: machine.code.clone(),
        look,
        words,
        error: machine.error.clone(),
        figure: machine.sample.as_ref().and_then(figure),
        holder: link.map(|(_, name)| named(name)),
        since: link.map(|(link, _)| times::minute(&zone, link.since_ms)),
        kept_for: machine.offer.as_ref().map(|(_, name)| named(name)),
        queue: machine.queue.iter().map(|(_, name)| named(name)).collect(),
        is_locked: machine.is_locked,
        is_out_of_order: machine.is_out_of_order,
        may: May {
            act: caller.role.may(Permission::Machines),
            free: caller.role.may(Permission::CheckIn),
        },
        chart: chart(&staff, &track),
        reports: reports(&staff, &track),
        layout: Layout::of(&staff, &caller, machine.name, "/machines"),
    })
}

/// The last ten minutes, right is now.
fn chart(staff: &Staff, track: &Track) -> Option<Chart> {
    let field = track.field?;
    let (now_ms, zone) = (staff.watched.clock.stamp(), staff.access.zone());
    let wall = |mono_ms: u64| protocol::time::wall_at(mono_ms, now_ms.offset_ms());
    let begin_ms = now_ms.mono_ms.saturating_sub(600_000);
    let place = |mono_ms: u64| {
        f64::from(u32::try_from(mono_ms.saturating_sub(begin_ms)).unwrap_or(u32::MAX)) / 600_000.0
    };
    let points: Vec<_> = track
        .points
        .iter()
        .filter(|(at_ms, _)| *at_ms >= begin_ms)
        .map(|(at_ms, value)| (place(*at_ms), *value))
        .collect();
    if points.is_empty() {
        return None;
    }
    let ticks = [0u64, 300_000, 600_000]
        .map(|after| (place(begin_ms + after), times::minute(&zone, wall(begin_ms + after))));
    let title = field_words(field);
    let label = format!("{title}, the last ten minutes. The table has the numbers.");
    let rows = track
        .points
        .iter()
        .rev()
        .step_by(12)
        .map(|(at_ms, value)| (times::clock(&zone, wall(*at_ms)), format!("{value:.1}")));
    let svg = Line { points: &points, beside: &[], ticks: &ticks, label: &label }.svg();
    Some(Chart { title, svg, rows: rows.collect() })
}

fn reports(staff: &Staff, track: &Track) -> Vec<Report> {
    let zone = staff.access.zone();
    let reports = track.reports.iter().map(|report| Report {
        at: times::moment(&zone, report.stamp.wall_ms),
        kind: match report.said {
            Said::Info => "Info",
            Said::Warning => "Warning",
            Said::Fault => "Fault",
            Said::Note => "Note",
        },
        by: report.by.clone(),
        message: report.message.clone(),
    });
    reports.collect()
}
