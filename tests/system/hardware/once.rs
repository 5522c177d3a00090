//! What came from the hardware is in the cloud exactly once, and no door opens late, whoever was killed and when.

use super::hall::{CARDS, Hall, LIMIT};
use super::people::{Kind, Visitor};
use super::taps::TAP_COUNTS;
use anyhow::{Context as _, Result, ensure};
use firmware_bridge::emulators::board::bench::Deed;
use tests::wait;
use tokio::time::Instant;

#[derive(Debug, Clone, Copy)]
enum Victim {
    Bridge,
    Agent,
}

/// How far a tap is when somebody is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// It was shown just now.
    Shown,
    /// The bridge has it on disk.
    Kept,
    /// The agent has it on disk.
    Acked,
}

const ROUNDS: [(Victim, Moment); 6] = [
    (Victim::Bridge, Moment::Shown),
    (Victim::Agent, Moment::Shown),
    (Victim::Bridge, Moment::Kept),
    (Victim::Agent, Moment::Kept),
    (Victim::Bridge, Moment::Acked),
    (Victim::Agent, Moment::Acked),
];

/// When a door may have opened for a tap.
#[derive(Debug)]
struct Window {
    from: Instant,
    until: Instant,
}

/// Somebody comes and a set is finished; at some moment of it agent or bridge is killed. Says when the door may have
/// opened, and whether the tap was on disk: else it may be lost.
async fn round(
    hall: &mut Hall,
    visitor: &Visitor,
    victim: Victim,
    moment: Moment,
) -> Result<(Window, bool)> {
    let before = visitor.kept(hall)?;
    let from = Instant::now();
    visitor.come(hall).await?;
    if !matches!(moment, Moment::Shown) {
        wait_until_kept(hall, visitor, before).await?;
    }
    if matches!(moment, Moment::Acked) {
        hall.bridge.drained(LIMIT).await?;
    }
    let (is_kept, until);
    match victim {
        Victim::Bridge => {
            hall.bridge.kill().await?;
            hall.relay.released().await;
            // The next bridge has presented nothing, so nothing opens for it. What still lay there would be a
            // presentation to it.
            let killed = Instant::now();
            is_kept = visitor.kept(hall)? > before;
            hall.reader.clear().await?;
            hall.bridge.start().await?;
            tokio::time::timeout(LIMIT, hall.relay.used()).await?;
            // Unlike a port, a pseudo terminal keeps what nobody has read: the next bridge presents that code.
            let is_unread = matches!(visitor.kind, Kind::Code) && !is_kept;
            until = if is_unread { Instant::now() + TAP_COUNTS } else { killed };
        }
        Victim::Agent => {
            hall.scene.edge.kill().await?;
            hall.scene.edge.start().await?;
            wait_until_kept(hall, visitor, before).await?;
            until = Instant::now() + TAP_COUNTS;
            is_kept = true;
            hall.reader.clear().await?;
        }
    }
    hall.bridge.drained(LIMIT).await?;
    Ok((Window { from, until }, is_kept))
}

async fn wait_until_kept(hall: &Hall, visitor: &Visitor, before: usize) -> Result<()> {
    let is_kept = async || Ok(visitor.kept(hall)? > before);
    wait::until_true("the tap is kept", LIMIT, is_kept).await
}

/// Each opening is in a window of its own.
fn is_in_time(opened_at: &[Instant], mut windows: Vec<Window>) -> Result<()> {
    for at in opened_at {
        let fits = |window: &&(usize, &Window)| window.1.from <= *at && *at <= window.1.until;
        let enumerated: Vec<_> = windows.iter().enumerate().collect();
        let window = enumerated.iter().filter(fits).min_by_key(|(_, window)| window.until);
        let index = window.map(|(index, _)| *index);
        windows.remove(index.with_context(|| format!("late at {at:?}: {windows:?}"))?);
    }
    Ok(())
}

async fn everything_is_there_once(kind: Kind) -> Result<()> {
    let mut hall = Hall::open().await?;
    let visitors = hall.people.with(kind, &hall.scene).await?;
    let (mut windows, mut kept) = (Vec::new(), Vec::new());

    for (number, (visitor, (victim, moment))) in (1..).zip(visitors.iter().zip(ROUNDS)) {
        hall.board.act(Deed::Set { reps: number }).await;
        let (window, is_kept) = round(&mut hall, visitor, victim, moment)
            .await
            .with_context(|| format!("{victim:?} at {moment:?}\n{}", hall.logs()))?;
        windows.push(window);
        if is_kept {
            kept.push(visitor.name.clone());
        }
    }
    // Behind this nothing is on its way any more.
    hall.opens(CARDS[0]).await?;
    let sets = hall.sets().await?;

    let came = hall.people.came(kind, &hall.scene).await?;
    assert!(came.values().all(|times| *times == 1), "{came:?}\n{}", hall.logs());
    let is_lost = |name: &&String| !came.contains_key(*name);
    assert_eq!(kept.iter().filter(is_lost).collect::<Vec<_>>(), Vec::<&String>::new());
    ensure!(kept.len() >= ROUNDS.len() - 1, "only {} taps were kept", kept.len());
    let mut opened_at = hall.opened_at();
    opened_at.pop();
    is_in_time(&opened_at, windows)?;
    let reps: Vec<i32> = sets.iter().map(|(_, _, reps)| *reps).collect();
    assert_eq!(reps, (1..=i32::try_from(ROUNDS.len())?).collect::<Vec<_>>());
    assert!(sets.windows(2).all(|pair| pair[0].1 < pair[1].1), "{sets:?}");
    hall.close().await
}

#[tokio::test]
async fn taps_of_cards_and_sets_are_in_the_cloud_once_whoever_was_killed() -> Result<()> {
    everything_is_there_once(Kind::Number).await
}

#[tokio::test]
async fn taps_of_cards_that_prove_themselves_are_in_the_cloud_once_whoever_was_killed() -> Result<()>
{
    everything_is_there_once(Kind::Message).await
}

#[tokio::test]
async fn taps_of_phones_are_in_the_cloud_once_whoever_was_killed() -> Result<()> {
    everything_is_there_once(Kind::Phone).await
}

#[tokio::test]
async fn taps_of_codes_are_in_the_cloud_once_whoever_was_killed() -> Result<()> {
    everything_is_there_once(Kind::Code).await
}
