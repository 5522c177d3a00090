//! Each rule of the door by itself, and all of them against random mail.

use super::*;
use proptest::prelude::*;
use uuid::Uuid;

const SECOND: Duration = Duration::from_secs(1);
const LIMITS: Limits = Limits {
    open: Duration::from_secs(3),
    max_open: Duration::from_secs(10),
    hold: Duration::from_mins(1),
    max_hold: Duration::from_mins(10),
};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn door() -> Door {
    let mut door = Door::new(LIMITS);
    door.handle(Input::RelayReady, Duration::ZERO);
    door
}

fn granted(tap: u128) -> Decision {
    Decision {
        tap: TapId(Uuid::from_u128(tap)),
        is_granted: true,
        open_for: None,
        age: Duration::from_millis(300),
        valid: seconds(2),
        presented_ago: Some(Duration::from_millis(200)),
    }
}

fn order(what: What, time: Option<Duration>) -> Order {
    Order { id: id(), what, time, age: Duration::ZERO, ttl: seconds(5) }
}

fn id() -> CommandId {
    CommandId(Uuid::from_u128(77))
}

/// Until when the outputs switch the relay on.
fn on_until(outputs: &[Output]) -> Option<Duration> {
    outputs.iter().find_map(|output| match output {
        Output::Relay { until, .. } => *until,
        _ => None,
    })
}

#[test]
fn a_granted_tap_opens_for_the_usual_time_or_the_one_it_says_up_to_the_limit() {
    let times = [None, Some(seconds(5)), Some(seconds(500))];

    let ends = times.map(|open_for| {
        let decision = Decision { open_for, ..granted(1) };
        on_until(&door().handle(Input::Decision(decision), seconds(100)))
    });

    assert_eq!(ends, [Some(seconds(103)), Some(seconds(105)), Some(seconds(110))]);
}

#[test]
fn a_denied_tap_shows_red_and_opens_nothing() {
    let denied = Decision { is_granted: false, ..granted(1) };

    let outputs = door().handle(Input::Decision(denied), SECOND);

    assert_eq!(outputs, [Output::Show(Signal::Denied)]);
}

#[test]
fn what_is_late_unasked_for_or_repeated_changes_nothing() {
    let mut door = door();
    door.handle(Input::Decision(granted(9)), SECOND);
    let too_old = Decision { age: Duration::from_millis(2_001), ..granted(1) };
    let foreign = Decision { presented_ago: None, ..granted(2) };
    let forgotten = Decision { presented_ago: Some(Duration::from_millis(5_001)), ..granted(3) };

    let outputs = [too_old, foreign, forgotten, granted(9)]
        .map(|decision| door.handle(Input::Decision(decision), 2 * SECOND));

    assert_eq!(outputs, [const { Vec::new() }; 4]);
}

#[test]
fn a_tap_and_a_decision_count_to_the_last_moment_of_their_time() {
    let last = Decision { presented_ago: Some(seconds(5)), ..granted(1) };
    let just_valid = Decision { age: seconds(2), ..granted(2) };

    for decision in [last, just_valid] {
        let outputs = door().handle(Input::Decision(decision), seconds(50));
        let Output::Relay { not_after, .. } = outputs[0] else { panic!("{outputs:?}") };
        assert_eq!(not_after, seconds(50));
    }
}

#[test]
fn the_relay_is_told_when_the_decision_is_void() {
    let decision = Decision { presented_ago: Some(seconds(4)), ..granted(1) };

    let outputs = door().handle(Input::Decision(decision), seconds(50));

    let Output::Relay { not_after, .. } = outputs[0] else { panic!("{outputs:?}") };
    assert_eq!(not_after, seconds(51));
}

#[test]
fn a_held_door_stays_open_for_its_time_and_a_tap_does_not_shorten_it() {
    let mut door = door();

    let held = door.handle(Input::Order(order(What::HoldOpen, Some(seconds(30)))), SECOND);
    let tapped = door.handle(Input::Decision(granted(1)), 2 * SECOND);
    let forever = door.handle(Input::Order(order(What::HoldOpen, Some(Duration::MAX))), 3 * SECOND);
    let usual = door.handle(Input::Order(order(What::HoldOpen, None)), 4 * SECOND);

    assert_eq!(on_until(&held), Some(seconds(31)));
    assert_eq!(on_until(&tapped), Some(seconds(31)));
    assert_eq!(on_until(&forever), Some(seconds(603)));
    assert_eq!(on_until(&usual), Some(seconds(64)));
}

#[test]
fn lock_ends_an_opening_and_with_a_time_keeps_cards_out() {
    let mut door = door();
    door.handle(Input::Order(order(What::HoldOpen, None)), SECOND);

    let locked = door.handle(Input::Order(order(What::Lock, Some(seconds(60)))), 2 * SECOND);
    let card = door.handle(Input::Decision(granted(1)), 3 * SECOND);
    let opened = door.handle(Input::Order(order(What::Open, None)), 4 * SECOND);
    let plain = door.handle(Input::Order(order(What::Lock, None)), 5 * SECOND);
    let next_card = door.handle(Input::Decision(granted(2)), 6 * SECOND);

    assert!(matches!(locked[..], [Output::Relay { until: None, answers: Some(_), .. }]));
    assert_eq!(card, [Output::Show(Signal::Denied)]);
    assert_eq!(on_until(&opened), Some(seconds(7)));
    assert!(matches!(plain[..], [Output::Relay { until: None, .. }]));
    assert_eq!(on_until(&next_card), Some(seconds(9)));
}

