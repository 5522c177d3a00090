//! The first account, and becoming known to a cloud.

use super::{Branch, PASSWORD, soon};
use crate::staff::accounts::Role;
use protocol::sync::staff::Act;

async fn begin(branch: &Branch, code: &str, again: &str) -> (u16, String, super::Browser) {
    let mut browser = branch.browser();
    let fields = [("code", code), ("name", "Ada"), ("password", PASSWORD), ("again", again)];
    let answer = browser.submit("/first-start", "/first-start", &fields).await;
    (answer.status.as_u16(), answer.location().to_owned() + &answer.text, browser)
}

#[tokio::test]
async fn without_an_account_everything_leads_to_the_first_start_which_tells_nothing() {
    let branch = Branch::open().await;
    let mut browser = branch.browser();

    let floor = browser.get("/floor").await;
    let sign_in = browser.get("/sign-in").await;
    let page = browser.get("/first-start").await;

    assert_eq!([floor.location(), sign_in.location()], ["/first-start"; 2]);
    assert_eq!(page.status, 200);
    assert!(!page.text.contains(branch.first_start.code()));
    branch.close().await;
}

#[tokio::test]
async fn who_has_the_code_makes_the_first_manager_and_goes_on_to_the_enrolment() {
    let branch = Branch::open().await;
    let code = branch.first_start.code().to_owned();

    let (status, place, mut browser) = begin(&branch, &code, PASSWORD).await;

    assert_eq!((status, place.as_str()), (303, "/enrolment"));
    assert_eq!(browser.get("/enrolment").await.status, 200);
    assert_eq!(branch.accounts.list()[0].role, Role::Manager);
    let acts = super::acting::acts(&branch).await;
    let first = acts
        .iter()
        .find(|act| matches!(&act.act, Act::Other { what, .. } if what == "account_first"));
    assert!(first.is_some_and(|act| act.name == "Ada"), "{acts:?}");
    branch.close().await;
}

#[tokio::test]
async fn being_on_the_network_is_not_enough() {
    let branch = Branch::open().await;

    let (status, words, _) = begin(&branch, "aaaa-bbbb-cccc", PASSWORD).await;

    assert_eq!(status, 422);
    assert!(words.contains("not the code of this gateway"));
    assert!(branch.accounts.is_empty());
    branch.close().await;
}

#[tokio::test]
async fn the_code_is_slow_to_guess() {
    let branch = Branch::open().await;
    let code = branch.first_start.code().to_owned();
    for _ in 0..10 {
        begin(&branch, "aaaa-bbbb-cccc", PASSWORD).await;
    }

    let (status, words, _) = begin(&branch, &code, PASSWORD).await;

    assert_eq!(status, 422);
    assert!(words.contains("wait"), "{words}");
    branch.close().await;
}

#[tokio::test]
async fn passwords_that_differ_or_are_weak_make_no_account() {
    let branch = Branch::open().await;
    let code = branch.first_start.code().to_owned();

    let (_, differ, _) = begin(&branch, &code, "another password").await;
    let mut browser = branch.browser();
    let fields =
        [("code", code.as_str()), ("name", "Ada"), ("password", "short"), ("again", "short")];
    let weak = browser.submit("/first-start", "/first-start", &fields).await;

    let fields = [
        ("code", code.as_str()),
        ("name", "Ada"),
        ("password", "password12"),
        ("again", "password12"),
    ];
    let common = browser.submit("/first-start", "/first-start", &fields).await;

    assert!(differ.contains("not the same"));
    assert!(common.text.contains("guessed too soon"), "{}", common.text);
    assert!(weak.text.contains("at least 10 characters"));
    assert!(branch.accounts.is_empty());
    branch.close().await;
}

#[tokio::test]
async fn the_first_start_is_closed_once_somebody_can_sign_in() {
    let branch = Branch::open().await;
    let code = branch.first_start.code().to_owned();
    let mut late = branch.browser();
    let token = late.get("/first-start").await.form_token();
    branch.add("Bob", Role::Manager).await;

    let fields = [
        ("form_token", &*token),
        ("code", &*code),
        ("name", "Eve"),
        ("password", PASSWORD),
        ("again", PASSWORD),
    ];
    let answer = late.post("/first-start", &fields).await;

    assert_eq!(answer.location(), "/sign-in");
    assert_eq!(late.get("/first-start").await.location(), "/sign-in");
    assert_eq!(branch.accounts.list().len(), 1);
    branch.close().await;
}

#[tokio::test]
async fn an_enrolment_that_fails_says_why_in_words() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Manager).await;
    let fields = [("cloud", "http://127.0.0.1:9"), ("code", "ABCD-EFGH")];

    let begun = browser.submit("/enrolment", "/enrolment", &fields).await;
    let said = soon(async {
        loop {
            let page = browser.get("/work").await.text;
            if !page.contains("<progress") {
                return page;
            }
        }
    })
    .await;

    assert_eq!(begun.location(), "/work");
    assert!(said.contains("cannot be reached"), "{said}");
    branch.close().await;
}
