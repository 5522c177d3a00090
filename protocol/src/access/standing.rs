//! Whether a member may be in the branch now, by their memberships alone.

use super::calendar::{LocalTime, weekday, yesterday};
use super::{BranchSettings, Reason};
use crate::sync::roster::{AccessWindow, Member, Membership};
use crate::time::TrustedTime;

/// How far one membership gets; the best of them counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    NotInForce,
    OnlyElsewhere,
    Frozen,
    OutsideHours,
    Counts,
}

/// Whether the member may be in the branch now: `Err` of `Blocked`, `WrongBranch`, `Expired`, `Frozen` or
/// `OutsideHours`.
///
/// One membership that counts is enough. If none does, the one that comes nearest gives the reason: one of this branch that
/// only does not count at this hour, then a paused one, then one of another branch, then those that are over or have not
/// begun. Without the time, hours are not looked at, and only what ended before the floor is over.
pub fn standing(
    member: &Member,
    settings: &BranchSettings,
    now: TrustedTime,
) -> Result<(), Reason> {
    if member.blocked.is_some() {
        return Err(Reason::Blocked);
    }
    let reaches = member.memberships.iter().map(|membership| reach(membership, settings, now));
    match reaches.max().unwrap_or(Reach::NotInForce) {
        Reach::Counts => Ok(()),
        Reach::OutsideHours => Err(Reason::OutsideHours),
        Reach::Frozen => Err(Reason::Frozen),
        Reach::OnlyElsewhere => Err(Reason::WrongBranch),
        Reach::NotInForce => Err(Reason::Expired),
    }
}

fn reach(membership: &Membership, settings: &BranchSettings, now: TrustedTime) -> Reach {
    if !is_in_force(membership, now) {
        Reach::NotInForce
    } else if !membership.here {
        Reach::OnlyElsewhere
    } else if membership.frozen {
        Reach::Frozen
    } else if !is_within(&membership.windows, &settings.zone, now) {
        Reach::OutsideHours
    } else {
        Reach::Counts
    }
}

fn is_in_force(membership: &Membership, now: TrustedTime) -> bool {
    let has_begun = now.unix_ms().is_none_or(|now_ms| membership.valid_from_ms <= now_ms);
    has_begun && membership.valid_until_ms.is_none_or(|until_ms| now.floor_ms() < until_ms)
}

/// A window that began yesterday may still be open.
fn is_within(windows: &[AccessWindow], zone: &LocalTime, now: TrustedTime) -> bool {
    let Some(now_ms) = now.unix_ms().filter(|_| !windows.is_empty()) else { return true };
    let today = zone.date_at(now_ms);
    let days = [yesterday(today), today];
    windows.iter().any(|window| {
        days.into_iter()
            .filter(|day| window.days & (1 << weekday(*day)) != 0)
            .any(|day| zone.span(day, window.from_min, window.until_min).contains(&now_ms))
    })
}
