//! In and out.

use anyhow::Result;
use serde_json::Value;
use tests::browser::{Browser, Driver, Gym};

#[tokio::test]
async fn who_signs_in_is_led_on_and_who_signs_out_sees_nothing() -> Result<()> {
    let gym = Gym::open().await?;
    let browser = gym.browser().await?;

    browser.go("/taps").await?;
    browser.sees("Sign in").await?;
    browser.fill("Name", "Eva").await?;
    browser.fill("Password", "wrong password").await?;
    browser.press("Sign in").await?;
    browser.sees_in("[role=alert]", "Name or password is wrong.").await?;
    let described = "document.querySelector('[name=password]').getAttribute('aria-describedby')";
    assert_eq!(browser.value(described).await?, "problem");
    browser.fill("Password", &gym.password).await?;
    browser.press("Sign in").await?;
    browser.sees("As it happens").await?;
    assert_eq!(browser.path().await?, "/taps", "where they wanted to go");
    browser.press("Sign out").await?;
    browser.sees("Sign in").await?;
    browser.go("/floor").await?;

    assert_eq!(browser.path().await?, "/sign-in?next=%2Ffloor");
    Ok(())
}

#[tokio::test]
async fn a_browser_that_does_not_trust_the_branch_is_stopped() -> Result<()> {
    let gym = Gym::open().await?;
    let browser = Browser::over(Driver::start(None).await?, &gym.base());

    browser.go("/sign-in").await?;

    browser.sees("ERR_CERT_AUTHORITY_INVALID").await?;
    assert_eq!(browser.value("document.querySelector('[name=password]')").await?, Value::Null);
    Ok(())
}

#[tokio::test]
async fn a_page_that_is_open_goes_to_the_sign_in_when_its_session_has_ended() -> Result<()> {
    let gym = Gym::open().await?;
    let watching = gym.signed_in().await?;
    watching.sees("Through the day").await?;
    let other = gym.signed_in().await?;

    other.go("/settings").await?;
    other.press("One of them is lost, or not yours").await?;
    other.press("Sign out everywhere").await?;
    other.sees("Sign in").await?;

    watching.until("the sign-in is shown", "location.pathname === '/sign-in'").await?;
    assert_eq!(watching.path().await?, "/sign-in?next=%2Ffloor");
    Ok(())
}
