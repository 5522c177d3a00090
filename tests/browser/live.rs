//! What happens is seen as it happens, and so is that nothing can be seen.

use anyhow::Result;
use serde_json::json;
use tests::browser::{ADAS_CARD, Gym, card_of, say};

#[tokio::test]
async fn the_floor_changes_without_a_reload() -> Result<()> {
    let gym = Gym::open().await?;
    let browser = gym.signed_in().await?;
    browser.sees_in("#inside", "Nobody is inside.").await?;
    browser.value("window.stays = true").await?;

    gym.tap("entrance", card_of(0)).await?;
    browser.sees_in("#inside", "Ada Lovelace").await?;
    browser.sees_in("#counts li", "1").await?;
    let mut bike = gym.machine("bike-1", &json!({"state": "in_use"})).await?;
    browser.sees_in("#m-bike-1", "In use").await?;
    let sample = json!({"boot": 1, "seq": 1, "power_w": 187}).to_string();
    say(&mut bike, "gymwire/v1/machines/bike-1/telemetry", sample.as_bytes()).await?;
    browser.sees_in("#m-bike-1", "187 W").await?;
    browser
        .until("it has the look of a machine in use", "document.querySelector('#m-bike-1.is-busy')")
        .await?;
    gym.tap("entrance", card_of(1)).await?;
    browser.sees_in("#inside", "Ben Okafor").await?;
    browser.sees_in("#counts li", "2").await?;

    assert_eq!(browser.value("window.stays").await?, true, "the page was never loaded again");
    // A name of a machine is one element: nothing was added beside it.
    assert_eq!(browser.value("document.querySelectorAll('#m-bike-1').length").await?, 1);
    browser.is_content().await
}

#[tokio::test]
async fn taps_appear_at_the_top_with_their_reason() -> Result<()> {
    let gym = Gym::open().await?;
    let browser = gym.signed_in().await?;
    browser.press("Taps").await?;
    browser.sees("Nobody has presented anything yet.").await?;

    gym.tap("entrance", ADAS_CARD).await?;
    browser.sees_in("#taps tr:first-child", "Nobody's card").await?;
    gym.tap("entrance", card_of(9)).await?;
    browser.sees_in("#taps tr:first-child", "Membership paused").await?;
    gym.tap("entrance", card_of(2)).await?;

    browser.sees_in("#taps tr:first-child", "Checked in").await?;
    assert_eq!(browser.value("document.querySelectorAll('#taps tr').length").await?, 3);
    browser.is_content().await
}

#[tokio::test]
async fn a_gateway_that_is_away_is_said_and_when_it_is_back_the_page_goes_on() -> Result<()> {
    let mut gym = Gym::open().await?;
    let browser = gym.signed_in().await?;
    browser.until("it listens", "document.querySelector('#offline').hidden").await?;
    browser.sees_in("#inside", "Nobody is inside.").await?;

    gym.edge.kill().await?;
    browser.sees_in("#offline", "The connection to the gateway is lost.").await?;
    gym.start().await?;
    browser.until("the words are gone", "document.querySelector('#offline').hidden").await?;
    gym.tap("entrance", card_of(0)).await?;

    browser.sees_in("#inside", "Ada Lovelace").await
}

#[tokio::test]
async fn what_happened_before_a_restart_is_still_read_after_it() -> Result<()> {
    let mut gym = Gym::open().await?;
    let browser = gym.signed_in().await?;
    gym.tap("entrance", card_of(0)).await?;
    browser.go("/taps").await?;
    browser.sees_in("#taps", "Ada Lovelace").await?;

    gym.edge.kill().await?;
    gym.start().await?;

    browser.go("/taps").await?;
    browser.sees_in("#taps", "Ada Lovelace").await?;
    browser.sees_in("#taps", "Card").await
}
