//! Machines: locked and unlocked by their console, out of service and back, lent, written about.

use anyhow::Result;
use serde_json::json;
use tests::browser::{Gym, member_id, obey, say};

#[tokio::test]
async fn a_console_is_locked_and_unlocked_when_it_has_done_so() -> Result<()> {
    let gym = Gym::open().await?;
    let mut console = gym.device("bike-1").await?;
    console.subscribe("gymwire/v1/machines/bike-1/commands").await?;
    say(&mut console, "gymwire/v1/machines/bike-1/status", br#"{"state":"idle"}"#).await?;
    let browser = gym.signed_in().await?;

    browser.go("/machines/bike-1").await?;
    browser.press("Lock its console").await?;
    let (pressed, order) =
        tokio::join!(browser.press("Lock it"), obey(&mut console, "machines", "bike-1"));
    pressed?;
    assert_eq!(order?, "lock");
    browser.sees("The machine is locked.").await?;
    browser.sees_in("dl", "locked by staff").await?;
    let (pressed, order) =
        tokio::join!(browser.press("Unlock"), obey(&mut console, "machines", "bike-1"));
    pressed?;
    assert_eq!(order?, "unlock");
    browser.sees("The machine is unlocked.").await?;

    browser.is_content().await
}

#[tokio::test]
async fn a_machine_goes_out_of_service_and_back_and_what_was_done_is_read_there() -> Result<()> {
    let gym = Gym::open().await?;
    let browser = gym.signed_in().await?;

    browser.press("Machines").await?;
    browser.press("Rower 1").await?;
    browser.press("Take it out of service").await?;
    browser.fill_in("section[aria-labelledby=service]", "Reason", "the chain").await?;
    browser.press("Out of service").await?;
    browser.sees("The machine is out of service.").await?;
    browser.fill("What was found or done", "  ").await?;
    browser.press("Save").await?;
    browser.sees_in("section[aria-labelledby=note] .problem", "1 to 500 characters").await?;
    browser.fill("What was found or done", "chain oiled").await?;
    browser.press("Save").await?;
    browser.sees("Written down.").await?;
    browser.go("/machines/rower-1").await?;
    browser.sees_in("section[aria-labelledby=reports]", "chain oiled").await?;
    browser.press("Back into service").await?;
    browser.sees("The machine is in service again.").await?;
    browser.press("Lock its console").await?;
    browser.press("Lock it").await?;
    browser.sees("not connected").await?;

    browser.is_content().await
}

#[tokio::test]
async fn a_machine_is_lent_and_taken_back() -> Result<()> {
    let gym = Gym::open().await?;
    let _rower = gym.machine("rower-2", &json!({"state": "idle"})).await?;
    let browser = gym.signed_in().await?;

    browser.go(&format!("/members/{}", member_id(0))).await?;
    browser.press("Check in").await?;
    browser.sees("Checked in.").await?;
    browser.choose("Which", "Rower 2").await?;
    browser.press("Lend").await?;
    browser.sees("The machine is theirs.").await?;
    browser.go("/machines/rower-2").await?;
    browser.sees_in("dl", "Ada Lovelace").await?;
    browser.press("The member has left without giving it back").await?;
    browser.press("End the link").await?;

    browser.sees("The machine is free.").await
}
