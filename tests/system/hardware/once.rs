//! What came from the hardware is in the cloud exactly once, whoever was killed meanwhile.

use super::hall::{Hall, LIMIT, MACHINE, card};
use anyhow::{Context as _, Result, ensure};
use firmware_bridge::emulators::board::bench::Deed;
use firmware_bridge::emulators::pn532::Card;
use std::collections::BTreeMap;
use std::time::Duration;
use tests::ledger;
use tests::seed::Seed;
use tests::wait;
use tokio::time::sleep;

/// Each with a tap, a set and a kill.
const ROUNDS: u8 = 16;
/// Within this time of a card's presentation somebody is killed: before, while and after its tap is kept and sent.
const KILLED_WITHIN_MS: u64 = 500;

/// A set in the cloud: boot and number of the board's message, and repetitions.
type Set = (i64, i64, i32);

/// A card is held to the reader and a set is finished; at some moment of it agent or bridge is killed.
async fn round(hall: &mut Hall, number: u8, seed: &mut Seed) -> Result<()> {
    let killed_after = Duration::from_millis(seed.between(0, KILLED_WITHIN_MS));
    hall.board.act(Deed::Set { reps: u16::from(number) }).await;
    hall.reader.present(Card::Plain(card(number).into())).await?;
    sleep(killed_after).await;
    if seed.chance(0.5) {
        hall.bridge.kill().await?;
        // Else the next bridge would find it there: that would be another presentation.
        hall.reader.clear().await?;
        return hall.bridge.start().await;
    }
    hall.scene.edge.kill().await?;
    wait::until_true("the tap is kept", LIMIT, async || hall.has_kept(card(number))).await?;
    hall.reader.clear().await?;
    hall.scene.edge.start().await
}

async fn sets(hall: &Hall) -> Result<Vec<Set>> {
    let sets = "SELECT device_boot, device_seq, reps
        FROM finished_sets JOIN devices ON devices.id = finished_sets.device_id
        WHERE devices.code = $1 ORDER BY device_seq";
    Ok(sqlx::query_as(sets).bind(MACHINE).fetch_all(&hall.scene.pool).await?)
}

#[tokio::test]
async fn taps_and_sets_are_in_the_cloud_once_whoever_was_killed() -> Result<()> {
    let mut seed = Seed::announced("taps and sets under kills");
    let mut hall = Hall::open().await?;

    for number in 1..=ROUNDS {
        round(&mut hall, number, &mut seed).await.with_context(|| hall.logs())?;
    }
    let mut shown = hall.board.shown();
    let acked = shown.wait_for(|shown| shown.unacked == 0 && !shown.is_busy);
    tokio::time::timeout(LIMIT, acked).await.with_context(|| hall.logs())??;
    hall.bridge.drained(LIMIT).await?;
    hall.scene.edge.drained(LIMIT).await?;

    let sets = sets(&hall).await?;
    let reps: Vec<i32> = sets.iter().map(|(_, _, reps)| *reps).collect();
    assert_eq!(reps, (1..=i32::from(ROUNDS)).collect::<Vec<_>>());
    assert!(sets.windows(2).all(|pair| pair[0].1 < pair[1].1), "{sets:?}");
    let mut kept = BTreeMap::new();
    for number in 1..=ROUNDS {
        if hall.has_kept(card(number))? {
            kept.insert(hall.scene.site.card_hash(&card(number)).await?, 1);
        }
    }
    ensure!(kept.len() > 1, "hardly any tap was kept");
    assert_eq!(ledger::cards(&hall.scene.pool).await?, kept);
    hall.close().await
}
