//! Names that want to be more than names.

use anyhow::Result;
use tests::browser::{Gym, NASTY_NAME, PEOPLE, card_of, member_id};

#[tokio::test]
async fn a_name_that_wants_to_be_a_script_is_read_and_runs_nowhere() -> Result<()> {
    let gym = Gym::open().await?;
    let nasty = PEOPLE.len();
    let browser = gym.signed_in().await?;
    browser.sees_in("#inside", "Nobody").await?;

    // By the stream, into a page that is open.
    gym.tap("entrance", card_of(nasty)).await?;
    browser.sees_in("#inside", NASTY_NAME).await?;
    assert_eq!(browser.value("window.ran === undefined").await?, true);
    let member = format!("/members/{}", member_id(nasty));
    for path in ["/taps", "/members?q=script", &member] {
        browser.go(path).await?;
        browser.sees(NASTY_NAME).await?;
        assert_eq!(browser.value("window.ran === undefined").await?, true, "{path}");
    }
    browser.is_content().await
}

#[tokio::test]
async fn the_policy_stops_a_script_that_got_into_the_page() -> Result<()> {
    let gym = Gym::open().await?;
    let browser = gym.signed_in().await?;

    browser
        .value(
            "(() => { const one = document.createElement('script'); one.textContent = 'window.ran = 1';
              document.body.append(one); document.body.insertAdjacentHTML('beforeend',
              '<img src=\"data:,\" onerror=\"window.ran = 1\">'); })()",
        )
        .await?;

    let complaints = browser.complaints().await?;
    assert!(complaints.iter().any(|one| one.contains("Content Security Policy")), "{complaints:?}");
    assert_eq!(browser.value("window.ran === undefined").await?, true);
    Ok(())
}
