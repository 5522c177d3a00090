//! What the agent knows about itself, for people, health checks and the diagnostic file.

use crate::front_door::Publisher;
use crate::journal::{Journal, JournalStats, Mode};
use crate::ops::clock::Clock;
use crate::registry::Registry;
use crate::uplink::link::LinkStatus;
use protocol::time::Stamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use tokio::sync::watch;

/// Reads the parts of a running agent.
#[derive(Clone)]
pub struct Watched {
    /// The devices and the enrolment.
    pub registry: Registry,
    /// The journal.
    pub journal: Journal,
    /// The clock.
    pub clock: Clock,
    /// Who is connected.
    pub publisher: Publisher,
    /// The way to the cloud.
    pub link: watch::Receiver<LinkStatus>,
}

/// One look at the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the agent.
    pub version: String,
    /// The release it is started from; none if the package installed it.
    #[serde(default)]
    pub release: Option<String>,
    /// Where the edge is enrolled.
    pub enrolled: Option<EnrolledAt>,
    /// The last call to the cloud worked.
    pub online: bool,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// Since the last call that worked.
    pub last_contact_ms: Option<u64>,
    /// `durable`, `memory` or `failing`.
    pub journal: String,
    /// The last thing that went wrong with the disk.
    pub journal_error: Option<String>,
    /// Entries the cloud does not have.
    pub backlog_entries: u64,
    /// Age of the oldest of them.
    pub oldest_unsent_ms: u64,
    /// Messages that could not be used.
    pub rejects: u64,
    /// Records of missing data.
    pub gaps: u64,
    /// Broken files set aside.
    pub set_aside: u64,
    /// Free bytes on the disk.
    pub disk_free_bytes: u64,
    /// The wall clock is believed.
    pub clock_synced: bool,
    /// Devices that are logged in.
    pub devices_online: usize,
    /// Devices of the branch.
    pub devices: usize,
}

/// Where an edge is enrolled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolledAt {
    /// The cloud's address.
    pub cloud: String,
    /// The branch.
    pub branch: String,
    /// The edge.
    pub edge_id: String,
}

impl Watched {
    /// A look at the agent now.
    pub fn status(&self) -> Status {
        let stats: JournalStats = self.journal.stats().borrow().clone();
        let link = self.link.borrow().clone();
        let stamp = self.clock.stamp();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            release: std::env::var("GYMWIRE_RELEASE").ok(),
            enrolled: enrolled(&self.registry),
            online: link.online,
            problem: link
                .problems
                .iter()
                .map(|(lane, problem)| format!("{lane:?}: {} ({})", problem.code, problem.detail))
                .next(),
            last_contact_ms: link
                .last_contact_mono_ms
                .map(|contact| stamp.mono_ms.saturating_sub(contact)),
            journal: mode(&stats.mode).to_owned(),
            journal_error: stats.last_error.filter(|_| stats.mode != Mode::Durable),
            backlog_entries: self.journal.backlog_entries(),
            oldest_unsent_ms: age_ms(&self.clock, stats.oldest_unsent),
            rejects: stats.rejects,
            gaps: stats.gaps,
            set_aside: stats.set_aside,
            disk_free_bytes: stats.disk_free_bytes,
            clock_synced: stamp.synced,
            devices_online: self.publisher.connected(),
            devices: self.registry.all().len(),
        }
    }
}

fn enrolled(registry: &Registry) -> Option<EnrolledAt> {
    let enrolled = registry.enrolled()?;
    let enrolment = &enrolled.enrolment;
    Some(EnrolledAt {
        cloud: enrolment.cloud_url.clone(),
        branch: enrolment.answer.branch_name.clone(),
        edge_id: enrolment.answer.edge_id.to_string(),
    })
}

fn mode(mode: &Mode) -> &'static str {
    match mode {
        Mode::Durable => "durable",
        Mode::Memory => "memory",
        Mode::Failing => "failing",
    }
}

/// How long ago a stamp was made; over a restart of the computer by the wall clock, if both are believed.
pub fn age_ms(clock: &Clock, made: Option<Stamp>) -> u64 {
    let now = clock.stamp();
    match made {
        None => 0,
        Some(made) if made.boot == now.boot => now.mono_ms.saturating_sub(made.mono_ms),
        Some(made) => u64::try_from(now.wall_ms.saturating_sub(made.wall_ms)).unwrap_or(0),
    }
}

impl Status {
    /// Whether everything that is required works. The cloud is not: a branch works without it.
    pub fn is_healthy(&self) -> bool {
        self.journal == "durable"
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "edge agent   {}", self.version)?;
        match &self.enrolled {
            Some(at) => {
                writeln!(f, "enrolled     {} at {} as {}", at.branch, at.cloud, at.edge_id)
            }
            None => {
                writeln!(f, "enrolled     no: use `edge-agent enroll --cloud URL --code CODE`")
            }
        }?;
        match (&self.problem, self.online) {
            (None, true) => writeln!(f, "cloud        reached"),
            (Some(problem), true) => writeln!(f, "cloud        reached, but {problem}"),
            (Some(problem), false) => writeln!(f, "cloud        not reached: {problem}"),
            (None, false) => writeln!(f, "cloud        not reached yet"),
        }?;
        if let (false, Some(ms)) = (self.online, self.last_contact_ms) {
            writeln!(f, "last contact {} ago", seconds(ms))?;
        }
        write!(f, "journal      {}", self.journal)?;
        match &self.journal_error {
            Some(error) => writeln!(f, ": {error}"),
            None => writeln!(f),
        }?;
        let oldest = seconds(self.oldest_unsent_ms);
        writeln!(f, "backlog      {} entries, the oldest {oldest} old", self.backlog_entries)?;
        writeln!(f, "rejects      {}", self.rejects)?;
        writeln!(f, "gaps         {}", self.gaps)?;
        if self.set_aside > 0 {
            writeln!(f, "set aside    {} broken files", self.set_aside)?;
        }
        writeln!(f, "disk         {} MiB free", self.disk_free_bytes >> 20)?;
        let clock = if self.clock_synced { "synchronised" } else { "not synchronised" };
        writeln!(f, "clock        {clock}")?;
        write!(f, "devices      {} of {} online", self.devices_online, self.devices)
    }
}

fn seconds(ms: u64) -> String {
    let s = ms / 1_000;
    match s {
        0..120 => format!("{s} s"),
        120..7_200 => format!("{} min", s / 60),
        7_200..172_800 => format!("{} h", s / 3_600),
        _ => format!("{} days", s / 86_400),
    }
}
