//! What staff do: it happens, it is written down with their name, and it asks first where it should.

use super::{Branch, PASSWORD, member_id, soon};
use crate::journal::BatchLimits;
use crate::staff::accounts::Role;
use protocol::sync::entry::{Body, Event};
use protocol::sync::staff::{Act, StaffAct};

pub async fn acts(branch: &Branch) -> Vec<StaffAct> {
    let batch = branch.journal.read_batch(BatchLimits::default()).await.unwrap();
    let events = batch.map_or_else(Vec::new, |batch| batch.events);
    let bodies = events.iter().map(|event| Event::decode(&event.event).unwrap().body);
    bodies
        .filter_map(|body| match body {
            Body::StaffAct(act) => Some(act),
            _ => None,
        })
        .collect()
}

fn ada() -> String {
    format!("/members/{}", member_id(101))
}

#[tokio::test]
async fn a_member_is_found_checked_in_and_out_by_hand() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Reception).await;

    let found = browser.get("/members?q=love").await.text;
    let checked_in = browser.submit(&ada(), &format!("{}/check-in", ada()), &[]).await;
    let page = soon(async {
        loop {
            let page = browser.get(&ada()).await.text;
            if page.contains("inside since") {
                return page;
            }
        }
    })
    .await;
    let again = browser.submit(&ada(), &format!("{}/check-in", ada()), &[]).await;
    let checked_out = browser.submit(&ada(), &format!("{}/check-out", ada()), &[]).await;

    assert!(found.contains(&ada()) && found.contains("Ada Lovelace"), "{found}");
    assert_eq!((checked_in.status.as_u16(), checked_in.location()), (303, &*ada()));
    assert!(page.contains("Check out"));
    assert_eq!(again.status, 422);
    assert_eq!(checked_out.status, 303);
    let done = acts(&branch).await;
    let member = member_id(101);
    let expected = [Act::CheckIn { member }, Act::CheckOut { member }];
    assert_eq!(done.iter().map(|act| act.act.clone()).collect::<Vec<_>>(), expected);
    assert!(done.iter().all(|act| act.name.starts_with("reception")));
    branch.close().await;
}

#[tokio::test]
async fn who_is_locked_out_is_said_so_and_may_be_let_in_again() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Manager).await;

    let without = browser.submit(&ada(), &format!("{}/block", ada()), &[("reason", " ")]).await;
    let fields = [("reason", "hit somebody")];
    let blocked = browser.submit(&ada(), &format!("{}/block", ada()), &fields).await;
    let page = browser.get(&ada()).await.text;
    let unblocked = browser.submit(&ada(), &format!("{}/unblock", ada()), &[]).await;

    assert_eq!((without.status.as_u16(), blocked.status.as_u16()), (422, 303));
    assert!(page.contains("Let in again"), "{page}");
    assert_eq!(unblocked.status, 303);
    branch.close().await;
}

#[tokio::test]
async fn a_secret_is_shown_once_and_the_cloud_learns_who_asked_for_it() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Technician).await;

    let shown = browser.submit("/devices", "/devices/bike/rotate", &[("sure", "yes")]).await;
    let later = browser.get("/devices").await;

    let secret = shown.text.split("password   ").nth(1).unwrap().split('<').next().unwrap();
    assert_eq!(shown.headers["cache-control"], "no-store");
    assert_eq!(secret.len(), 40);
    assert!(!later.text.contains(secret));
    let done = acts(&branch).await;
    let other = Act::Other { what: "device_rotate".to_owned(), subject: "bike".to_owned() };
    assert_eq!(done.last().map(|act| &act.act), Some(&other));
    branch.close().await;
}

#[tokio::test]
async fn a_new_device_can_log_in_and_a_locked_out_one_cannot() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Technician).await;

    let fields = [("kind", "reader"), ("code", "gate-2")];
    let added = browser.submit("/devices", "/devices", &fields).await;
    let twice = browser.submit("/devices", "/devices", &fields).await;
    let wrong =
        browser.submit("/devices", "/devices", &[("kind", "reader"), ("code", "Gate 2")]).await;
    let unsure = browser.submit("/devices", "/devices/gate-2/revoke", &[]).await;
    let is_enabled = || branch.registry.by_code("gate-2").unwrap().enabled;
    let before = is_enabled();
    let revoked = browser.submit("/devices", "/devices/gate-2/revoke", &[("sure", "yes")]).await;

    assert_eq!(added.status, 200);
    assert_eq!([twice.status, wrong.status, unsure.status].map(|status| status.as_u16()), [422; 3]);
    assert!(before && !is_enabled());
    assert_eq!(revoked.status, 303);
    branch.close().await;
}

