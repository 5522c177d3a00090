//! Decisions, table by table.

use crate::at;
use protocol::access::settings::{AntiPassback, TimeUncertainPolicy};
use protocol::access::{
    BranchSettings, Decision, Presence, Question, ReaderKind, Reason, Use, Warning, decide,
};
use protocol::ids::MemberId;
use protocol::mqtt::payloads::{DecisionAction, DecisionOutcome};
use protocol::sync::roster::{AccessWindow, Member, Membership};
use protocol::time::TrustedTime;
use uuid::Uuid;

pub const DAY_MS: i64 = 86_400_000;

/// A Monday.
pub fn noon() -> i64 {
    at("2026-11-23T12:00:00+01:00")
}

fn membership() -> Membership {
    Membership {
        here: true,
        valid_from_ms: at("2026-01-01T00:00:00+01:00"),
        valid_until_ms: Some(at("2027-01-01T00:00:00+01:00")),
        frozen: false,
        windows: vec![],
    }
}

pub fn member(memberships: Vec<Membership>) -> Member {
    Member {
        id: MemberId(Uuid::from_u128(1)),
        member_no: 4_711,
        display_name: "Ada".to_owned(),
        blocked: None,
        memberships,
    }
}

pub fn berlin() -> BranchSettings {
    let (settings, errors) = BranchSettings::of([
        ("time_zone", "\"Europe/Berlin\""),
        (
            "opening_hours",
            r#"{"mon":[["06:00","23:00"]],"tue":[["06:00","23:00"]],"fri":[["06:00","04:00"]],"sat":[["06:00","23:00"]],"sun":[["00:00","24:00"]]}"#,
        ),
    ]);
    assert_eq!(errors, []);
    settings
}

fn question<'a>(member: &'a Member, settings: &'a BranchSettings) -> Question<'a> {
    Question {
        age_ms: 200,
        reader: ReaderKind::Door,
        flaw: None,
        once: Use::Unlimited,
        is_enabled: true,
        member: Some(member),
        presence: Presence::Outside,
        was_granted_last: false,
        has_roster: true,
        roster_confirmed_ms: Some(noon() - 1_000),
        now: TrustedTime::Synced(noon()),
        settings,
    }
}

/// The reason for a member with these memberships at a moment.
fn reason_at(memberships: &[Membership], moment: &str) -> Reason {
    let (member, settings) = (member(memberships.to_vec()), berlin());
    let now = TrustedTime::Synced(at(moment));
    decide(&Question { now, roster_confirmed_ms: None, ..question(&member, &settings) }).reason
}

