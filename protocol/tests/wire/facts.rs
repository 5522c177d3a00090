//! Facts of the rule book: golden bytes of every deed.

use crate::golden::golden;
use protocol::ids::{BranchId, DeviceId, LinkId, MemberId, SessionId, SetId};
use protocol::rules::{Deed, Fact, FactKey, Means, Origin};
use uuid::Uuid;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x018f_6f6e_7c1b_7aaa_8000_0000_0000_0000 + number)
}

fn every_deed() -> Vec<Deed> {
    let (member, machine) = (MemberId(id(20)), DeviceId(id(1)));
    let (session, link) = (SessionId(id(30)), LinkId(id(31)));
    vec![
        Deed::CheckIn { session, member, by: Means::Tap },
        Deed::CheckIn { session, member, by: Means::App },
        Deed::CheckOut { session, member, by: Means::Staff },
        Deed::CheckOut { session, member, by: Means::Cloud },
        Deed::Link { link, member, machine, by: Means::Tap },
        Deed::Unlink { link, machine, by: Means::Rejected },
        Deed::Enqueue { member, machine },
        Deed::Dequeue { member, machine },
        Deed::Use { machine, is_in_use: true },
        Deed::Work { machine, set: SetId(id(10)) },
        Deed::OutOfOrder { machine, is_out: true },
    ]
}

#[test]
fn what_a_machine_says_of_itself() {
    let deed = Deed::Faulty { machine: DeviceId(id(1)), is_faulty: true };
    let bytes = golden("deed-faulty", &postcard::to_allocvec(&deed).unwrap());

    assert_eq!(postcard::from_bytes::<Deed>(&bytes).as_ref(), Ok(&deed));
    assert_eq!(postcard::to_allocvec(&deed).as_ref(), Ok(&bytes));
}

#[test]
fn every_deed_of_the_rule_book() {
    let origin = Origin { id: id(2), epoch: 7 };
    let facts: Vec<Fact> = (1..)
        .zip(every_deed())
        .map(|(seq, deed)| {
            let key = FactKey { at_ms: 1_790_000_000_000, origin, seq };
            Fact { key, branch: BranchId(id(3)), deed }
        })
        .collect();
    let bytes = golden("facts", &postcard::to_allocvec(&facts).unwrap());

    assert_eq!(postcard::from_bytes::<Vec<Fact>>(&bytes).as_ref(), Ok(&facts));
    assert_eq!(postcard::to_allocvec(&facts).as_ref(), Ok(&bytes));
}
