//! What pages say, and what they are made of.

use super::{Branch, device_id, soon};
use crate::journal::{Received, What};
use crate::staff::accounts::Role;
use protocol::credential::Credential;
use protocol::ids::TapId;
use protocol::sync::entry::{Body, Source, Tap};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

async fn tap(branch: &Branch) {
    let credential = Credential::NfcUid { uid: vec![1, 2, 3, 4] };
    let reader = device_id(2);
    let stored = credential.stored(&branch.registry.credential_key());
    let tap = Tap { tap_id: TapId(Uuid::now_v7()), credential: stored, age_ms: 10 };
    let mut received = Received::new(Source::Device(reader), What::Event(Body::Tap(tap)));
    received.proof = Some(Box::new(branch.access.prove(reader, &credential)));
    branch.journal.submit(vec![received]).await.unwrap();
}

#[tokio::test]
async fn headers_forbid_scripts_frames_and_guesses() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Manager).await;

    for path in ["/taps", "/sign-in", "/no-such-page"] {
        let answer = browser.get(path).await;
        let header = |name: &str| answer.headers.get(name).unwrap().to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"));
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "same-origin");
        assert_eq!(header("cache-control"), "no-store", "{path}");
    }
    branch.close().await;
}

fn pages() -> Vec<String> {
    let member = super::member_id(102);
    let fixed = [
        "/floor",
        "/members",
        "/members?q=script",
        "/machines",
        "/machines/bike",
        "/taps",
        "/devices",
    ];
    let more = ["/sync", "/settings", "/enrolment"].into_iter().chain(fixed).map(str::to_owned);
    more.chain([format!("/members/{member}")]).collect()
}

#[tokio::test]
async fn a_name_that_wants_to_be_a_script_is_only_a_name_on_every_page() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Manager).await;
    branch.add(super::NASTY.split('\r').next().unwrap(), Role::Trainer).await;
    tap(&branch).await;

    for path in pages() {
        let page = browser.get(&path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(!page.text.contains("<script>alert") && !page.text.contains("\"'&"), "{path}");
        assert!(page.text.contains("<h1>") && page.text.contains("<html lang=\"en\">"), "{path}");
    }
    branch.close().await;
}

#[tokio::test]
async fn what_people_type_is_only_text_too() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Manager).await;
    let nasty = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E";

    for path in [
        format!("/members?q={nasty}"),
        format!("/sign-in?next={nasty}"),
        format!("/machines/{nasty}"),
    ] {
        let page = browser.get(&path).await.text;
        assert!(!page.contains("<script>alert"), "{path}");
    }
    branch.close().await;
}

#[tokio::test]
async fn a_page_with_everything_that_belongs_to_it_is_small() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Manager).await;
    let page = browser.get("/floor").await.text;
    let mut bytes = page.len();

    for part in page.split('"').filter(|part| part.starts_with("/assets/")) {
        bytes += browser.get(part).await.text.len();
    }

    assert!(bytes < 150_000, "{bytes} bytes before compression");
    branch.close().await;
}

#[tokio::test]
async fn the_floor_tells_what_changes_and_only_that() {
    let branch = Branch::open().await;
    let browser = branch.signed_in(Role::Reception).await;
    let mut acting = branch.signed_in(Role::Reception).await;
    let mut stream = browser.open("/floor/live", "text/event-stream").await;
    let mut told = String::new();
    let ada = format!("/members/{}", super::member_id(101));

    soon(async {
        while !told.contains("id=\"m-bike\"") {
            told.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap()));
        }
        told.clear();
        acting.submit(&ada, &format!("{ada}/check-in"), &[]).await;
        while !told.contains("Ada Lovelace") {
            told.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap()));
        }
    })
    .await;

    assert!(told.contains("event: floor") && told.contains("hx-swap-oob"), "{told}");
    assert!(!told.contains("id=\"m-bike\""), "the machine has not changed: {told}");
    branch.close().await;
}

#[tokio::test]
async fn who_may_not_see_members_reads_no_names() {
    let branch = Branch::open().await;
    let mut desk = branch.signed_in(Role::Reception).await;
    let mut technician = branch.signed_in(Role::Technician).await;
    let ada = format!("/members/{}", super::member_id(101));
    desk.submit(&ada, &format!("{ada}/check-in"), &[]).await;
    soon(async { while !desk.get("/floor").await.text.contains("Ada Lovelace") {} }).await;

    let page = technician.get("/floor").await.text;

    assert!(page.contains("inside now") && !page.contains("Ada"));
    branch.close().await;
}

