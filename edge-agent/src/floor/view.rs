//! The floor as people look at it: names beside ids, and when things end.

use super::handle::Inner;
use super::picture::{Picture, SeenTap};
use crate::access::View;
use protocol::ids::{DeviceId, MemberId};
use protocol::rules::{Link, Machine, Offer};
use protocol::sync::entry::{DeviceKind, DeviceState};
use protocol::sync::state::{LiveDevice, LiveSample};
use std::collections::HashMap;

/// The floor.
#[derive(Debug, Clone, Default)]
pub struct FloorView {
    /// Unix milliseconds at which it was so.
    pub now_ms: i64,
    /// Who is inside, who came first first.
    pub sessions: Vec<SessionView>,
    /// Every machine of the branch, by code.
    pub machines: Vec<MachineView>,
    /// The last hundred taps, oldest first.
    pub taps: Vec<SeenTap>,
    /// How old what is known of members is.
    pub roster: RosterView,
    /// Readers and bridges too: what they say of themselves.
    pub devices: Vec<LiveDevice>,
}

/// An open stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// Whose.
    pub member: MemberId,
    /// What they are called; empty for who is not in the roster any more.
    pub name: String,
    /// Unix milliseconds of its beginning.
    pub since_ms: i64,
    /// Unix milliseconds at which it ends by itself.
    pub ends_by_ms: i64,
}

/// A machine.
#[derive(Debug, Clone, PartialEq)]
pub struct MachineView {
    /// Which.
    pub id: DeviceId,
    /// Its short name.
    pub code: String,
    /// Shown to people.
    pub name: String,
    /// What it says of itself.
    pub state: DeviceState,
    /// What is wrong, in its own words.
    pub error: Option<String>,
    /// Who has it, with their name.
    pub link: Option<(Link, String)>,
    /// For whom it is kept, with their name.
    pub offer: Option<(Offer, String)>,
    /// Who waits, with their names.
    pub queue: Vec<(MemberId, String)>,
    /// For how long somebody who comes now would wait, in milliseconds, as far as anybody can tell.
    pub wait_ms: Option<i64>,
    /// Staff have locked it.
    pub is_locked: bool,
    /// Staff, or a fault that it reported, put it out of use.
    pub is_out_of_order: bool,
    /// The last that it measured.
    pub sample: Option<LiveSample>,
}

/// How far the roster can be relied on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RosterView {
    /// How many members there are.
    pub members: usize,
    /// Unix milliseconds at which the cloud last said that it is complete.
    pub confirmed_ms: Option<i64>,
    /// It is older than its grace: who was not let in last time is not let in.
    pub is_too_old: bool,
}

impl FloorView {
    /// What it looks like now.
    pub(super) fn of(inner: &Inner, picture: &Picture) -> Self {
        let seen = inner.board.seen();
        let live: HashMap<_, _> = seen.iter().map(|device| (device.device, device)).collect();
        let mono_ms = inner.clock.mono_ms();
        let now_ms = picture.line.map_or(picture.state.now_ms(), |line| line.at(mono_ms));
        let roster = inner.registry.roster().read();
        let machines = inner.registry.all();
        let usual_ms = picture.link_times.usual_ms();
        let machines = machines.iter().filter(|device| device.kind == DeviceKind::Machine);
        let machines = machines.map(|device| {
            let known = picture.state.machine(device.id);
            let live = live.get(&device.id).copied();
            let is_locked = picture.local.is_locked(device.id);
            MachineView {
                id: device.id,
                code: device.code.to_string(),
                name: device.name.clone(),
                is_locked,
                ..machine(device.id, known, live, &roster, (now_ms, usual_ms))
            }
        });
        let machines = machines.collect();
        let sessions = sessions(picture, &roster);
        let members = roster.members();
        drop(roster);
        let confirmed_ms = inner.registry.roster().confirmed_ms();
        let grace_ms = i64::from(inner.access.policy().settings.grace_days) * 86_400_000;
        let floor_ms = inner.clock.trusted().floor_ms();
        let is_too_old =
            confirmed_ms.is_some_and(|at_ms| floor_ms.saturating_sub(at_ms) > grace_ms);
        let roster = RosterView { members, confirmed_ms, is_too_old };
        let taps = picture.taps.iter().cloned().collect();
        Self { now_ms, sessions, machines, taps, roster, devices: seen }
    }

    /// How many are inside.
    pub fn occupancy(&self) -> usize {
        self.sessions.len()
    }
}

fn sessions(picture: &Picture, roster: &View) -> Vec<SessionView> {
    let sessions = picture.state.sessions().map(|(member, session)| SessionView {
        member,
        name: name(roster, member),
        since_ms: session.since_ms,
        ends_by_ms: session.ends_by_ms,
    });
    let mut sessions: Vec<_> = sessions.collect();
    sessions.sort_by_key(|session| (session.since_ms, session.member));
    sessions
}

fn machine(
    id: DeviceId,
    known: Option<&Machine>,
    live: Option<&LiveDevice>,
    roster: &View,
    (now_ms, usual_ms): (i64, i64),
) -> MachineView {
    let link = known.and_then(|known| known.link.clone());
    let offer = known.and_then(|known| known.offer);
    let queue = known.map_or(&[][..], |known| &known.queue);
    MachineView {
        id,
        code: String::new(),
        name: String::new(),
        state: live.map_or(DeviceState::Offline, |live| live.state),
        error: live.and_then(|live| live.error.clone()),
        wait_ms: known.and_then(|known| wait_ms(known, now_ms, usual_ms)),
        link: link.map(|link| (link.clone(), name(roster, link.member))),
        offer: offer.map(|offer| (offer, name(roster, offer.member))),
        queue: queue.iter().map(|member| (*member, name(roster, *member))).collect(),
        is_locked: false,
        is_out_of_order: known.is_some_and(|known| !known.is_usable()),
        sample: live.and_then(|live| live.sample.clone()),
    }
}

/// Everybody before is assumed to take as long as usual.
fn wait_ms(machine: &Machine, now_ms: i64, usual_ms: i64) -> Option<i64> {
    if !machine.is_usable() {
        return None;
    }
    let used_ms = machine.link.as_ref().map(|link| now_ms.saturating_sub(link.since_ms));
    let left_ms = used_ms.map_or(0, |used_ms| (usual_ms - used_ms).max(0));
    let before = machine.queue.len() + usize::from(machine.offer.is_some());
    let before = i64::try_from(before).unwrap_or(i64::MAX);
    Some(left_ms.saturating_add(before.saturating_mul(usual_ms)))
}

fn name(roster: &View, member: MemberId) -> String {
    roster.member(member).map_or_else(String::new, |member| member.display_name)
}