#[tokio::test]
async fn a_certificate_is_revoked_on_the_page_by_who_means_it_and_the_cloud_learns_of_it() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Technician).await;
    let mut trainer = branch.signed_in(Role::Trainer).await;
    browser.submit("/devices", "/devices/box/certificate", &[]).await;
    let [given] = branch.tls.certificates().try_into().unwrap();
    let serial = given.serial.as_str();
    let revoke = "/devices/certificate-revoke";
    let (chosen, sure) = (("serial", serial), ("sure", "yes"));

    let shown = browser.get("/devices").await.text;
    let seen = trainer.get("/devices").await.text;
    let forbidden = trainer.submit("/devices", revoke, &[chosen, sure]).await;
    let unsure = browser.submit("/devices", revoke, &[chosen]).await;
    let unknown = browser.submit("/devices", revoke, &[("serial", "00"), sure]).await;
    let before = branch.tls.certificates()[0].revoked_ms;
    let revoked = browser.submit("/devices", revoke, &[chosen, sure]).await;
    let told = browser.get("/devices").await.text;
    let twice = browser.submit("/devices", revoke, &[chosen, sure]).await;

    assert!(
        shown.contains(&format!("value=\"{serial}\"")) && shown.contains(">counts<"),
        "{shown}"
    );
    assert!(
        seen.contains(serial) && !seen.contains("type=\"radio\""),
        "who may not act only sees it"
    );
    assert_eq!(forbidden.status, 403);
    assert_eq!([&unsure, &unknown, &twice].map(|answer| answer.status.as_u16()), [422; 3]);
    assert_eq!((before, revoked.status.as_u16()), (None, 303));
    assert!(branch.tls.certificates()[0].revoked_ms.is_some());
    assert!(told.contains("of box is void") && told.contains(">revoked 2"), "{told}");
    let done: Vec<_> = acts(&branch).await.into_iter().map(|act| act.act).collect();
    let what = Act::Other { what: "certificate_revoke".to_owned(), subject: serial.to_owned() };
    assert_eq!(done.iter().filter(|act| **act == what).count(), 1, "{done:?}");
    branch.close().await;
}

#[tokio::test]
async fn certificates_of_an_authority_that_was_dropped_are_shown_as_void() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Manager).await;
    let sure = [("sure", "yes")];
    browser.submit("/devices", "/devices/box/certificate", &[]).await;

    browser.submit("/devices", "/devices/authority-rotate", &sure).await;
    let between = browser.get("/devices").await.text;
    browser.submit("/devices", "/devices/authority-drop-former", &sure).await;
    let after = browser.get("/devices").await.text;

    assert!(between.contains(">counts<"), "{between}");
    assert!(after.contains("its authority was dropped") && !after.contains("type=\"radio\""));
    branch.close().await;
}

#[tokio::test]
async fn the_authority_is_replaced_while_the_page_goes_on() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Manager).await;
    let sure = [("sure", "yes")];

    let rotated = browser.submit("/devices", "/devices/authority-rotate", &sure).await;
    let page = browser.get("/devices").await.text;
    let certificate = browser.submit("/devices", "/devices/box/certificate", &[]).await.text;
    let dropped = browser.submit("/devices", "/devices/authority-drop-former", &sure).await;

    assert_eq!((rotated.status.as_u16(), dropped.status.as_u16()), (303, 303));
    assert!(page.contains("The former authority") && page.contains("This gateway"));
    assert!(certificate.contains("BEGIN PRIVATE KEY"));
    assert_eq!(browser.get("/devices").await.status, 200, "over the connection that was there");
    let mut renewed = super::browser::Browser::new(branch.address, &branch.tls.export());
    assert_eq!(renewed.get("/sign-in").await.status, 200, "the new certificate is shown at once");
    let late = branch.browser().try_get("/sign-in").await;
    assert!(late.is_err(), "nobody is shown the former one any more");
    branch.close().await;
}