/// The reason when one thing differs from a tap that is granted.
fn reason_with(change: impl FnOnce(&mut Question<'_>)) -> Reason {
    decision_with(change).reason
}

fn decision_with(change: impl FnOnce(&mut Question<'_>)) -> Decision {
    let (member, settings) = (member(vec![membership()]), berlin());
    let mut question = question(&member, &settings);
    change(&mut question);
    decide(&question)
}

#[test]
fn a_member_with_a_membership_is_let_in_and_greeted() {
    let decision = decision_with(|_| {});

    let expected = Decision {
        outcome: DecisionOutcome::Granted,
        reason: Reason::Granted,
        action: DecisionAction::CheckIn,
        display: "Welcome, Ada".to_owned(),
        time_uncertain: false,
        warnings: vec![],
    };
    assert_eq!(decision, expected);
}

#[test]
fn a_refusal_names_nobody_and_does_nothing() {
    let decision = decision_with(|question| question.is_enabled = false);

    assert_eq!(decision.outcome, DecisionOutcome::Denied);
    assert_eq!(decision.action, DecisionAction::None);
    assert_eq!(decision.display, "Please ask at the desk");
}

#[test]
fn what_is_presented_must_be_fresh_genuine_and_somebodys() {
    assert_eq!(reason_with(|question| question.age_ms = 5_000), Reason::Granted);
    assert_eq!(reason_with(|question| question.age_ms = 5_001), Reason::Stale);
    assert_eq!(reason_with(|question| question.has_roster = false), Reason::NoRoster);
    let forged = reason_with(|question| question.flaw = Some(Reason::BadSignature));
    assert_eq!(forged, Reason::BadSignature);
    assert_eq!(reason_with(|question| question.member = None), Reason::UnknownCard);
    assert_eq!(reason_with(|question| question.is_enabled = false), Reason::DisabledCredential);
}

#[test]
fn a_counter_must_be_above_the_last_one() {
    let with = |now, last| reason_with(|question| question.once = Use::Counter { now, last });

    assert_eq!(with(0, None), Reason::Granted);
    assert_eq!(with(62, Some(61)), Reason::Granted);
    assert_eq!(with(61, Some(61)), Reason::Replayed);
    assert_eq!(with(3, Some(61)), Reason::Replayed);
    let used = reason_with(|question| question.once = Use::Once { is_used: true });
    assert_eq!(used, Reason::Replayed);
}

#[test]
fn a_membership_counts_from_its_first_moment_to_before_its_end() {
    let sole = [membership()];

    assert_eq!(reason_at(&sole, "2025-12-29T12:00:00+01:00"), Reason::Expired);
    assert_eq!(reason_at(&sole, "2026-01-05T12:00:00+01:00"), Reason::Granted);
    let ends = Membership { valid_until_ms: Some(noon()), ..membership() };
    assert_eq!(
        reason_at(std::slice::from_ref(&ends), "2026-11-23T11:59:59.999+01:00"),
        Reason::Granted
    );
    assert_eq!(reason_at(&[ends], "2026-11-23T12:00:00+01:00"), Reason::Expired);
    let open_ended = Membership { valid_until_ms: None, ..membership() };
    assert_eq!(reason_at(&[open_ended], "2099-11-23T12:00:00+01:00"), Reason::Granted);
    assert_eq!(reason_at(&[], "2026-11-23T12:00:00+01:00"), Reason::Expired);
}

#[test]
fn of_several_memberships_the_nearest_gives_the_reason() {
    let monday_noon = "2026-11-23T12:00:00+01:00";
    let over = Membership { valid_until_ms: Some(1), ..membership() };
    let elsewhere = Membership { here: false, ..membership() };
    let frozen = Membership { frozen: true, ..membership() };
    let sundays = AccessWindow { days: 0b100_0000, from_min: 0, until_min: 1_440 };
    let at_other_hours = Membership { windows: vec![sundays], ..membership() };
    let reason = |memberships: &[&Membership]| {
        reason_at(&memberships.iter().copied().cloned().collect::<Vec<_>>(), monday_noon)
    };

    assert_eq!(reason(&[&over]), Reason::Expired);
    assert_eq!(reason(&[&over, &elsewhere]), Reason::WrongBranch);
    assert_eq!(reason(&[&over, &elsewhere, &frozen]), Reason::Frozen);
    assert_eq!(reason(&[&at_other_hours, &over, &elsewhere, &frozen]), Reason::OutsideHours);
    let good = membership();
    assert_eq!(reason(&[&at_other_hours, &over, &elsewhere, &frozen, &good]), Reason::Granted);
}

#[test]
fn a_blocked_member_is_told_so_whatever_membership_there_is() {
    let mut member = member(vec![]);
    member.blocked = Some("unpaid".to_owned());

    assert_eq!(decide(&question(&member, &berlin())).reason, Reason::Blocked);
}

#[test]
fn a_window_that_passes_midnight_counts_by_the_day_on_which_it_begins() {
    let friday_night = AccessWindow { days: 0b001_0000, from_min: 1_320, until_min: 180 };
    let sole = [Membership { windows: vec![friday_night], ..membership() }];

    assert_eq!(reason_at(&sole, "2026-11-27T21:59:59+01:00"), Reason::OutsideHours);
    assert_eq!(reason_at(&sole, "2026-11-27T22:00:00+01:00"), Reason::Granted);
    assert_eq!(reason_at(&sole, "2026-11-28T02:59:59+01:00"), Reason::Granted);
    // The membership comes before the hours of the branch, which is open until 4.
    assert_eq!(reason_at(&sole, "2026-11-28T03:00:00+01:00"), Reason::OutsideHours);
    assert_eq!(reason_at(&sole, "2026-11-28T22:30:00+01:00"), Reason::OutsideHours);
}

/// The clock jumps from 02:00 to 03:00 on 2026-03-29 and back from 03:00 to 02:00 on 2026-10-25.
#[test]
fn windows_follow_the_clock_on_the_wall_when_it_jumps() {
    let before_dawn = AccessWindow { days: 0b100_0000, from_min: 90, until_min: 150 };
    let sole = [Membership { windows: vec![before_dawn], ..membership() }];

    assert_eq!(reason_at(&sole, "2026-03-29T01:59:59+01:00"), Reason::Granted);
    assert_eq!(reason_at(&sole, "2026-03-29T03:00:00+02:00"), Reason::OutsideHours);
    assert_eq!(reason_at(&sole, "2026-10-25T02:45:00+02:00"), Reason::Granted);
    assert_eq!(reason_at(&sole, "2026-10-25T02:29:59+01:00"), Reason::Granted);
    assert_eq!(reason_at(&sole, "2026-10-25T02:30:00+01:00"), Reason::OutsideHours);
}

#[test]
fn a_closed_branch_lets_nobody_in() {
    let sole = [membership()];

    assert_eq!(reason_at(&sole, "2026-11-23T05:59:59+01:00"), Reason::Closed);
    assert_eq!(reason_at(&sole, "2026-11-25T12:00:00+01:00"), Reason::Closed);
    let over = Membership { valid_until_ms: Some(1), ..membership() };
    assert_eq!(reason_at(&[over], "2026-11-25T12:00:00+01:00"), Reason::Expired);
}

#[test]
fn without_the_time_hours_are_not_looked_at_and_the_decision_says_so() {
    let at_no_hour = AccessWindow { days: 0, from_min: 0, until_min: 0 };
    let member = member(vec![Membership { windows: vec![at_no_hour], ..membership() }]);
    let mut settings = berlin();
    settings.set("opening_hours", "{}").unwrap();
    let now = TrustedTime::NotBefore(noon());

    let decision = decide(&Question { now, ..question(&member, &settings) });
    assert_eq!((decision.reason, decision.time_uncertain), (Reason::Granted, true));
    settings.time_uncertain = TimeUncertainPolicy::Deny;
    let decision = decide(&Question { now, ..question(&member, &settings) });
    assert_eq!((decision.reason, decision.time_uncertain), (Reason::TimeUncertain, true));
}

#[test]
fn without_the_time_only_what_ended_before_the_floor_is_over() {
    let settings = berlin();
    let now = TrustedTime::NotBefore(noon());
    let over = member(vec![Membership { valid_until_ms: Some(noon()), ..membership() }]);
    let maybe = member(vec![Membership { valid_until_ms: Some(noon() + 1), ..membership() }]);
    let not_begun = member(vec![Membership { valid_from_ms: i64::MAX, ..membership() }]);

    assert_eq!(decide(&Question { now, ..question(&over, &settings) }).reason, Reason::Expired);
    assert_eq!(decide(&Question { now, ..question(&maybe, &settings) }).reason, Reason::Granted);
    let decision = decide(&Question { now, ..question(&not_begun, &settings) });
    // What is later than the floor may be long ago all the same.
    assert_eq!(decision.reason, Reason::Granted);
}

#[test]
fn beyond_the_grace_of_the_roster_only_who_was_let_in_last_time_enters() {
    let confirmed = |days| Some(noon() - days * DAY_MS);
    let in_grace = reason_with(|question| question.roster_confirmed_ms = confirmed(7));
    assert_eq!(in_grace, Reason::Granted);

    let new = reason_with(|question| question.roster_confirmed_ms = Some(noon() - 7 * DAY_MS - 1));
    let known = decision_with(|question| {
        question.roster_confirmed_ms = confirmed(8);
        question.was_granted_last = true;
    });
    let without_time = reason_with(|question| {
        question.roster_confirmed_ms = confirmed(8);
        question.now = TrustedTime::NotBefore(noon());
    });

    assert_eq!(new, Reason::RosterTooOld);
    assert_eq!((known.reason, known.warnings), (Reason::Granted, vec![Warning::RosterTooOld]));
    assert_eq!(without_time, Reason::RosterTooOld);
}

fn action_at(reader: ReaderKind, presence: Presence) -> DecisionAction {
    let change = |question: &mut Question<'_>| {
        (question.reader, question.presence) = (reader, presence);
    };
    decision_with(change).action
}

#[test]
fn a_tap_means_what_its_reader_is_for() {
    use {DecisionAction::*, Presence::*, ReaderKind::*};

    assert_eq!(action_at(Door, Outside), CheckIn);
    assert_eq!(action_at(Door, Unknown), CheckIn);
    assert_eq!(action_at(Door, Inside), CheckOut);
    assert_eq!(action_at(Entry, Inside), CheckIn);
    assert_eq!(action_at(Exit, Outside), CheckOut);
    assert_eq!(action_at(Machine, Inside), Link);
}

#[test]
fn an_exit_opens_for_every_genuine_credential() {
    let mut member = member(vec![]);
    member.blocked = Some("unpaid".to_owned());
    let settings = berlin();
    let exit = Question { reader: ReaderKind::Exit, ..question(&member, &settings) };

    let decision = decide(&exit);
    assert_eq!((decision.reason, decision.display.as_str()), (Reason::Granted, "Goodbye, Ada"));
    let disabled = Question { is_enabled: false, ..exit };
    assert_eq!(decide(&disabled).reason, Reason::DisabledCredential);
}

#[test]
fn who_is_inside_is_not_held_by_the_time() {
    let night = TrustedTime::Synced(at("2026-11-23T23:30:00+01:00"));
    let at_night = |reader: ReaderKind, presence: Presence| {
        let change = |question: &mut Question<'_>| {
            (question.reader, question.presence, question.now) = (reader, presence, night);
        };
        reason_with(change)
    };

    assert_eq!(at_night(ReaderKind::Door, Presence::Inside), Reason::Granted);
    assert_eq!(at_night(ReaderKind::Machine, Presence::Inside), Reason::Granted);
    assert_eq!(at_night(ReaderKind::Machine, Presence::Outside), Reason::Closed);
    assert_eq!(at_night(ReaderKind::Entry, Presence::Inside), Reason::Closed);
}

