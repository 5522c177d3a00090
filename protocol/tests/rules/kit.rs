//! Two branches, a few members and machines, and facts about them. Times are minutes of Monday 2026-11-23 (UTC).

use protocol::access::BranchSettings;
use protocol::ids::{BranchId, DeviceId, LinkId, MemberId, SessionId};
use protocol::rules::{
    Deed, Effect, Fact, FactKey, Folded, Means, Origin, Refusal, Request, Resolved, Rules, State,
    fold,
};
use uuid::Uuid;

/// 2026-11-23T00:00:00Z.
pub const MIDNIGHT_MS: i64 = 1_795_392_000_000;
pub const NORTH: BranchId = BranchId(Uuid::from_u128(0xB1));
pub const SOUTH: BranchId = BranchId(Uuid::from_u128(0xB2));
pub const ADA: MemberId = MemberId(Uuid::from_u128(0xA1));
pub const BOB: MemberId = MemberId(Uuid::from_u128(0xA2));
pub const CLEO: MemberId = MemberId(Uuid::from_u128(0xA3));
pub const ROWER: DeviceId = DeviceId(Uuid::from_u128(0xD1));
pub const BIKE: DeviceId = DeviceId(Uuid::from_u128(0xD2));

pub fn ms(minute: i64) -> i64 {
    MIDNIGHT_MS + minute * 60_000
}

/// Both branches open from 06:00 to 23:00; 4 h, 5 min without use, 2 min for who waits.
pub fn rules() -> Rules {
    let hours = r#"{"mon":[["06:00","23:00"]]}"#;
    let (settings, errors) = BranchSettings::of([("opening_hours", hours)]);
    assert_eq!(errors, []);
    let mut rules = Rules::of_branch(NORTH, settings.clone());
    rules.set(SOUTH, settings);
    rules
}

pub fn session(number: u128) -> SessionId {
    SessionId(Uuid::from_u128(number))
}

pub fn link_id(number: u128) -> LinkId {
    LinkId(Uuid::from_u128(number))
}

pub fn fact(minute: i64, branch: BranchId, seq: u64, deed: Deed) -> Fact {
    let origin = Origin { id: branch.0, epoch: 1 };
    Fact { key: FactKey { at_ms: ms(minute), origin, seq }, branch, deed }
}

/// What the cloud has recorded for a branch that did not answer.
pub fn recorded(minute: i64, branch: BranchId, seq: u64, deed: Deed) -> Fact {
    let origin = Origin { id: Uuid::nil(), epoch: 0 };
    Fact { key: FactKey { at_ms: ms(minute), origin, seq }, branch, deed }
}

pub fn check_in(number: u128, member: MemberId) -> Deed {
    Deed::CheckIn { session: session(number), member, by: Means::Tap }
}

pub fn check_out(number: u128, member: MemberId) -> Deed {
    Deed::CheckOut { session: session(number), member, by: Means::Tap }
}

pub fn link(number: u128, member: MemberId, machine: DeviceId) -> Deed {
    Deed::Link { link: link_id(number), member, machine, by: Means::Tap }
}

pub fn unlink(number: u128, machine: DeviceId) -> Deed {
    Deed::Unlink { link: link_id(number), machine, by: Means::Tap }
}

/// Facts in the north, one per (minute, deed), and the state at `until` minutes.
pub fn north(until: i64, deeds: impl IntoIterator<Item = (i64, Deed)>) -> Folded {
    let facts: Vec<Fact> =
        (1..).zip(deeds).map(|(seq, (minute, deed))| fact(minute, NORTH, seq, deed)).collect();
    folded(until, &facts)
}

pub fn folded(until: i64, facts: &[Fact]) -> Folded {
    let mut folded = fold(&rules(), facts);
    folded.effects.extend(folded.state.advance(&rules(), ms(until)));
    folded
}

/// How stays ended, as (id, minute, why).
pub fn ends(folded: &Folded) -> Vec<(u128, i64, protocol::rules::SessionEnd)> {
    let end = |effect: &Effect| match effect {
        Effect::SessionEnded { session, until_ms, why, .. } => {
            Some((session.0.as_u128(), (until_ms - MIDNIGHT_MS) / 60_000, *why))
        }
        _ => None,
    };
    folded.effects.iter().filter_map(end).collect()
}

/// How links ended, as (id, minute, why).
pub fn link_ends(folded: &Folded) -> Vec<(u128, i64, protocol::rules::LinkEnd)> {
    let end = |effect: &Effect| match effect {
        Effect::LinkEnded { link, until_ms, why, .. } => {
            Some((link.0.as_u128(), (until_ms - MIDNIGHT_MS) / 60_000, *why))
        }
        _ => None,
    };
    folded.effects.iter().filter_map(end).collect()
}

/// What a request of a member in the north comes to, `seconds` after the minute; what begins gets id 99.
pub fn ask(
    state: &State,
    minute: i64,
    seconds: i64,
    member: MemberId,
    request: Request,
) -> Result<Resolved, Refusal> {
    let mut state = state.clone();
    state.advance(&rules(), ms(minute) + seconds * 1_000);
    state.resolve(member, NORTH, request, Means::Tap, Uuid::from_u128(99))
}
