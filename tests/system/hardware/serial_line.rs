//! A sick cable between bridge and board: what the board measured is in the cloud once, and it does what it is told.

use super::hall::Hall;
use anyhow::{Context as _, Result};
use firmware_bridge::emulators::board::Direction::{self, ToBoard, ToHost};
use firmware_bridge::emulators::board::bench::Deed;
use firmware_bridge::emulators::board::line::Fault;
use std::time::Duration;

/// What happens to the cable a few bytes into the next message.
const FAULTS: [(Direction, Fault); 10] = [
    (ToHost, Fault::Drop(5)),
    (ToBoard, Fault::Drop(5)),
    (ToHost, Fault::Corrupt(0x40)),
    (ToBoard, Fault::Corrupt(0x01)),
    (ToHost, Fault::Garbage(30)),
    (ToBoard, Fault::Garbage(30)),
    (ToHost, Fault::Stall(Duration::from_millis(1_500))),
    (ToBoard, Fault::Stall(Duration::from_millis(1_500))),
    (ToHost, Fault::Vanish(Duration::from_millis(700))),
    (ToHost, Fault::Reenumerate),
];
/// Into a message, but not through it.
const INTO: u64 = 3;

#[tokio::test]
async fn a_board_behind_a_sick_cable_has_each_set_in_the_cloud_once_and_obeys_each_order_once()
-> Result<()> {
    let hall = Hall::open().await?;

    for (number, (direction, fault)) in (1..).zip(FAULTS) {
        hall.board.disturb(direction, INTO, fault).await;
        hall.board.act(Deed::Set { reps: number }).await;
        let told = hall.sets().await.with_context(|| format!("{direction:?} {fault:?}"))?;
        let reps: Vec<i32> = told.iter().map(|(_, _, reps)| *reps).collect();
        assert_eq!(reps, (1..=i32::from(number)).collect::<Vec<_>>(), "{direction:?} {fault:?}");
        hall.obeyed("lock").await.with_context(|| format!("{direction:?} {fault:?}"))?;
    }

    let heard = hall.board.shown().borrow().commands.len();
    // The first one proved that the way works.
    assert_eq!(heard, 1 + FAULTS.len());
    hall.close().await
}
