//! Cards at a door: who may come in does so once; a tap or a decision that was held up moves no relay, ever.

use super::hall::{BLOCKED, CARDS, Hall, LIMIT, card};
use anyhow::Result;
use std::time::Duration;
use tests::chaos::Weather;
use tests::wait;
use tokio::time::Instant;

/// A tap that is older moves nothing.
pub const TAP_COUNTS: Duration = Duration::from_secs(5);
/// A decision that is older moves nothing.
const DECISION_COUNTS: Duration = Duration::from_secs(2);
/// The messages of a tap are longer, those that keep a connection alive are much shorter.
const TAP_BYTES: u64 = 100;

async fn is_past(what: &str, since: Instant, limit: Duration) -> Result<()> {
    let is_past = async || Ok(since.elapsed() > limit);
    wait::until_true(what, LIMIT, is_past).await
}

async fn is_too_old(tap: Instant) -> Result<()> {
    is_past("the tap is too old", tap, TAP_COUNTS).await
}

/// Whatever was held up has arrived and moved nothing; whoever comes now gets in.
async fn opens_only_for(hall: Hall, card: [u8; 7]) -> Result<()> {
    hall.bridge.drained(LIMIT).await?;
    assert_eq!(hall.relay.log(), [], "{}", hall.logs());
    hall.opens(card).await?;
    hall.close().await
}

#[tokio::test]
async fn a_card_opens_the_door_once_and_those_of_strangers_and_blocked_members_never() -> Result<()>
{
    let hall = Hall::open().await?;

    hall.opens(CARDS[0]).await?;
    let stranger = card(250);
    hall.present(stranger).await?;
    let to_strangers = hall.reason(stranger).await?;
    hall.present(BLOCKED).await?;
    let to_blocked = hall.reason(BLOCKED).await?;

    assert_eq!(hall.reason(CARDS[0]).await?, "granted");
    assert_eq!((to_strangers.as_str(), to_blocked.as_str()), ("unknown_card", "blocked"));
    hall.opens(CARDS[1]).await?;
    assert_eq!(hall.openings(), 2);
    hall.close().await
}

#[tokio::test]
async fn a_tap_that_the_line_held_back_opens_nothing() -> Result<()> {
    for weather in [Weather::Cut, Weather::Stall] {
        let hall = Hall::open().await?;
        hall.line.set(weather);

        let tap = hall.present(CARDS[0]).await?;
        is_too_old(tap).await?;
        hall.line.heal();

        opens_only_for(hall, CARDS[1]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_tap_whose_answers_were_lost_opens_nothing_when_they_pass_again() -> Result<()> {
    let hall = Hall::open().await?;
    hall.line.set(Weather::LoseAnswers);

    let tap = hall.present(CARDS[0]).await?;
    is_too_old(tap).await?;
    hall.line.heal();

    opens_only_for(hall, CARDS[1]).await
}

#[tokio::test]
async fn a_tap_that_met_a_dead_agent_opens_nothing_when_it_is_back() -> Result<()> {
    let mut hall = Hall::open().await?;
    hall.scene.edge.kill().await?;

    let tap = hall.present(CARDS[0]).await?;
    is_too_old(tap).await?;
    hall.scene.edge.start().await?;

    assert_eq!(hall.reason(CARDS[0]).await?, "stale");
    opens_only_for(hall, CARDS[1]).await
}

#[tokio::test]
async fn a_tap_of_a_bridge_that_was_killed_opens_nothing_even_if_it_is_fresh() -> Result<()> {
    let mut hall = Hall::open().await?;
    hall.line.cut();

    hall.present(CARDS[0]).await?;
    hall.reader.clear().await?;
    hall.bridge.kill().await?;
    hall.line.heal();
    hall.bridge.start().await?;

    hall.reason(CARDS[0]).await?;
    opens_only_for(hall, CARDS[1]).await
}

#[tokio::test]
async fn a_tap_that_an_agent_which_hung_decides_late_opens_nothing() -> Result<()> {
    let mut hall = Hall::open().await?;
    hall.scene.edge.process()?.pause()?;

    let tap = hall.present(CARDS[0]).await?;
    is_too_old(tap).await?;
    hall.scene.edge.process()?.resume()?;

    opens_only_for(hall, CARDS[1]).await
}

#[tokio::test]
async fn a_decision_that_meets_a_bridge_which_hung_past_its_time_opens_nothing() -> Result<()> {
    let mut hall = Hall::open().await?;
    let stranger = card(250);
    // With that the reader has nothing more to tell of itself.
    hall.present(stranger).await?;
    hall.reason(stranger).await?;
    hall.scene.edge.process()?.pause()?;
    let told = hall.line.bytes_up() + TAP_BYTES;
    hall.present(CARDS[0]).await?;
    let is_told = async || Ok(hall.line.bytes_up() > told);
    wait::until_true("the tap is on its way", LIMIT, is_told).await?;

    hall.bridge.process()?.pause()?;
    hall.scene.edge.process()?.resume()?;
    assert_eq!(hall.reason(CARDS[0]).await?, "granted");
    is_past("the decision is void", Instant::now(), DECISION_COUNTS).await?;
    hall.bridge.process()?.resume()?;

    opens_only_for(hall, CARDS[1]).await
}
