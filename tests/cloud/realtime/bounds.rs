//! Bounds: how many, how slow, and whether somebody is there.

use super::{Person, Scene, user};
use anyhow::{Context, Result};
use cloud_api::events::log::{self, Audience, CommandAnswered, Event};
use cloud_api::ids::{BranchId, CommandId};
use std::time::Duration;
use tests::api::Api;
use tests::live::{Instance, Socket};
use tests::wait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const HANG: Duration = Duration::from_secs(20);

/// Opens a socket by hand, which reads only when it is told to.
async fn by_hand(here: &Instance, token: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(here.address).await?;
    let request = format!(
        "GET /api/v1/ws?channels=user HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

async fn rest(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    timeout(HANG, stream.read_to_end(&mut bytes)).await.context("it does not end")??;
    Ok(bytes)
}

fn long_event() -> Event {
    Event::CommandAnswered(CommandAnswered {
        command_id: CommandId::new(),
        branch_id: BranchId::new(),
        device_id: None,
        outcome: "done".to_owned(),
        detail: Some("x".repeat(15_000)),
    })
}

async fn tell_much(api: &Api, to: &Person) -> Result<()> {
    let events: Vec<_> = (0..50).map(|_| (Audience::User(to.id), long_event())).collect();
    let mut db = api.app.db.acquire().await?;
    log::append_all(&mut db, &events, api.app.clock.now()).await
}

#[tokio::test]
async fn who_does_not_read_is_dropped_with_the_reason_and_others_go_on() -> Result<()> {
    let scene = Scene::with(|config| config.realtime.max_waiting = 64).await?;
    let slow = Person::enter(&scene.api, &scene.gym, "Slow").await?;
    let mut stream = by_hand(&scene.here, &slow.token).await?;
    let here = || async { Ok(scene.api.app.realtime.present().contains(&slow.id)) };
    wait::until_true("they listen", HANG, here).await?;
    let (mut other, _) = scene.hear(&user()).await?;

    wait::until_true("they are dropped", HANG, || async {
        tell_much(&scene.api, &slow).await?;
        Ok(!scene.api.app.realtime.present().contains(&slow.id))
    })
    .await?;

    let bytes = rest(&mut stream).await?;
    let mut end = vec![0x88, 15];
    end.extend_from_slice(&4408_u16.to_be_bytes());
    end.extend_from_slice(b"slow_consumer");
    assert!(bytes.ends_with(&end), "{:?}", &bytes[bytes.len().saturating_sub(40)..]);
    scene.tell(1).await?;
    assert_eq!(super::next_number(&mut other).await?, 1);
    Ok(())
}

#[tokio::test]
async fn who_does_not_answer_is_dropped_and_who_does_stays() -> Result<()> {
    let scene = Scene::with(|config| config.realtime.ping_s = 1).await?;
    let (mut alive, _) = scene.hear(&user()).await?;
    let mut dead = by_hand(&scene.here, &scene.ada.token).await?;

    // Its client answers pings while it waits for something.
    let read = rest(&mut dead);
    let answered = alive.until("sync:workout");
    let ended = async {
        let bytes = read.await?;
        scene.tell(1).await?;
        anyhow::Ok(bytes)
    };
    let (bytes, heard) = tokio::try_join!(ended, answered)?;

    assert!(bytes.ends_with(b"not_answering"), "{:?}", &bytes[bytes.len().saturating_sub(40)..]);
    assert_eq!(super::number(&heard)?, 1);
    Ok(())
}

#[tokio::test]
async fn one_user_has_so_many_sockets_and_no_more() -> Result<()> {
    let scene = Scene::with(|config| config.realtime.max_connections_per_user = 1).await?;
    let (mut first, _) = scene.hear(&user()).await?;

    let mut second = Socket::open(scene.here.address, "/api/v1/ws", Some(&scene.ada.token)).await?;
    let stream = scene.api.get("/api/v1/events", Some(&scene.ada.token)).await?;

    assert_eq!(second.end().await?, (4429, "too_many_connections".to_owned()));
    assert_eq!(
        (stream.status.as_u16(), &stream.json()?["code"]),
        (429, &"too_many_connections".into())
    );
    scene.tell(1).await?;
    assert_eq!(super::next_number(&mut first).await?, 1);
    Ok(())
}

#[tokio::test]
async fn an_instance_has_so_many_connections_and_says_when_to_come_again() -> Result<()> {
    let scene = Scene::with(|config| config.realtime.max_connections = 1).await?;
    let (socket, _) = scene.hear(&user()).await?;

    let refused = scene.api.get("/api/v1/events", Some(&scene.ada.token)).await?;
    drop(socket);

    assert_eq!(refused.status.as_u16(), 503);
    assert_eq!(refused.headers["retry-after"], "5");
    wait::until_true("there is room again", HANG, || async {
        Ok(scene.hear(&user()).await.is_ok())
    })
    .await
}

#[tokio::test]
async fn an_instance_that_ends_says_so() -> Result<()> {
    let scene = Scene::open().await?;
    let (mut socket, _) = scene.hear(&user()).await?;

    scene.api.app.stop.cancel();

    assert_eq!(socket.end().await?, (1001, "going_away".to_owned()));
    Ok(())
}
