//! The state of the gateway in words, with a mark where somebody should look.

use crate::ops::status::Status;
use crate::staff::accounts::{Caller, Permission};
use crate::staff::app::Staff;
use crate::staff::layout::roster_age_ms;
use crate::uplink::link::{Lane, LinkStatus};
use page_kit::times;

/// Some lines under a title.
pub struct Group {
    pub title: &'static str,
    pub lines: Vec<Line>,
    /// Where something can be done about it.
    pub way: Option<(&'static str, &'static str)>,
}

/// One line.
pub struct Line {
    pub name: &'static str,
    pub words: String,
    /// A class of the style sheet, or nothing.
    pub look: &'static str,
}

fn line(name: &'static str, words: impl Into<String>) -> Line {
    Line { name, words: words.into(), look: "" }
}

fn marked(name: &'static str, words: impl Into<String>, is_good: bool) -> Line {
    Line { name, words: words.into(), look: if is_good { "good" } else { "bad" } }
}

/// Everything.
pub fn groups(staff: &Staff, caller: &Caller) -> Vec<Group> {
    let status = staff.watched.status();
    let may_enrol = caller.role.may(Permission::Cloud);
    vec![
        cloud(staff, &status, may_enrol),
        backlog(&status),
        journal(staff, &status),
        clock(staff, &status),
        versions(staff, &status),
    ]
}

fn cloud(staff: &Staff, status: &Status, may_enrol: bool) -> Group {
    let mut lines = Vec::new();
    match &status.enrolled {
        Some(at) => {
            lines.push(line("Branch", &at.branch));
            lines.push(line("Cloud", &at.cloud));
            lines.push(line("Edge", &at.edge_id));
        }
        None => lines.push(marked("Branch", "not known to any cloud", false)),
    }
    let reached = if status.online { "reached" } else { "not reached" };
    lines.push(marked("Now", reached, status.online));
    if let Some(ms) = status.last_contact_ms {
        lines.push(line("Last contact", format!("{} ago", times::span(ms))));
    }
    lines.extend(problems(&staff.watched.link.borrow()));
    if let Some(age_ms) = roster_age_ms(staff) {
        lines.push(line("Members confirmed", format!("{} ago", times::span(age_ms))));
    }
    let way = may_enrol.then_some(("/enrolment", "Make it known to a cloud"));
    Group { title: "Cloud", lines, way }
}

/// What does not go on, and why; the same reason is told once.
fn problems(link: &LinkStatus) -> Vec<Line> {
    let (mut lines, mut told) = (Vec::new(), Vec::new());
    for (lane, problem) in &link.problems {
        if told.contains(&&problem.code) {
            continue;
        }
        told.push(&problem.code);
        let name = match lane {
            _ if link.problems.values().all(|other| other.code == problem.code) => "Why",
            Lane::Live => "Live state",
            Lane::Batches => "History",
            Lane::Changes => "Members and settings",
            Lane::Commands => "Commands",
            Lane::Key => "New key of the gateway",
        };
        lines.push(line(name, &problem.detail));
    }
    lines
}

fn backlog(status: &Status) -> Group {
    let oldest = match status.backlog_entries {
        0 => "nothing waits".to_owned(),
        _ => format!("{} old", times::span(status.oldest_unsent_ms)),
    };
    let lines = vec![
        line("Waiting", format!("{} entries", status.backlog_entries)),
        line("The oldest", oldest),
        marked("Gaps", status.gaps.to_string(), status.gaps == 0),
        marked("Unusable messages", status.rejects.to_string(), status.rejects == 0),
        marked("Broken files", status.set_aside.to_string(), status.set_aside == 0),
    ];
    Group { title: "On its way", lines, way: None }
}

fn journal(staff: &Staff, status: &Status) -> Group {
    let figures = staff.watched.journal.stats().borrow().clone();
    let words = match status.journal.as_str() {
        "durable" => "written and synced",
        "memory" => "in memory only: nothing is acked",
        _ => "cannot be written: nothing is acked",
    };
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    let mut lines = vec![
        marked("Journal", words, status.is_healthy()),
        line("It takes", mib(figures.used_bytes + figures.log_bytes)),
        line("Free on the disk", mib(figures.disk_free_bytes)),
        line("Dropped to save space", format!("{} samples", figures.samples_dropped)),
    ];
    if let Some(error) = &status.journal_error {
        lines.push(marked("Fault", error, false));
    }
    Group { title: "Disk", lines, way: None }
}

fn clock(staff: &Staff, status: &Status) -> Group {
    let zone = staff.access.zone();
    let synced = if status.clock_synced { "synchronised" } else { "not synchronised" };
    let lines = vec![
        line("Here it is", times::moment(&zone, staff.watched.clock.wall_ms())),
        marked("Clock", synced, status.clock_synced),
    ];
    Group { title: "Time", lines, way: None }
}

fn versions(staff: &Staff, status: &Status) -> Group {
    let seen = staff.floor.watch().borrow().clone();
    let online = format!("{} of {}", status.devices_online, status.devices);
    let lines = vec![
        line("Gateway", &status.version),
        line("Devices connected", online),
        line("Members known", seen.roster.members.to_string()),
    ];
    Group { title: "Versions", lines, way: None }
}
