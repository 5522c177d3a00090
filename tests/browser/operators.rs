//! The operators' page of the cloud in a real browser.

use anyhow::{Context as _, Result};
use serde_json::json;
use tests::browser::{Chain, NASTY_NAME, PHONE, Scheme, TABLET};

const TAB: &str = "\u{E004}";
const ENTER: &str = "\u{E007}";

#[tokio::test]
async fn branches_change_on_one_screen_without_a_reload() -> Result<()> {
    let chain = Chain::open("Ada Lovelace").await?;
    let browser = chain.signed_in().await?;
    let card = format!("#b-{}", chain.scene.site.branch);
    browser.sees_in(&card, "connected").await?;
    browser.sees_in(&format!("#b-{}", chain.other.branch), "No gateway is enrolled yet.").await?;
    browser.value("window.stays = true").await?;

    let bike = chain.machine("bike-1", &json!({"state": "in_use"})).await?;
    browser.sees_in(&card, "1 in use").await?;
    bike.close().await?;
    let bike = chain.machine("bike-1", &json!({"state": "out_of_order", "error": "chain"})).await?;
    browser.sees_in(&card, "0 in use").await?;
    chain.check_in().await?;
    browser.sees_in(&card, "1 inside").await?;
    browser.sees_in("#sums li:nth-child(3)", "1").await?;
    bike.close().await?;

    assert_eq!(browser.value("window.stays").await?, true, "the page was never loaded again");
    assert_eq!(browser.value(&format!("document.querySelectorAll('{card}').length")).await?, 1);
    browser.is_content().await
}

#[tokio::test]
async fn a_branch_is_found_while_typing_and_goes_on_being_told() -> Result<()> {
    let chain = Chain::open("Ada Lovelace").await?;
    let browser = chain.signed_in().await?;
    let cards = "document.querySelectorAll('.glance').length";
    assert_eq!(browser.value(cards).await?, 2);

    browser.fill("Name", &chain.scene.site.name).await?;
    browser.until("one is left", &format!("{cards} === 1")).await?;
    let _bike = chain.machine("bike-1", &json!({"state": "in_use"})).await?;
    browser.sees_in(".glance", "1 in use").await?;
    browser.fill("Name", "nowhere").await?;

    browser.sees("No branch is called so.").await?;
    browser.is_content().await
}

#[tokio::test]
async fn the_floor_of_a_branch_is_seen_as_it_happens_and_a_stay_is_ended() -> Result<()> {
    let chain = Chain::open("Ada Lovelace").await?;
    let browser = chain.signed_in().await?;
    browser.press(&chain.scene.site.name).await?;
    browser.sees_in("#inside", "Nobody is inside.").await?;
    browser.sees_in("#edge", "synchronised").await?;

    let broken = json!({"state": "out_of_order", "error": "belt"});
    let _machine = chain.machine("treadmill-1", &broken).await?;
    browser.sees_in("#m-treadmill-1", "Not usable").await?;
    browser.sees_in("#m-treadmill-1", "belt").await?;
    chain.check_in().await?;
    browser.sees_in("#inside", "Ada Lovelace").await?;
    browser.press("Ada Lovelace").await?;
    browser.press("End the stay").await?;

    browser.sees("The stay is ended.").await?;
    browser.sees_in("#inside", "Nobody is inside.").await?;
    browser.sees_in("#day-title", "Inside through the day").await?;
    browser.is_content().await
}

#[tokio::test]
async fn a_machine_is_taken_out_of_use_and_the_gateway_restarts_only_if_somebody_means_it()
-> Result<()> {
    let chain = Chain::open("Ada Lovelace").await?;
    let browser = chain.signed_in().await?;

    browser.go(&format!("{}/machines/bike-1", chain.branch())).await?;
    browser.press("Take it out of use").await?;
    browser.press("Out of use").await?;
    browser.sees("The machine is told to take nobody.").await?;
    browser.press("Back to the branch").await?;
    browser.press("A code to enrol another gateway in its place").await?;
    browser.press("Make a code").await?;
    browser.sees("It is shown only now.").await?;
    browser.press("Back to the branch").await?;
    browser.press("Restart it").await?;
    browser.press("Restart the gateway").await?;

    browser.sees("The gateway is told to restart.").await?;
    browser.is_content().await
}

