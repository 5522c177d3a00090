//! Requests that change something come from our own pages, or are refused.

use super::{Branch, PASSWORD};
use crate::staff::accounts::Role;
use crate::staff::guard::VISITOR;

#[tokio::test]
async fn a_form_without_its_token_or_with_anothers_changes_nothing() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Manager).await;
    let mut other = branch.signed_in(Role::Manager).await;
    let foreign = other.get("/taps").await.form_token();

    let missing = browser.post("/sign-out", &[]).await;
    let wrong = browser.post("/sign-out", &[("form_token", "00")]).await;
    let anothers = browser.post("/sign-out", &[("form_token", &foreign)]).await;

    assert_eq!(
        [missing.status, wrong.status, anothers.status].map(|status| status.as_u16()),
        [403; 3]
    );
    assert_eq!(browser.get("/taps").await.status, 200, "still signed in");
    branch.close().await;
}

#[tokio::test]
async fn a_form_from_elsewhere_changes_nothing_even_with_the_right_token() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Manager).await;
    let token = browser.get("/taps").await.form_token();
    let http = browser.base.replace("https", "http");

    for origin in [Some("https://evil.example"), Some("null"), Some(http.as_str()), None] {
        let answer = browser.post_from("/sign-out", &[("form_token", &token)], origin).await;
        assert_eq!(answer.status, 403, "{origin:?}");
        assert!(answer.text.contains("did not come from this page"));
    }
    assert_eq!(browser.get("/taps").await.status, 200);
    branch.close().await;
}

#[tokio::test]
async fn the_sign_in_form_is_tied_to_its_browser_too() {
    let branch = Branch::open().await;
    branch.add("Ada", Role::Manager).await;
    let (mut attacker, mut victim) = (branch.browser(), branch.browser());
    let token = attacker.get("/sign-in").await.form_token();
    victim.get("/sign-in").await;
    let fields = [("form_token", &*token), ("name", "ada"), ("password", PASSWORD)];

    let planted = victim.post("/sign-in", &fields).await;
    victim.cookies.remove(VISITOR);
    let without = victim.post("/sign-in", &fields).await;

    assert_eq!((planted.status.as_u16(), without.status.as_u16()), (403, 403));
    branch.close().await;
}

#[tokio::test]
async fn too_large_a_form_is_refused() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Manager).await;

    let answer = browser.post("/sign-out", &[("form_token", &"x".repeat(70_000))]).await;

    assert_eq!(answer.status, 413);
    branch.close().await;
}
