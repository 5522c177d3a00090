//! Items of the roster: golden bytes, round trips, noise, and nothing personal in a log.

use crate::golden::golden;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use protocol::ids::{CredentialId, DeviceId, MemberId, UserId};
use protocol::sync::WireError;
use protocol::sync::changes::Change;
use protocol::sync::roster::{
    AccessWindow, CredentialKind, CredentialRecord, MAX_ROSTER_ITEM_BYTES, Member, Membership,
    ReaderPlace, ReaderRecord, RosterError, RosterItem, RosterKind, StaffRecord,
};
use uuid::Uuid;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x018f_6f6e_7c1b_7aaa_8000_0000_0000_0000 + number)
}

fn member() -> Member {
    let mornings = AccessWindow { days: 0b001_1111, from_min: 360, until_min: 720 };
    let nights = AccessWindow { days: 0b110_0000, from_min: 1_320, until_min: 120 };
    Member {
        id: MemberId(id(20)),
        member_no: 4_711,
        display_name: "Åsa B.".to_owned(),
        blocked: Some("unpaid".to_owned()),
        memberships: vec![
            Membership {
                here: true,
                valid_from_ms: 1_780_000_000_000,
                valid_until_ms: Some(1_811_536_000_000),
                frozen: false,
                windows: vec![mornings, nights],
            },
            Membership {
                here: false,
                valid_from_ms: -1,
                valid_until_ms: None,
                frozen: true,
                windows: vec![],
            },
        ],
    }
}

fn credential(kind: CredentialKind) -> CredentialRecord {
    CredentialRecord { id: CredentialId(id(21)), member: MemberId(id(20)), kind, enabled: true }
}

fn staff() -> StaffRecord {
    StaffRecord {
        id: UserId(id(22)),
        name: "Kim".to_owned(),
        role: "staff".to_owned(),
        enabled: true,
    }
}

fn check_item(name: &str, item: &RosterItem) {
    let bytes = golden(name, &item.encode());

    assert_eq!(RosterItem::decode(item.kind().number(), &bytes).as_ref(), Ok(item));
    assert_eq!(item.encode(), bytes);
}

#[test]
fn items_of_the_roster() {
    check_item("roster-member", &RosterItem::Member(member()));
    let card = credential(CredentialKind::NfcUid { uid_hash: [1; 32] });
    check_item("roster-card", &RosterItem::Credential(card));
    let tag = credential(CredentialKind::Sun { uid_hash: [2; 32] });
    check_item("roster-sun", &RosterItem::Credential(tag));
    let phone = credential(CredentialKind::Phone { public_key: vec![3; 33] });
    check_item("roster-phone", &RosterItem::Credential(phone));
    check_item("roster-staff", &RosterItem::Staff(staff()));
    for (name, place) in [
        ("roster-reader-door", ReaderPlace::Door),
        ("roster-reader-entry", ReaderPlace::Entry),
        ("roster-reader-exit", ReaderPlace::Exit),
        ("roster-reader-machine", ReaderPlace::Machine(DeviceId(Uuid::from_u128(7)))),
    ] {
        let id = DeviceId(Uuid::from_u128(6));
        check_item(name, &RosterItem::Reader(ReaderRecord { id, place }));
    }
}

#[test]
fn an_item_travels_as_a_change_with_its_kind_and_id() {
    let item = RosterItem::Staff(staff());

    let change = item.change();

    let expected = Change::Roster { kind: 3, id: id(22).into_bytes(), item: item.encode() };
    assert_eq!(change, expected);
}

#[test]
fn a_removed_item_is_empty() {
    let gone = RosterKind::Member.removed(id(20));

    assert_eq!(gone, Change::Roster { kind: 1, id: id(20).into_bytes(), item: vec![] });
    assert_eq!(RosterItem::decode(1, &[]), Err(RosterError::Wire(WireError::Empty)));
}

