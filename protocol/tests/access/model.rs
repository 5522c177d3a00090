//! Decisions against a model that says the rules in another way: as everything that speaks against a tap.

use crate::decision::{DAY_MS, berlin, member, noon};
use proptest::prelude::*;
use protocol::access::settings::{AntiPassback, TimeUncertainPolicy};
use protocol::access::{BranchSettings, Presence, Question, ReaderKind, Reason, Use, decide};
use protocol::mqtt::payloads::DecisionOutcome;
use protocol::sync::roster::{AccessWindow, Membership};
use protocol::time::TrustedTime;

/// The rules as a list of everything that speaks against the tap.
fn objections(q: &Question<'_>) -> Vec<Reason> {
    let mut found = Vec::new();
    let mut object = |holds: bool, reason: Reason| found.extend(holds.then_some(reason));
    let inside = q.presence == Presence::Inside;
    let exit = q.reader == ReaderKind::Exit;
    let stays = inside && matches!(q.reader, ReaderKind::Door | ReaderKind::Machine);
    let memberships = q.member.map_or(&[][..], |member| &member.memberships);
    let floor = q.now.floor_ms();
    let current: Vec<&Membership> = memberships
        .iter()
        .filter(|m| q.now.unix_ms().is_none_or(|now| m.valid_from_ms <= now))
        .filter(|m| m.valid_until_ms.is_none_or(|until| until > floor))
        .collect();
    let here: Vec<_> = current.iter().filter(|m| m.here).collect();
    let active: Vec<_> = here.iter().filter(|m| !m.frozen).collect();
    let blocked = q.member.is_some_and(|member| member.blocked.is_some());
    // Windows of this model are either none or never.
    let now_counts = active.iter().any(|m| m.windows.is_empty() || q.now.unix_ms().is_none());
    let closed =
        q.now.unix_ms().is_some_and(|now| !q.settings.hours.is_open(&q.settings.zone, now));
    let deny_unknown = q.settings.time_uncertain == TimeUncertainPolicy::Deny;
    let old = q.roster_confirmed_ms.is_some_and(|confirmed| floor - confirmed > 7 * DAY_MS);

    object(q.age_ms > 5_000, Reason::Stale);
    object(!q.has_roster, Reason::NoRoster);
    found_flaw(q, &mut object);
    object(q.once.is_replayed(), Reason::Replayed);
    object(q.member.is_none(), Reason::UnknownCard);
    object(!q.is_enabled, Reason::DisabledCredential);
    object(!exit && blocked, Reason::Blocked);
    object(!exit && current.iter().any(|m| !m.here) && here.is_empty(), Reason::WrongBranch);
    object(!exit && !stays && current.is_empty(), Reason::Expired);
    object(!exit && !here.is_empty() && active.is_empty(), Reason::Frozen);
    object(!exit && !stays && !active.is_empty() && !now_counts, Reason::OutsideHours);
    object(!exit && !stays && closed, Reason::Closed);
    object(!exit && !stays && q.now.unix_ms().is_none() && deny_unknown, Reason::TimeUncertain);
    object(!exit && !stays && old && !q.was_granted_last, Reason::RosterTooOld);
    let twice = inside && q.reader == ReaderKind::Entry;
    object(twice && q.settings.anti_passback == AntiPassback::Deny, Reason::AlreadyInside);
    found
}

fn found_flaw(q: &Question<'_>, object: &mut impl FnMut(bool, Reason)) {
    for flaw in [Reason::BadSignature, Reason::CodeExpired] {
        object(q.flaw == Some(flaw), flaw);
    }
}

fn any_membership() -> impl Strategy<Value = Membership> {
    let around = || noon() - 2..=noon() + 2;
    (any::<bool>(), around(), proptest::option::of(around()), any::<bool>(), any::<bool>())
        .prop_map(|(here, valid_from_ms, valid_until_ms, frozen, has_window)| {
            let never = AccessWindow { days: 0, from_min: 0, until_min: 0 };
            let windows = if has_window { vec![never] } else { vec![] };
            Membership { here, valid_from_ms, valid_until_ms, frozen, windows }
        })
}

fn any_settings() -> impl Strategy<Value = BranchSettings> {
    let passback =
        prop_oneof![Just(AntiPassback::Off), Just(AntiPassback::Warn), Just(AntiPassback::Deny)];
    (any::<bool>(), any::<bool>(), passback).prop_map(|(is_open, denies, anti_passback)| {
        let mut settings = berlin();
        settings
            .set("opening_hours", if is_open { r#"{"mon":[["06:00","23:00"]]}"# } else { "{}" })
            .unwrap();
        settings.time_uncertain =
            if denies { TimeUncertainPolicy::Deny } else { TimeUncertainPolicy::Allow };
        settings.anti_passback = anti_passback;
        settings
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::cases().cases * 16, ..crate::cases() })]

    /// Each objection of the model is given exactly when no earlier one holds.
    #[test]
    fn the_first_objection_is_the_reason(
        settings in any_settings(),
        memberships in proptest::collection::vec(any_membership(), 0..4),
        is_blocked in prop::bool::weighted(0.2),
        (is_known, is_enabled, has_roster) in (
            prop::bool::weighted(0.9), prop::bool::weighted(0.9), prop::bool::weighted(0.9),
        ),
        flaw in prop_oneof![
            8 => Just(None), 1 => Just(Some(Reason::BadSignature)), 1 => Just(Some(Reason::CodeExpired)),
        ],
        once in prop_oneof![
            3 => Just(Use::Unlimited),
            1 => any::<bool>().prop_map(|is_used| Use::Once { is_used }),
            2 => (0..4_u32, proptest::option::of(0..4_u32))
                .prop_map(|(now, last)| Use::Counter { now, last }),
        ],
        age_ms in prop_oneof![9 => 0..5_001_u64, 1 => 5_001..9_000_u64],
        reader in prop_oneof![
            Just(ReaderKind::Door), Just(ReaderKind::Entry), Just(ReaderKind::Exit), Just(ReaderKind::Machine),
        ],
        presence in prop_oneof![
            Just(Presence::Inside), Just(Presence::Outside), Just(Presence::Unknown),
        ],
        (was_granted_last, confirmed_days_ago) in (any::<bool>(), proptest::option::of(0..20_i64)),
        now in prop_oneof![
            Just(TrustedTime::Synced(noon())), Just(TrustedTime::Carried(noon())),
            Just(TrustedTime::NotBefore(noon())),
        ],
    ) {
        let mut member = member(memberships);
        member.blocked = is_blocked.then(|| "unpaid".to_owned());
        let question = Question {
            age_ms,
            reader,
            flaw,
            once,
            is_enabled,
            member: is_known.then_some(&member),
            presence,
            was_granted_last,
            has_roster,
            roster_confirmed_ms: confirmed_days_ago.map(|days| noon() - days * DAY_MS),
            now,
            settings: &settings,
        };

        let decision = decide(&question);

        let expected = objections(&question).into_iter().min().unwrap_or(Reason::Granted);
        prop_assert_eq!(decision.reason, expected);
        prop_assert_eq!(decision.outcome == DecisionOutcome::Granted, expected == Reason::Granted);
        prop_assert_eq!(decision.time_uncertain, now == TrustedTime::NotBefore(noon()));
    }
}