#[test]
fn a_block_holds_at_a_door_for_both_ways_also_from_inside() {
    let mut member = member(vec![membership()]);
    member.blocked = Some("stolen".to_owned());
    let settings = berlin();

    let inside = Question { presence: Presence::Inside, ..question(&member, &settings) };

    assert_eq!(decide(&inside).reason, Reason::Blocked);
}

#[test]
fn who_enters_twice_is_let_in_watched_or_refused_as_the_branch_wants() {
    let entering = |policy: AntiPassback| {
        let (member, mut settings) = (member(vec![membership()]), berlin());
        settings.anti_passback = policy;
        let (reader, presence) = (ReaderKind::Entry, Presence::Inside);
        let decision = decide(&Question { reader, presence, ..question(&member, &settings) });
        (decision.reason, decision.warnings)
    };

    assert_eq!(entering(AntiPassback::Off), (Reason::Granted, vec![]));
    assert_eq!(entering(AntiPassback::Warn), (Reason::Granted, vec![Warning::AlreadyInside]));
    assert_eq!(entering(AntiPassback::Deny), (Reason::AlreadyInside, vec![]));
}

#[test]
fn codes_of_reasons_are_words_that_stay() {
    let codes = Reason::ALL.map(Reason::as_str).join(" ");

    assert_eq!(
        codes,
        "stale no_roster bad_signature code_expired replayed unknown_card disabled_credential blocked \
         wrong_branch expired frozen outside_hours closed time_uncertain roster_too_old already_inside \
         machine_taken machine_out_of_order granted"
    );
}
