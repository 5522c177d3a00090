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
