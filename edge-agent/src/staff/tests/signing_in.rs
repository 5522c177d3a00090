//! In and out, and what sessions are made of.

use super::{Branch, PASSWORD};
use crate::staff::accounts::Role;
use crate::staff::guard::SESSION;
use protocol::ids::{BranchId, UserId};
use protocol::sync::changes::Changes;
use protocol::sync::roster::{RosterItem, StaffRecord};
use std::time::Duration;
use uuid::Uuid;
use zeroize::Zeroizing;

#[tokio::test]
async fn a_session_is_a_cookie_that_only_our_pages_send() {
    let branch = Branch::open().await;
    branch.add("Ada", Role::Manager).await;
    let mut browser = branch.browser();

    let answer = browser.sign_in("ada", PASSWORD).await;

    let lines: Vec<_> =
        answer.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
    let session = lines.iter().find(|line| line.starts_with("__Host-gymwire=")).unwrap();
    for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
        assert!(session.contains(attribute), "{session}");
    }
    assert_eq!(browser.get("/taps").await.status, 200);
    branch.close().await;
}

#[tokio::test]
async fn a_cookie_that_was_there_before_the_sign_in_is_worth_nothing_after_it() {
    let branch = Branch::open().await;
    branch.add("Ada", Role::Manager).await;
    let (mut victim, mut attacker) = (branch.browser(), branch.browser());
    let planted = "ab".repeat(32);
    victim.cookies.insert(SESSION.to_owned(), planted.clone());
    attacker.cookies.insert(SESSION.to_owned(), planted.clone());

    victim.sign_in("ada", PASSWORD).await;

    assert_ne!(victim.cookies[SESSION], planted);
    assert_eq!(victim.get("/taps").await.status, 200);
    assert_eq!(attacker.get("/taps").await.status, 303);
    branch.close().await;
}

#[tokio::test]
async fn signing_in_again_ends_the_session_before() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Manager).await;
    let mut stolen = branch.browser();
    stolen.cookies = browser.cookies.clone();
    branch.add("Bob", Role::Trainer).await;

    browser.submit("/taps", "/sign-in", &[("name", "bob"), ("password", PASSWORD)]).await;

    assert_eq!(browser.get("/taps").await.status, 200);
    assert_eq!(stolen.get("/taps").await.status, 303);
    branch.close().await;
}

#[tokio::test]
async fn forged_and_ended_cookies_lead_to_the_sign_in() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Manager).await;
    let good = browser.cookies[SESSION].clone();
    let mut other = good.clone();
    other.replace_range(0..1, if good.starts_with('0') { "1" } else { "0" });

    for forged in [other.as_str(), "", "x", &"0".repeat(64), &"f".repeat(4_000)] {
        browser.cookies.insert(SESSION.to_owned(), forged.to_owned());
        let answer = browser.get("/taps").await;
        assert_eq!((answer.status.as_u16(), answer.location()), (303, "/sign-in?next=%2Ftaps"));
    }
    browser.cookies.insert(SESSION.to_owned(), good);
    assert_eq!(browser.submit("/taps", "/sign-out", &[]).await.status, 303);
    assert!(!browser.cookies.contains_key(SESSION));
    branch.close().await;
}

#[tokio::test]
async fn after_the_sign_out_the_cookie_is_void() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Manager).await;
    let kept = browser.cookies.clone();

    browser.submit("/taps", "/sign-out", &[]).await;
    browser.cookies = kept;

    assert_eq!(browser.get("/taps").await.status, 303);
    branch.close().await;
}

#[tokio::test]
async fn who_does_nothing_is_signed_out() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Manager).await;

    branch.step(Duration::from_mins(14));
    assert_eq!(browser.get("/taps").await.status, 200);
    branch.step(Duration::from_mins(14));
    assert_eq!(browser.get("/taps").await.status, 200);
    branch.step(Duration::from_mins(15));

    assert_eq!(browser.get("/taps").await.status, 303);
    branch.close().await;
}

#[tokio::test]
async fn guessing_is_slowed_down_and_says_for_how_long() {
    let branch = Branch::open().await;
    branch.add("Ada", Role::Manager).await;
    let mut browser = branch.browser();
    for _ in 0..5 {
        let wrong = browser.sign_in("ada", "guess").await;
        assert_eq!(wrong.status, 401);
        assert!(wrong.text.contains("Name or password is wrong."));
    }

    let slowed = browser.sign_in("ada", PASSWORD).await;
    branch.step(Duration::from_secs(6));
    let right = browser.sign_in("ada", PASSWORD).await;

    assert_eq!(slowed.status, 429);
    assert!(slowed.text.contains("wait 5 seconds"), "{}", slowed.text);
    assert_eq!(right.status, 303);
    branch.close().await;
}

#[tokio::test]
async fn a_hundred_guesses_at_the_same_moment_are_no_more_than_five() {
    let branch = Branch::open().await;
    branch.add("Ada", Role::Manager).await;
    let mut page = branch.browser();
    let token = page.get("/sign-in").await.form_token();

    let guess = async |n: usize| {
        let mut browser = branch.browser();
        browser.cookies = page.cookies.clone();
        let password = format!("guess number {n}");
        let fields = [("form_token", &*token), ("name", "ada"), ("password", &password)];
        browser.post("/sign-in", &fields).await.status.as_u16()
    };
    let answers = futures_util::future::join_all((0..20).map(guess)).await;

    assert!(answers.iter().filter(|status| **status == 401).count() <= 5, "{answers:?}");
    branch.close().await;
}

#[tokio::test]
async fn the_sign_in_leads_back_to_our_own_pages_only() {
    let branch = Branch::open().await;
    branch.add("Ada", Role::Manager).await;
    let mut browser = branch.browser();
    let mut to = async |next: &str| {
        let fields = [("name", "ada"), ("password", PASSWORD), ("next", next)];
        browser.cookies.clear();
        browser.submit("/sign-in", "/sign-in", &fields).await.location().to_owned()
    };

    assert_eq!(to("/taps?x=1").await, "/taps?x=1");
    assert_eq!(to("//evil.example").await, "/floor");
    assert_eq!(to("https://evil.example/").await, "/floor");
    branch.close().await;
}

#[tokio::test]
async fn who_is_switched_off_in_the_cloud_is_signed_out_at_once() {
    let branch = Branch::open().await;
    let id = UserId(Uuid::from_u128(9));
    branch.registry.apply(of_staff(1, id, true)).await.unwrap();
    let password = Some(Zeroizing::new(PASSWORD.to_owned()));
    branch.accounts.add("Ada", Role::Manager, password, Some(id)).await.unwrap();
    let mut browser = branch.browser();
    browser.sign_in("ada", PASSWORD).await;
    let mut stream = browser.open("/taps/live", "text/event-stream").await;
    assert_eq!(browser.get("/taps").await.status, 200);

    branch.registry.apply(of_staff(2, id, false)).await.unwrap();

    let mut told = String::new();
    super::soon(async {
        while let Some(chunk) = stream.chunk().await.unwrap() {
            told.push_str(&String::from_utf8_lossy(&chunk));
        }
    })
    .await;
    assert!(told.contains("event: signed-out"), "{told}");
    assert_eq!(browser.get("/taps").await.status, 303);
    branch.close().await;
}

fn of_staff(from: u64, id: UserId, enabled: bool) -> Changes {
    let record = StaffRecord { id, name: "Ada".to_owned(), role: "staff".to_owned(), enabled };
    let changes = vec![RosterItem::Staff(record).change()];
    let branch = BranchId(Uuid::nil());
    Changes { branch, from, to: from + 1, reset: false, more: false, changes }
}
