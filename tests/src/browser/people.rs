//! Who trains at the branch of the browser's tests.

use protocol::credential::uid_hash;
use protocol::ids::{CredentialId, MemberId, UserId};
use protocol::sync::changes::Change;
use protocol::sync::roster::{
    CredentialKind, CredentialRecord, Member, Membership, RosterItem, StaffRecord,
};
use uuid::Uuid;

/// Their names; the place tells number and card.
pub const PEOPLE: [&str; 14] = [
    "Ada Lovelace",
    "Ben Okafor",
    "Chiara Russo",
    "Dana Whitfield",
    "Elif Yılmaz",
    "Finn Jensen",
    "Grace Hopper",
    "Hiro Tanaka",
    "Inés Navarro",
    "Jonas Weber",
    "Kofi Mensah",
    "Léa Fontaine",
    "Mateo Silva",
    "Nora Lindqvist",
];
/// A member whose name wants to be a script.
pub const NASTY_NAME: &str = "<img src=x onerror=\"window.ran=1\"><script>window.ran=1</script>";
/// A card that nobody has yet.
pub const ADAS_CARD: [u8; 7] = [4, 0xAD, 0xA0, 0, 0, 0, 1];

/// A member's id.
pub fn member_id(number: usize) -> MemberId {
    MemberId(id(1, number))
}

/// A member's card.
pub fn card_of(number: usize) -> [u8; 7] {
    [4, 1, 2, 3, 0, 0, u8::try_from(number).unwrap_or(0xFF)]
}

/// Everybody with a card each, and one of the staff, as the cloud tells them.
pub(super) fn told(credential_key: &[u8; 32]) -> Vec<Change> {
    let names = PEOPLE.into_iter().chain([NASTY_NAME]);
    let people = (0..).zip(names).flat_map(|(number, name)| member(number, name, credential_key));
    let eva = StaffRecord {
        id: UserId(id(3, 1)),
        name: "Eva Brandt".to_owned(),
        role: "staff".to_owned(),
        enabled: true,
    };
    people.chain([RosterItem::Staff(eva).change()]).collect()
}

fn member(number: usize, name: &str, credential_key: &[u8; 32]) -> [Change; 2] {
    let membership = Membership {
        here: true,
        valid_from_ms: 0,
        valid_until_ms: None,
        frozen: number == 9,
        windows: Vec::new(),
    };
    let member = Member {
        id: member_id(number),
        member_no: 1_001 + u64::try_from(number).unwrap_or(0),
        display_name: name.to_owned(),
        blocked: None,
        memberships: vec![membership],
    };
    let card = CredentialRecord {
        id: CredentialId(id(2, number)),
        member: member.id,
        kind: CredentialKind::NfcUid { uid_hash: uid_hash(credential_key, &card_of(number)) },
        enabled: true,
    };
    [RosterItem::Member(member).change(), RosterItem::Credential(card).change()]
}

fn id(kind: u128, number: usize) -> Uuid {
    Uuid::from_u128((0x0190 << 112) + (kind << 64) + u128::try_from(number).unwrap_or(0))
}