#[tokio::test]
async fn a_code_goes_the_way_of_a_tap() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Reception).await;

    let fields = [("reader", "door"), ("code", "G1 no such code")];
    let presented = browser.submit("/taps", "/taps/code", &fields).await;
    let told = browser.get("/taps").await.text;
    // The log hears of it a moment later.
    soon(async { while !browser.get("/taps").await.text.contains(">Code</td>") {} }).await;
    let nowhere =
        browser.submit("/taps", "/taps/code", &[("reader", "bike"), ("code", "G1")]).await;

    assert_eq!(presented.status, 303);
    assert!(told.contains("Nobody&#39;s card"), "{told}");
    assert_eq!(nowhere.status, 404);
    branch.close().await;
}

#[tokio::test]
async fn a_door_that_is_not_connected_says_so_and_a_reason_is_needed() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Reception).await;

    let fields = [("reader", "door"), ("reason", "delivery")];
    let refused = browser.submit("/taps", "/taps/open-door", &fields).await;

    assert_eq!(refused.status, 422);
    assert!(refused.text.contains("not connected"), "{}", refused.text);
    branch.close().await;
}

#[tokio::test]
async fn a_machine_is_taken_out_of_service_and_back() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Technician).await;
    let mut go = async |path: &str, fields: &[(&str, &str)]| {
        let path = format!("/machines/bike/{path}");
        browser.submit("/machines/bike", &path, fields).await.status.as_u16()
    };

    assert_eq!(go("out-of-order", &[("reason", "belt")]).await, 303);
    assert_eq!(go("maintenance", &[("note", "new belt")]).await, 303);
    assert_eq!(go("maintenance", &[("note", "")]).await, 422);
    assert_eq!(go("in-order", &[]).await, 303);
    assert_eq!(go("lock", &[]).await, 422, "not connected");
    branch.close().await;
}

#[tokio::test]
async fn a_card_that_nobody_presents_is_said_so_on_its_own_page() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Reception).await;

    let fields = [("reader", "door")];
    let begun = browser.submit(&ada(), &format!("{}/card", ada()), &fields).await;
    let page = browser.get("/work").await.text;
    let second = browser.submit(&ada(), &format!("{}/card", ada()), &fields).await;

    assert_eq!(begun.location(), "/work");
    assert!(page.contains("Present the card") && page.contains("<progress"));
    assert_eq!(second.status, 422);
    branch.close().await;
}

#[tokio::test]
async fn managers_keep_accounts_and_everybody_their_own_password() {
    let branch = Branch::open().await;
    let mut manager = branch.signed_in(Role::Manager).await;

    let fields = [("name", "Grace"), ("role", "trainer")];
    let added = manager.submit("/settings", "/settings/accounts", &fields).await;
    let drawn = added.text.split("class=\"secret\">").nth(1).unwrap().split('<').next().unwrap();
    let mut grace = branch.browser();
    grace.sign_in("grace", drawn).await;
    let fields = [("present", drawn), ("password", PASSWORD), ("again", PASSWORD)];
    let changed = grace.submit("/settings", "/settings/password", &fields).await;
    let role = [("name", "Grace"), ("role", "technician")];
    let promoted = manager.submit("/settings", "/settings/accounts/role", &role).await;
    let devices = grace.submit("/devices", "/devices/bike/rotate", &[("sure", "yes")]).await;
    let gone = [("name", "Grace"), ("sure", "yes")];
    manager.submit("/settings", "/settings/accounts/remove", &gone).await;

    assert_eq!((added.status.as_u16(), changed.status.as_u16()), (200, 303));
    assert_eq!((promoted.status.as_u16(), devices.status.as_u16()), (303, 200));
    assert_eq!(grace.get("/floor").await.status, 303, "signed out with the account");
    assert!(!manager.get("/settings").await.text.contains(drawn));
    let whats: Vec<_> = acts(&branch)
        .await
        .into_iter()
        .filter_map(|act| match act.act {
            Act::Other { what, subject } => Some((act.name, what, subject)),
            _ => None,
        })
        .collect();
    let own = ("Grace", "account_password", "Grace");
    assert!(whats.iter().any(|(by, what, of)| (&**by, &**what, &**of) == own), "{whats:?}");
    branch.close().await;
}