#[tokio::test]
async fn assets_are_kept_for_ever_and_nothing_else_is_reached_through_them() {
    let branch = Branch::open().await;
    branch.add("Ada", Role::Manager).await;
    let mut browser = branch.browser();
    let page = browser.get("/sign-in").await.text;
    let css = page.split('"').find(|part| part.ends_with("/app.css")).unwrap().to_owned();

    let answer = browser.get(&css).await;

    assert_eq!(answer.status, 200);
    assert!(answer.headers["cache-control"].to_str().unwrap().contains("immutable"));
    assert!(answer.headers.contains_key("etag"));
    let version = css.split('/').nth(2).unwrap();
    let above =
        ["../app.css", "..%2fmod.rs", "%2e%2e/%2e%2e/etc/passwd", "app.css%00", "htmx.LICENSE"];
    for path in above.map(|name| format!("/assets/{version}/{name}")) {
        let status = browser.get(&path).await.status;
        assert!(status == 404 || status == 400, "{path}: {status}");
    }
    assert_eq!(browser.get("/assets/0000000000000000/app.css").await.status, 404);
    branch.close().await;
}

#[tokio::test]
async fn a_tap_appears_in_the_log_as_it_happens() {
    let branch = Branch::open().await;
    let browser = branch.signed_in(Role::Reception).await;
    let mut stream = browser.open("/taps/live", "text/event-stream").await;
    let mut told = String::new();

    tap(&branch).await;

    soon(async {
        while !told.contains("Nobody&#39;s card") && !told.contains("Nobody's card") {
            told.push_str(&String::from_utf8_lossy(&stream.chunk().await.unwrap().unwrap()));
        }
    })
    .await;
    assert!(told.starts_with("event: taps\n"), "{told}");
    assert!(!told.contains("<script") && !told.contains("\nevent: evil"), "{told}");
    branch.close().await;
}

#[tokio::test]
async fn a_page_that_only_listens_is_told_that_its_session_has_ended() {
    let branch = Branch::open().await;
    let browser = branch.signed_in(Role::Reception).await;
    let mut stream = browser.open("/taps/live", "text/event-stream").await;
    stream.chunk().await.unwrap().unwrap();

    branch.step(std::time::Duration::from_mins(16));
    tap(&branch).await;

    let mut told = String::new();
    soon(async {
        while let Some(chunk) = stream.chunk().await.unwrap() {
            told.push_str(&String::from_utf8_lossy(&chunk));
        }
    })
    .await;
    assert!(told.contains("event: signed-out"), "{told}");
    branch.close().await;
}

#[tokio::test]
async fn a_browser_without_https_is_sent_to_it() {
    let branch = Branch::open().await;
    let mut stream = TcpStream::connect(branch.address).await.unwrap();

    stream.write_all(b"GET /taps HTTP/1.1\r\nHost: gym.local:8090\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();

    assert!(answer.starts_with("HTTP/1.1 308 "), "{answer}");
    assert!(answer.contains("Location: https://gym.local:8090/taps\r\n"));
    branch.close().await;
}

#[tokio::test]
async fn a_refused_form_is_shown_again_with_what_was_typed_and_nothing_secret() {
    let branch = Branch::open().await;
    let mut browser = branch.signed_in(Role::Manager).await;
    let token = browser.get("/taps").await.form_token();
    let fields = [("form_token", &*token), ("reader", "door"), ("reason", "a \"delivery\"")];

    let refused = browser.post_of_page("/taps", "/taps/open-door", &fields).await;
    let page = browser.get("/taps").await.text;
    let later = browser.get("/taps").await.text;
    let fields =
        [("form_token", &*token), ("present", "hunter2hunter2"), ("password", "a"), ("again", "b")];
    browser.post_of_page("/settings", "/settings/password", &fields).await;
    let settings = browser.get("/settings").await.text;

    assert_eq!((refused.status.as_u16(), refused.location()), (303, "/taps"));
    assert!(page.contains("class=\"problem\"") && page.contains("not connected"), "{page}");
    assert!(page.contains("a &#34;delivery&#34;") && !page.contains("a \"delivery\""), "{page}");
    assert!(!later.contains("not connected"), "it is said once");
    assert!(settings.contains("are not the same") && !settings.contains("hunter2"), "{settings}");
    branch.close().await;
}
