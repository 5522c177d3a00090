//! What the month must come to, counted a second time and without the rule book: from what members did alone.

use super::script::{Act, DAY_MIN};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

/// A stay ends by itself after so many minutes,
const STAY_MIN: u32 = 4 * 60;
/// a machine that nobody uses is free again after so many.
const IDLE_MIN: u32 = 5;

/// Something that began, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    pub from_min: u32,
    pub end: Option<(u32, &'static str)>,
}

/// Where everything stands, and what is over.
#[derive(Debug, Default, Clone)]
pub struct Model {
    /// By member.
    pub stays: BTreeMap<u32, Vec<Span>>,
    /// By member, with the machine.
    pub links: BTreeMap<u32, Vec<(u32, Span)>>,
    /// Whose sets are.
    pub sets: BTreeMap<Uuid, Option<u32>>,
    /// What each tap was answered: what it came to, and why.
    pub answers: BTreeMap<Uuid, (&'static str, &'static str)>,
    inside: HashMap<u32, u32>,
    lent: HashMap<u32, Lent>,
    machine_of: HashMap<u32, u32>,
    /// Who was last at the door, by member: when.
    at_door: HashMap<u32, (u32, &'static str)>,
}

#[derive(Debug, Clone, Copy)]
struct Lent {
    member: u32,
    used_min: u32,
}

impl Model {
    /// Somebody does something in a minute of the month; minutes never go back.
    pub fn act(&mut self, minute: u32, act: Act) {
        self.pass(minute);
        match act {
            Act::Door { member, tap } => {
                let action = self.door(minute, member);
                self.answers.insert(tap, (action, "granted"));
            }
            Act::Machine { member, machine, tap } => {
                let answer = self.machine(minute, member, machine);
                self.answers.insert(tap, answer);
            }
            Act::Set { machine, set } => {
                let owner = self.lent.get_mut(&machine).map(|lent| {
                    lent.used_min = minute;
                    lent.member
                });
                self.sets.insert(set, owner);
            }
        }
    }

    /// What ends by itself until a minute has ended.
    pub fn pass(&mut self, minute: u32) {
        let idle: Vec<(u32, u32)> = self
            .lent
            .iter()
            .filter(|(_, lent)| lent.used_min + IDLE_MIN <= minute)
            .map(|(machine, lent)| (*machine, lent.used_min + IDLE_MIN))
            .collect();
        for (machine, end_min) in idle {
            self.give_back(machine, end_min, "idle");
        }
        let over: Vec<(u32, u32)> = self
            .inside
            .iter()
            .filter(|(_, from_min)| **from_min + STAY_MIN <= minute)
            .map(|(member, from_min)| (*member, *from_min + STAY_MIN))
            .collect();
        for (member, end_min) in over {
            self.leave(member, end_min, "time_limit");
        }
    }

    fn door(&mut self, minute: u32, member: u32) -> &'static str {
        if let Some((_, action)) = self.at_door.get(&member).filter(|(at, _)| *at == minute) {
            return action;
        }
        let is_inside = self.inside.contains_key(&member);
        let action = if is_inside {
            self.leave(member, minute, "checked_out");
            "check_out"
        } else {
            self.inside.insert(member, minute);
            let stay = Span { from_min: minute, end: None };
            self.stays.entry(member).or_default().push(stay);
            "check_in"
        };
        self.at_door.insert(member, (minute, action));
        action
    }

    fn machine(&mut self, minute: u32, member: u32, machine: u32) -> (&'static str, &'static str) {
        match self.lent.get(&machine) {
            Some(lent) if lent.member == member => {
                self.give_back(machine, minute, "unlinked");
                ("unlink", "granted")
            }
            Some(_) => ("none", "machine_taken"),
            None => {
                if let Some(former) = self.machine_of.get(&member).copied() {
                    self.give_back(former, minute, "moved");
                }
                self.lent.insert(machine, Lent { member, used_min: minute });
                self.machine_of.insert(member, machine);
                let link = (machine, Span { from_min: minute, end: None });
                self.links.entry(member).or_default().push(link);
                ("link", "granted")
            }
        }
    }

    fn leave(&mut self, member: u32, minute: u32, why: &'static str) {
        if let Some(machine) = self.machine_of.get(&member).copied() {
            self.give_back(machine, minute, "session_ended");
        }
        self.inside.remove(&member);
        if let Some(stay) = self.stays.get_mut(&member).and_then(|stays| stays.last_mut()) {
            stay.end = Some((minute, why));
        }
    }

    fn give_back(&mut self, machine: u32, minute: u32, why: &'static str) {
        let Some(Lent { member, .. }) = self.lent.remove(&machine) else { return };
        self.machine_of.remove(&member);
        if let Some((_, link)) = self.links.get_mut(&member).and_then(|links| links.last_mut()) {
            link.end = Some((minute, why));
        }
    }
}

/// For people: a day and a time of day.
pub fn spoken(minute: u32) -> String {
    let (day, rest) = (minute / DAY_MIN + 1, minute % DAY_MIN);
    format!("day {day} {:02}:{:02}", rest / 60, rest % 60)
}
