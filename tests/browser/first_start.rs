//! The first start, from the code to the first account.

use anyhow::Result;
use tests::browser::Gym;

/// The code that the gateway shows on its own screen.
fn code_of(gym: &Gym) -> String {
    let log = gym.edge.log_text();
    let code = log.split("code=\"").nth(1).and_then(|rest| rest.split('"').next());
    code.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn who_has_the_code_makes_the_first_account_and_mistakes_are_said_at_their_field()
-> Result<()> {
    let gym = Gym::empty().await?;
    let browser = gym.browser().await?;
    let code = code_of(&gym);

    browser.go("/").await?;
    browser.sees("First start").await?;
    browser.fill("Code of the gateway", "wrong").await?;
    browser.fill("Your name", "Eva").await?;
    browser.fill("Password at least", "a gym by the river").await?;
    browser.fill("Password again", "a gym by the rive").await?;
    browser.press("Make the first account").await?;
    browser.sees_in("label:has([name=again])", "not the same").await?;
    for (again, at) in [("a gym by the river", "code"), ("password12", "password")] {
        browser.fill("Code of the gateway", if at == "code" { "wrong" } else { &code }).await?;
        browser.fill("Password at least", again).await?;
        browser.fill("Password again", again).await?;
        browser.press("Make the first account").await?;
        browser
            .until(
                "the mistake is at its field",
                &format!(
                    "document.querySelector('[aria-invalid=true]')?.name === '{at}'
             && document.querySelector('[aria-invalid=true]') === document.activeElement"
                ),
            )
            .await?;
    }
    browser.fill("Code of the gateway", &code).await?;
    browser.fill("Password at least", "a gym by the river").await?;
    browser.fill("Password again", "a gym by the river").await?;
    browser.press("Make the first account").await?;
    browser.sees("The cloud does not know this gateway yet").await?;

    assert_eq!(browser.path().await?, "/enrolment");
    browser.go("/floor").await?;
    browser.sees("There are no machines yet.").await?;
    browser.is_content().await
}

#[tokio::test]
async fn a_code_in_the_fragment_is_filled_in_and_an_enrolment_tells_how_it_goes() -> Result<()> {
    let gym = Gym::empty().await?;
    let browser = gym.browser().await?;

    browser.go(&format!("/first-start#{}", code_of(&gym))).await?;
    browser.fill("Your name", "Eva").await?;
    browser.fill("Password at least", "a gym by the river").await?;
    browser.fill("Password again", "a gym by the river").await?;
    browser.press("Make the first account").await?;
    browser.fill("Address of the cloud", "http://127.0.0.1:9").await?;
    browser.fill("One-time code", "AAAA-BBBB").await?;
    browser.press("Make it known").await?;
    // The work ends without a reload of its page.
    browser.sees_in("#work [role=alert]", "127.0.0.1:9").await?;
    browser.press("Back").await?;
    browser.sees("not known to any cloud").await?;

    assert_eq!(browser.path().await?, "/sync");
    Ok(())
}