#[test]
fn an_order_past_its_time_has_expired() {
    let late = Order { age: Duration::from_millis(5_001), ..order(What::Open, None) };

    let outputs = door().handle(Input::Order(late), SECOND);

    assert_eq!(outputs, [Output::Answer(id(), Refusal::Expired)]);
}

#[test]
fn without_a_relay_nothing_is_open_and_orders_fail() {
    let mut door = door();
    door.handle(Input::Order(order(What::HoldOpen, None)), SECOND);

    door.handle(Input::RelayLost, 2 * SECOND);
    let order = door.handle(Input::Order(order(What::Open, None)), 3 * SECOND);
    let card = door.handle(Input::Decision(granted(1)), 3 * SECOND);

    assert_eq!(door.wake_at(), None);
    assert_eq!(order, [Output::Answer(id(), Refusal::NoRelay)]);
    assert_eq!(card, [Output::Show(Signal::Denied)]);
}

/// Something that was sent at some time and comes at another.
#[derive(Debug, Clone)]
enum Letter {
    Decision {
        tap: u8,
        is_granted: bool,
        open_ms: Option<u32>,
        valid_ms: u16,
        sent_ms_ago: u16,
        tapped_ms_ago: Option<u16>,
    },
    Order {
        what: What,
        time_ms: Option<u32>,
        ttl_ms: u16,
        sent_ms_ago: u16,
    },
    Relay(bool),
    Nothing,
}

fn letter() -> impl Strategy<Value = Letter> {
    let what = prop_oneof![Just(What::Open), Just(What::HoldOpen), Just(What::Lock)];
    let time = || prop::option::of(0..2_000_000_u32);
    prop_oneof![
        6 => (any::<u8>(), any::<bool>(), time(), 0..6_000_u16, 0..8_000_u16, prop::option::of(0..8_000_u16))
            .prop_map(|(tap, is_granted, open_ms, valid_ms, sent_ms_ago, tapped_ms_ago)| {
                Letter::Decision { tap, is_granted, open_ms, valid_ms, sent_ms_ago, tapped_ms_ago }
            }),
        3 => (what, time(), 0..6_000_u16, 0..8_000_u16).prop_map(|(what, time_ms, ttl_ms, sent_ms_ago)| {
            Letter::Order { what, time_ms, ttl_ms, sent_ms_ago }
        }),
        1 => any::<bool>().prop_map(Letter::Relay),
        1 => Just(Letter::Nothing),
    ]
}

fn millis(ms: impl Into<u64>) -> Duration {
    Duration::from_millis(ms.into())
}

fn input(letter: &Letter, number: u128) -> Input {
    match *letter {
        Letter::Decision { tap, is_granted, open_ms, valid_ms, sent_ms_ago, tapped_ms_ago } => {
            Input::Decision(Decision {
                tap: TapId(Uuid::from_u128(tap.into())),
                is_granted,
                open_for: open_ms.map(millis),
                age: millis(sent_ms_ago),
                valid: millis(valid_ms),
                presented_ago: tapped_ms_ago.map(millis),
            })
        }
        Letter::Order { what, time_ms, ttl_ms, sent_ms_ago } => Input::Order(Order {
            id: CommandId(Uuid::from_u128(number)),
            what,
            time: time_ms.map(millis),
            age: millis(sent_ms_ago),
            ttl: millis(ttl_ms),
        }),
        Letter::Relay(true) => Input::RelayReady,
        Letter::Relay(false) => Input::RelayLost,
        Letter::Nothing => Input::Tick,
    }
}

/// The longest time that a letter may open for, by rules written down once more; `None`: not at all.
fn may_open_for(letter: &Letter) -> Option<Duration> {
    match *letter {
        Letter::Decision { is_granted, valid_ms, sent_ms_ago, tapped_ms_ago, .. } => {
            (is_granted && sent_ms_ago <= valid_ms && tapped_ms_ago.is_some_and(|ago| ago <= 5_000))
                .then_some(LIMITS.max_open)
        }
        Letter::Order { what, ttl_ms, sent_ms_ago, .. } if sent_ms_ago <= ttl_ms => match what {
            What::Open => Some(LIMITS.max_open),
            What::HoldOpen => Some(LIMITS.max_hold),
            What::Lock => None,
        },
        _ => None,
    }
}

proptest! {
    #[test]
    fn no_mail_opens_late_and_the_relay_is_always_off_after_its_time(
        mail in prop::collection::vec((letter(), 0..20_000_u64), 1..200),
    ) {
        let mut door = door();
        let mut now = Duration::ZERO;
        // The latest end that anything so far may justify.
        let mut justified = Duration::ZERO;
        let mut on = None;
        for (number, (letter, pause_ms)) in mail.iter().enumerate() {
            now += millis(*pause_ms);
            let before = on.filter(|until| *until > now);
            let outputs = door.handle(input(letter, number as u128), now);

            if let Some(time) = may_open_for(letter) {
                justified = justified.max(now + time);
            }
            for output in &outputs {
                if let Output::Relay { until, not_after, .. } = output {
                    prop_assert!(until.is_none() || may_open_for(letter).is_some());
                    prop_assert!(*not_after >= now);
                    on = *until;
                }
            }
            if matches!(letter, Letter::Relay(false)) {
                on = None;
            }
            on = on.filter(|until| *until > now);
            prop_assert!(on.is_none_or(|until| until <= justified));
            prop_assert!(on == before || !outputs.is_empty() || matches!(letter, Letter::Relay(false)));
            prop_assert!(on.is_none() || door.wake_at() == on, "the door knows what its relay does");
        }
    }
}
