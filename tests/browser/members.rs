//! Members: found, checked in and out, given cards, locked out.

use anyhow::Result;
use serde_json::json;
use tests::browser::{ADAS_CARD, Gym, card_of, member_id};

#[tokio::test]
async fn a_member_is_found_while_typing_and_checked_in_and_out_by_hand() -> Result<()> {
    let gym = Gym::open().await?;
    let browser = gym.signed_in().await?;

    browser.press("Members").await?;
    browser.sees("15 members are known here").await?;
    browser.fill("Name or number", "lovelace").await?;
    browser.sees_in("#found", "may come in").await?;
    assert_eq!(browser.path().await?, "/members", "found without a reload");
    browser.press("Ada Lovelace").await?;
    browser.sees("not inside").await?;
    browser.press("Check in").await?;
    browser.sees_in("[role=status].good", "Checked in.").await?;
    browser.sees("inside since").await?;
    browser.press("Check out").await?;
    browser.sees("Checked out.").await?;
    browser.sees("not inside").await?;
    browser.go("/members?q=nobody+of+that+name").await?;
    browser.sees("Nobody is called so.").await?;

    browser.is_content().await
}

#[tokio::test]
async fn the_next_card_at_the_reader_becomes_the_members_and_opens_the_door() -> Result<()> {
    let gym = Gym::open().await?;
    let browser = gym.signed_in().await?;

    browser.go(&format!("/members/{}", member_id(0))).await?;
    browser.choose("At which reader", "Front desk").await?;
    browser.press("Wait for the card").await?;
    browser.sees("Present the card at Front desk now.").await?;
    browser.until("it goes on", "document.querySelector('progress')").await?;
    gym.tap("desk", ADAS_CARD).await?;
    browser.sees("The card is theirs.").await?;
    browser.press("Go on").await?;
    browser.sees("Ada Lovelace").await?;
    gym.tap("entrance", ADAS_CARD).await?;

    browser.go("/taps").await?;
    browser.sees_in("#taps", "Ada Lovelace").await?;
    browser.sees_in("#taps", "Checked in").await?;
    browser.is_content().await
}

#[tokio::test]
async fn a_card_that_is_anothers_is_refused_in_words() -> Result<()> {
    let gym = Gym::open().await?;
    let browser = gym.signed_in().await?;

    browser.go(&format!("/members/{}", member_id(0))).await?;
    browser.press("Wait for the card").await?;
    browser.sees("Present the card").await?;
    gym.tap("desk", card_of(1)).await?;

    browser.sees_in("#work [role=alert]", "belongs to another member").await
}

#[tokio::test]
async fn locking_out_asks_first_and_counts_at_the_door_at_once() -> Result<()> {
    let gym = Gym::open().await?;
    let browser = gym.signed_in().await?;

    browser.go(&format!("/members/{}", member_id(1))).await?;
    browser.press("Lock this member out").await?;
    // Words that look like a reason and are none: the browser lets them through, the branch does not.
    browser.fill("Reason", "   ").await?;
    browser.press_in("section[aria-labelledby=block]", "Lock out").await?;
    browser.sees_in("section[aria-labelledby=block] .problem", "1 to 500 characters").await?;
    browser.sees_in("[role=alert]", "Not done.").await?;
    browser.fill("Reason", "hit a machine").await?;
    browser.press_in("section[aria-labelledby=block]", "Lock out").await?;
    browser.sees("Locked out.").await?;
    browser.sees("hit a machine").await?;
    gym.tap("entrance", card_of(1)).await?;
    browser.go("/taps").await?;
    browser.sees_in("#taps tr", "Locked out").await?;
    browser.go(&format!("/members/{}", member_id(1))).await?;
    browser.press("Let in again").await?;
    browser.sees("They may come in again.").await?;

    browser.sees("may come in").await
}

#[tokio::test]
async fn a_search_says_that_it_goes_on_and_that_the_gateway_is_away() -> Result<()> {
    let mut gym = Gym::open().await?;
    let browser = gym.signed_in().await?;
    browser.go("/members").await?;
    let slow = |latency: u32| json!({"offline": false, "latency": latency, "downloadThroughput": -1, "uploadThroughput": -1});
    let searching = "getComputedStyle(document.querySelector('#searching')).visibility";

    browser.driver.cdp("Network.enable", json!({})).await?;
    browser.driver.cdp("Network.emulateNetworkConditions", slow(3_000)).await?;
    browser.fill("Name or number", "ada").await?;
    browser.until("it is said that it goes on", &format!("{searching} === 'visible'")).await?;
    browser.sees_in("#found", "Ada Lovelace").await?;
    assert_eq!(browser.value(searching).await?, "hidden");
    browser.driver.cdp("Network.emulateNetworkConditions", slow(0)).await?;
    gym.edge.stop().await?;
    browser.fill("Name or number", "ben").await?;
    browser.sees_in("#offline", "The connection to the gateway is lost.").await?;
    gym.start().await?;
    browser.fill("Name or number", "chiara").await?;
    browser.sees_in("#found", "Chiara Russo").await?;

    browser.until("the words are gone", "document.querySelector('#offline').hidden").await
}
