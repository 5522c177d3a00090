//! The door, opened by hand, and codes presented at the desk.

use anyhow::Result;
use tests::browser::{Gym, obey};

#[tokio::test]
async fn a_door_opens_for_a_reason_that_is_written_down() -> Result<()> {
    let gym = Gym::open().await?;
    let browser = gym.signed_in().await?;

    browser.press("Taps").await?;
    browser.sees("Nobody has presented anything yet.").await?;
    browser.choose("Which", "Entrance").await?;
    browser.fill("Reason", "a delivery").await?;
    browser.press("Open").await?;
    browser.sees_in("section[aria-labelledby=open] .problem", "not connected").await?;
    let kept = "document.querySelector('[name=reason]').value";
    assert_eq!(browser.value(kept).await?, "a delivery", "nobody types it twice");
    let mut door = gym.device("entrance").await?;
    door.subscribe("gymwire/v1/readers/entrance/commands").await?;
    let (pressed, order) =
        tokio::join!(browser.press("Open"), obey(&mut door, "readers", "entrance"));
    pressed?;
    assert_eq!(order?, "open");
    browser.sees("Entrance is open.").await?;

    browser.is_content().await
}

#[tokio::test]
async fn a_code_is_presented_at_the_desk() -> Result<()> {
    let gym = Gym::open().await?;
    let browser = gym.signed_in().await?;

    browser.go("/taps").await?;
    browser.choose("At which reader", "Front desk").await?;
    browser.fill("Code", "G1 no such code").await?;
    browser.press("Present").await?;

    browser.sees_in("[role=status].good", "Front desk").await?;
    browser.sees_in("#taps", "Code").await
}
