//! Every page on small screens, in both colours, by keyboard, and for who does not see it.

use anyhow::{Context as _, Result};
use serde_json::json;
use tests::browser::{Browser, Gym, PHONE, Scheme, TABLET, card_of, member_id};

const TAB: &str = "\u{E004}";
const ENTER: &str = "\u{E007}";

fn pages() -> Vec<String> {
    let fixed = [
        "/floor",
        "/members",
        "/members?q=a",
        "/machines",
        "/machines/bike-1",
        "/taps",
        "/devices",
        "/sync",
        "/settings",
        "/enrolment",
    ];
    let fixed = fixed.into_iter().map(str::to_owned);
    fixed.chain([format!("/members/{}", member_id(0))]).collect()
}

/// A gym in which something happens, and a browser in it.
async fn busy() -> Result<(Gym, Browser)> {
    let gym = Gym::open().await?;
    gym.tap("entrance", card_of(0)).await?;
    gym.tap("entrance", card_of(9)).await?;
    gym.edge.certify("door-box").await?;
    let broken = json!({"state": "out_of_order", "error": "belt"});
    gym.machine("bike-1", &broken).await?.close().await?;
    let browser = gym.signed_in().await?;
    Ok((gym, browser))
}

/// Opens all that can be opened, so that what is in there is looked at, too.
const OPEN_ALL: &str = "document.querySelectorAll('details').forEach(one => { one.open = true; })";

#[tokio::test]
async fn no_page_is_wider_than_its_screen() -> Result<()> {
    let (_gym, browser) = busy().await?;

    for width in [PHONE, TABLET] {
        browser.on(width).await?;
        for path in pages() {
            browser.go(&path).await?;
            browser.value(OPEN_ALL).await?;
            assert_eq!(browser.overhang().await?, 0, "{path} on a {}", width.name);
        }
    }
    browser.is_content().await
}

#[tokio::test]
async fn axe_finds_nothing_serious_on_any_page_in_either_colour() -> Result<()> {
    let (gym, browser) = busy().await?;

    for scheme in Scheme::ALL {
        browser.prefer(scheme).await?;
        for path in pages() {
            browser.go(&path).await?;
            browser.value(OPEN_ALL).await?;
            let checked = browser.is_accessible().await;
            checked.with_context(|| format!("{path}, {}", scheme.as_str()))?;
        }
        // A form that was refused, and work that goes on.
        browser.go("/taps").await?;
        browser.fill("Reason", "a delivery").await?;
        browser.press("Open").await?;
        browser.sees("Not done.").await?;
        browser.is_accessible().await.context("a refused form")?;
    }
    browser.press("Sign out").await?;
    for scheme in Scheme::ALL {
        browser.prefer(scheme).await?;
        browser.is_accessible().await.context("/sign-in")?;
    }
    drop(gym);
    let gym = Gym::empty().await?;
    let browser = gym.browser().await?;
    browser.go("/first-start").await?;
    browser.is_accessible().await.context("/first-start")
}

#[tokio::test]
async fn colours_follow_what_the_system_prefers() -> Result<()> {
    let gym = Gym::open().await?;
    let browser = gym.signed_in().await?;
    let shade = "getComputedStyle(document.body).backgroundColor";

    browser.prefer(Scheme::Light).await?;
    let light = browser.value(shade).await?;
    browser.prefer(Scheme::Dark).await?;
    let dark = browser.value(shade).await?;

    assert_eq!((light, dark), (json!("rgb(243, 245, 248)"), json!("rgb(15, 20, 26)")));
    Ok(())
}

#[tokio::test]
async fn the_keyboard_is_enough_and_shows_where_it_is() -> Result<()> {
    let gym = Gym::open().await?;
    let browser = gym.browser().await?;
    browser.go("/sign-in").await?;

    // The name has the focus already.
    browser.keys(&format!("Eva{TAB}{}{ENTER}", gym.password)).await?;
    browser.until("the floor is shown", "location.pathname === '/floor'").await?;
    browser.keys(TAB).await?;
    let focused = "document.activeElement.innerText";
    assert_eq!(browser.value(focused).await?, "Skip to the content");
    browser
        .until("the skip link is seen", "document.activeElement.getBoundingClientRect().left >= 0")
        .await?;
    browser.keys(ENTER).await?;
    browser.until("the content has the focus", "document.activeElement.id === 'main'").await?;
    browser.go("/floor").await?;
    let mut seen = Vec::new();
    for _ in 0..9 {
        browser.keys(TAB).await?;
        seen.push(browser.value(focused).await?.as_str().unwrap_or_default().to_owned());
        let ring = browser.value("getComputedStyle(document.activeElement).outlineWidth").await?;
        assert_eq!(ring, "3px", "{seen:?}");
    }

    let order = [
        "Skip to the content",
        "Floor",
        "Members",
        "Machines",
        "Taps",
        "Devices",
        "Sync",
        "Settings",
        "Sign out",
    ];
    assert_eq!(seen, order);
    Ok(())
}

#[tokio::test]
async fn a_page_of_two_hundred_machines_is_small_with_all_that_belongs_to_it() -> Result<()> {
    let mut gym = Gym::prepare(188).await?;
    gym.password = gym.edge.add_staff("Eva", "manager").await?;
    gym.start().await?;
    let browser = gym.signed_in().await?;
    browser.driver.cdp("Network.clearBrowserCache", json!({})).await?;

    browser.go("/floor").await?;
    browser
        .until("the page is there", "document.querySelectorAll('.machines > li').length === 200")
        .await?;
    let all = "performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))
        .filter(one => !one.name.endsWith('/live'))
        .reduce((sum, one) => [sum[0] + one.decodedBodySize, sum[1] + one.encodedBodySize], [0, 0])";
    let bytes = browser.value(all).await?;

    let (plain, packed) = (bytes[0].as_u64(), bytes[1].as_u64());
    assert!(plain.is_some_and(|plain| (50_000..150_000).contains(&plain)), "{bytes} bytes");
    assert!(packed.is_some_and(|packed| packed < 60_000), "{bytes} bytes packed");
    Ok(())
}
