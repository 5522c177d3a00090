//! What clients send that they should not.

use super::{Scene, next_number, user};
use anyhow::Result;
use serde_json::{Value, json};
use tests::live::Socket;
use tokio_tungstenite::tungstenite::Message;

async fn refused(socket: &mut Socket, text: &str) -> Result<(Value, Value)> {
    socket.say_text(text).await?;
    let mut error = socket.until("error").await?;
    Ok((error["data"]["code"].take(), error["data"]["field"].take()))
}

#[tokio::test]
async fn what_is_wrong_with_a_frame_is_told_and_the_socket_goes_on() -> Result<()> {
    let scene = Scene::open().await?;
    let (mut socket, _) = scene.hear(&user()).await?;

    let said = [
        ("{", "malformed", ""),
        ("[1]", "malformed", ""),
        (r#"{"kind":"subscribe"}"#, "malformed", "type"),
        (r#"{"type":"dance"}"#, "unknown_type", "type"),
        (r#"{"type":"subscribe","channels":"user"}"#, "invalid_field", "channels"),
        (r#"{"type":"subscribe","channels":["branch:1"]}"#, "invalid_field", "channels"),
        (r#"{"type":"subscribe","channels":[],"at":1}"#, "invalid_field", "at"),
        (r#"{"type":"workout:start","data":{}}"#, "not_available", "type"),
        (r#"{"type":"rest:skip"}"#, "not_available", "type"),
    ];
    for (text, code, field) in said {
        assert_eq!(refused(&mut socket, text).await?, (json!(code), json!(field)), "{text}");
    }

    scene.tell(1).await?;
    assert_eq!(next_number(&mut socket).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_frame_that_is_too_long_or_no_text_ends_the_socket() -> Result<()> {
    let scene = Scene::open().await?;
    let (mut long, _) = scene.hear(&user()).await?;
    let (mut binary, _) = scene.hear(&user()).await?;

    long.say_text(&"a".repeat(20_000)).await?;
    binary.say_raw(Message::binary(vec![1, 2, 3])).await?;

    assert_eq!(long.end().await?, (1009, "frame_too_long".to_owned()));
    assert_eq!(binary.end().await?, (1003, "text_only".to_owned()));
    Ok(())
}

#[tokio::test]
async fn who_says_goodbye_is_answered() -> Result<()> {
    let scene = Scene::open().await?;
    let (mut socket, _) = scene.hear(&user()).await?;

    socket.say_raw(Message::Close(None)).await?;

    assert_eq!(socket.end().await?.0, 1000);
    Ok(())
}

#[tokio::test]
async fn a_request_that_is_no_websocket_is_told_so() -> Result<()> {
    let scene = Scene::open().await?;

    let answer = scene.api.get("/api/v1/ws", Some(&scene.ada.token)).await?;

    let code = answer.json()?["code"].clone();
    assert_eq!((answer.status.as_u16(), code), (400, json!("not_a_websocket")));
    Ok(())
}

#[tokio::test]
async fn the_page_and_the_document_of_messages_are_served_without_the_internet() -> Result<()> {
    let scene = Scene::open().await?;

    let page = scene.api.get("/live", None).await?;
    let script = scene.api.get("/live.js", None).await?;
    let document = scene.api.get("/api/v1/asyncapi.json", None).await?.json()?;

    let page = String::from_utf8(page.body.to_vec())?;
    assert!(page.contains("/live.js") && !page.contains("https://"));
    assert_eq!(script.headers["content-type"], "text/javascript; charset=utf-8");
    assert!(document["components"]["messages"]["machine_status"].is_object());
    Ok(())
}