#[test]
fn kinds_and_versions_of_tomorrow_are_told_apart_from_damage() {
    let bytes = RosterItem::Staff(staff()).encode();

    assert_eq!(RosterItem::decode(5, &bytes), Err(RosterError::UnknownKind(5)));
    let later = [&[2], &bytes[1..]].concat();
    assert_eq!(RosterItem::decode(3, &later), Err(RosterError::Wire(WireError::Version(2))));
}

#[test]
fn an_item_that_is_too_long_is_refused_unread() {
    let long =
        RosterItem::Staff(StaffRecord { name: "x".repeat(MAX_ROSTER_ITEM_BYTES), ..staff() });

    let refused = RosterItem::decode(3, &long.encode());

    let too_large = WireError::TooLarge { limit: MAX_ROSTER_ITEM_BYTES };
    assert_eq!(refused, Err(RosterError::Wire(too_large)));
}

#[test]
fn nothing_personal_is_shown_for_debugging() {
    let items = [
        RosterItem::Member(member()),
        RosterItem::Credential(credential(CredentialKind::Sun { uid_hash: [0xAB; 32] })),
        RosterItem::Staff(staff()),
    ];

    let shown = format!("{items:?}");

    assert!(!shown.contains("sa B"), "{shown}");
    assert!(!shown.contains("Kim"), "{shown}");
    assert!(!shown.contains("171"), "{shown}");
}

fn window() -> impl Strategy<Value = AccessWindow> {
    (any::<u8>(), any::<u16>(), any::<u16>()).prop_map(|(days, from_min, until_min)| AccessWindow {
        days,
        from_min,
        until_min,
    })
}

fn membership() -> impl Strategy<Value = Membership> {
    (any::<bool>(), any::<i64>(), any::<Option<i64>>(), any::<bool>(), vec(window(), 0..4))
        .prop_map(|(here, valid_from_ms, valid_until_ms, frozen, windows)| Membership {
            here,
            valid_from_ms,
            valid_until_ms,
            frozen,
            windows,
        })
}

fn any_kind() -> impl Strategy<Value = CredentialKind> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(|uid_hash| CredentialKind::NfcUid { uid_hash }),
        any::<[u8; 32]>().prop_map(|uid_hash| CredentialKind::Sun { uid_hash }),
        vec(any::<u8>(), 0..70).prop_map(|public_key| CredentialKind::Phone { public_key }),
    ]
}

fn any_item() -> impl Strategy<Value = RosterItem> {
    let uuid = || any::<u128>().prop_map(Uuid::from_u128);
    let member = (uuid(), any::<u64>(), ".*", option::of(".*"), vec(membership(), 0..4)).prop_map(
        |(id, member_no, display_name, blocked, memberships)| {
            let id = MemberId(id);
            RosterItem::Member(Member { id, member_no, display_name, blocked, memberships })
        },
    );
    let credential =
        (uuid(), uuid(), any_kind(), any::<bool>()).prop_map(|(id, member, kind, enabled)| {
            let (id, member) = (CredentialId(id), MemberId(member));
            RosterItem::Credential(CredentialRecord { id, member, kind, enabled })
        });
    let staff = (uuid(), ".*", ".*", any::<bool>()).prop_map(|(id, name, role, enabled)| {
        RosterItem::Staff(StaffRecord { id: UserId(id), name, role, enabled })
    });
    prop_oneof![member, credential, staff]
}

proptest! {
    #![proptest_config(crate::strategies::cases())]

    #[test]
    fn any_item_comes_back(item in any_item()) {
        prop_assert_eq!(RosterItem::decode(item.kind().number(), &item.encode()), Ok(item));
    }

    #[test]
    fn no_bytes_make_it_panic(kind in 0..5_u8, bytes in vec(any::<u8>(), 0..200)) {
        let _ = RosterItem::decode(kind, &bytes);
        let _ = RosterItem::decode(kind, &[&[1], bytes.as_slice()].concat());
    }
}
