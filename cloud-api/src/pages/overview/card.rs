//! A branch at a glance.

use crate::app::App;
use crate::domains::branches::Branch;
use crate::domains::edges::Health;
use crate::domains::machines::Availability;
use crate::ids::BranchId;
use crate::pages::branch::edge::{Alert, Bad};
use crate::pages::reply;
use askama::Template;
use page_kit::times;
use page_kit::told::Piece;
use protocol::access::BranchSettings;

/// How urgent; the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    Bad,
    Warn,
    Fine,
}

/// What is told of a branch now.
#[derive(Debug, Clone, PartialEq)]
pub struct Now {
    pub id: BranchId,
    pub name: String,
    /// `Open until 22:00`, `Closed`.
    pub hours: String,
    pub is_open: bool,
    pub inside: i64,
    pub machines: Machines,
    /// `Connected`, `Silent`, `None yet`.
    pub edge: &'static str,
    pub version: String,
    pub backlog: u64,
    pub alerts: Vec<Alert>,
}

/// How many machines are what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Machines {
    pub in_use: usize,
    pub free: usize,
    pub out_of_order: usize,
    pub offline: usize,
    /// Of a branch that is not heard.
    pub unknown: usize,
}

/// A branch with its HTML.
#[derive(Debug)]
pub struct Card {
    pub now: Now,
    /// As it is on a page that is loaded.
    pub html: String,
    /// As it is told to who listens.
    pub piece: Piece,
}

#[derive(Template)]
#[template(path = "console/card.html")]
struct View<'a> {
    now: &'a Now,
    is_update: bool,
}

impl Machines {
    pub fn add(&mut self, availability: Availability) {
        let is = |one| availability == one;
        *if is(Availability::Available) {
            &mut self.free
        } else if is(Availability::OutOfOrder) {
            &mut self.out_of_order
        } else if is(Availability::Offline) {
            &mut self.offline
        } else if is(Availability::Unknown) {
            &mut self.unknown
        } else {
            &mut self.in_use
        } += 1;
    }

    pub fn total(&self) -> usize {
        self.in_use + self.free + self.out_of_order + self.offline + self.unknown
    }
}

impl Card {
    pub fn new(now: Now) -> Self {
        let html = reply::piece(&View { now: &now, is_update: false });
        let update = reply::piece(&View { now: &now, is_update: true });
        let piece = Piece { name: now.id.to_string().into(), html: update.into() };
        Self { now, html, piece }
    }
}

impl Now {
    /// Without what is counted.
    pub fn of(
        app: &App,
        branch: Branch,
        settings: &BranchSettings,
        health: Option<&Health>,
    ) -> Self {
        let (now, now_ms) = (app.clock.now(), app.clock.now_ms());
        let (is_open, hours) = open_words(settings, now_ms);
        let edge = match health {
            None => "None yet",
            Some(health) if health.is_heard(now) => "Connected",
            Some(_) => "Silent",
        };
        Self {
            id: branch.id,
            name: branch.name,
            hours,
            is_open,
            inside: 0,
            machines: Machines::default(),
            edge,
            version: health.map(|health| health.agent_version.clone()).unwrap_or_default(),
            backlog: health
                .and_then(|health| health.told.as_ref())
                .map_or(0, |told| told.1.backlog_entries),
            alerts: Alert::all(health, &settings.zone, now),
        }
    }

    pub fn rank(&self) -> Rank {
        if self.alerts.iter().any(|alert| alert.bad == Bad::Yes) {
            Rank::Bad
        } else if self.alerts.is_empty() && self.machines.out_of_order == 0 {
            Rank::Fine
        } else {
            Rank::Warn
        }
    }

    /// A class of the style sheet.
    pub fn look(&self) -> &'static str {
        match self.rank() {
            Rank::Bad => "is-broken",
            Rank::Warn => "is-warn",
            Rank::Fine => "is-free",
        }
    }
}

/// Whether a branch is open, and the words for it.
pub fn open_words(settings: &BranchSettings, now_ms: i64) -> (bool, String) {
    let is_open = settings.hours.is_open(&settings.zone, now_ms);
    let closes = settings.hours.closes_at(&settings.zone, now_ms);
    let words = match (is_open, closes) {
        (false, _) => "Closed".to_owned(),
        (true, None) => "Open".to_owned(),
        (true, Some(at_ms)) => format!("Open until {}", times::minute(&settings.zone, at_ms)),
    };
    (is_open, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_counted_by_what_they_are() {
        let mut machines = Machines::default();

        for one in [Availability::Available, Availability::InUse, Availability::InUse] {
            machines.add(one);
        }

        assert_eq!((machines.free, machines.in_use, machines.total()), (1, 2, 3));
    }
}