#[tokio::test]
async fn a_cloud_that_is_away_is_said_and_when_it_is_back_the_page_goes_on() -> Result<()> {
    let mut chain = Chain::open("Ada Lovelace").await?;
    let browser = chain.signed_in().await?;
    let card = format!("#b-{}", chain.scene.site.branch);
    browser.sees_in(&card, "connected").await?;

    chain.scene.cloud.kill().await?;
    browser.sees_in("#offline", "The connection to the cloud is lost.").await?;
    chain.scene.cloud.start().await?;
    browser.until("the words are gone", "document.querySelector('#offline').hidden").await?;
    let _bike = chain.machine("bike-1", &json!({"state": "in_use"})).await?;

    browser.sees_in(&card, "1 in use").await
}

#[tokio::test]
async fn a_page_that_is_open_goes_to_the_sign_in_when_its_login_was_revoked() -> Result<()> {
    let chain = Chain::open("Ada Lovelace").await?;
    let browser = chain.signed_in().await?;

    let revoke = "UPDATE logins SET ended_at = now(), end_reason = 'revoked'";
    sqlx::query(revoke).execute(&chain.scene.pool).await?;

    browser.until("the sign-in is shown", "location.pathname === '/console/sign-in'").await?;
    assert_eq!(browser.path().await?, "/console/sign-in?next=%2Fconsole");
    Ok(())
}

#[tokio::test]
async fn a_name_of_a_member_that_wants_to_be_a_script_runs_nowhere() -> Result<()> {
    let chain = Chain::open(NASTY_NAME).await?;
    let browser = chain.signed_in().await?;
    browser.go(&chain.branch()).await?;

    // By the stream, into a page that is open.
    chain.check_in().await?;
    browser.sees_in("#inside", NASTY_NAME).await?;
    browser.press(NASTY_NAME).await?;
    browser.sees_in("h1", NASTY_NAME).await?;

    assert_eq!(browser.value("window.ran === undefined").await?, true);
    browser.is_content().await
}

/// Opens all that can be opened, so that what is in there is looked at, too.
const OPEN_ALL: &str = "document.querySelectorAll('details').forEach(one => { one.open = true; })";

fn pages(chain: &Chain) -> [String; 4] {
    let branch = chain.branch();
    let (machine, labels) = (format!("{branch}/machines/bike-1"), format!("{branch}/labels"));
    ["/console".to_owned(), branch, machine, labels]
}

#[tokio::test]
async fn operators_pages_fit_their_screens_and_axe_finds_nothing_serious() -> Result<()> {
    let chain = Chain::open("Ada Lovelace").await?;
    chain.check_in().await?;
    let browser = chain.signed_in().await?;
    browser.go(&chain.branch()).await?;
    browser.sees_in("#inside", "Ada Lovelace").await?;

    for width in [PHONE, TABLET] {
        browser.on(width).await?;
        for path in pages(&chain) {
            browser.go(&path).await?;
            browser.value(OPEN_ALL).await?;
            assert_eq!(browser.overhang().await?, 0, "{path} on a {}", width.name);
        }
    }
    for scheme in Scheme::ALL {
        browser.prefer(scheme).await?;
        for path in pages(&chain) {
            browser.go(&path).await?;
            browser.value(OPEN_ALL).await?;
            let checked = browser.is_accessible().await;
            checked.with_context(|| format!("{path}, {}", scheme.as_str()))?;
        }
    }
    browser.press("Sign out").await?;
    browser.sees("Sign in").await?;
    browser.is_accessible().await.context("the sign-in")?;
    browser.is_content().await
}

#[tokio::test]
async fn operators_need_no_mouse() -> Result<()> {
    let chain = Chain::open("Ada Lovelace").await?;
    let browser = chain.browser().await?;
    browser.go("/console/sign-in").await?;
    let (email, password) = &chain.admin;

    // The address has the focus already.
    browser.keys(&format!("{email}{TAB}{password}{ENTER}")).await?;
    browser.sees("inside now").await?;
    browser.keys(TAB).await?;
    let focused = "document.activeElement.innerText";
    assert_eq!(browser.value(focused).await?, "Skip to the content");
    browser.keys(ENTER).await?;
    browser.until("the content has the focus", "document.activeElement.id === 'main'").await?;
    // Name, order, the button, and then the first branch.
    browser.keys(&TAB.repeat(4)).await?;
    let ring = browser.value("getComputedStyle(document.activeElement).outlineWidth").await?;
    assert_eq!(ring, "3px");
    browser.keys(ENTER).await?;

    browser.sees_in("main", "All branches").await
}
