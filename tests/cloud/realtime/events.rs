//! The same stream as server-sent events.

use super::{Scene, user};
use anyhow::{Context, Result};
use reqwest::Response;
use serde_json::{Value, json};
use std::time::Duration;
use tests::http;
use tokio::time::timeout;

/// A stream that is read event by event.
struct Stream {
    answer: Response,
    text: String,
}

impl Stream {
    async fn open(scene: &Scene, query: &str, last_event_id: Option<&str>) -> Result<Self> {
        let url = format!("http://{}/api/v1/events{query}", scene.here.address);
        let mut request = http::client().get(url).bearer_auth(&scene.ada.token);
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let answer = request.send().await?;
        anyhow::ensure!(answer.status() == 200, "{}", answer.text().await?);
        Ok(Self { answer, text: String::new() })
    }

    /// The next event: its id and its data.
    async fn next(&mut self) -> Result<(Option<String>, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name| event.lines().find_map(|line| line.strip_prefix(name));
                let (id, data) = (field("id: ").map(str::to_owned), field("data: "));
                let data = data.map(serde_json::from_str).transpose()?;
                self.text = rest.into();
                match data {
                    Some(data) => return Ok((id, data)),
                    // A comment.
                    None => continue,
                }
            }
            let chunk = timeout(Duration::from_secs(20), self.answer.chunk()).await;
            let chunk = chunk.context("nothing is heard")??.context("the stream ended")?;
            self.text.push_str(std::str::from_utf8(&chunk)?);
        }
    }

    async fn until(&mut self, kind: &str) -> Result<(Option<String>, Value)> {
        loop {
            let next = self.next().await?;
            if next.1["type"] == kind {
                return Ok(next);
            }
        }
    }
}

#[tokio::test]
async fn a_stream_tells_what_a_socket_tells() -> Result<()> {
    let scene = Scene::open().await?;
    let (mut socket, _) = scene.hear(&user()).await?;
    let mut stream = Stream::open(&scene, "", None).await?;
    let (_, snapshot) = stream.until("snapshot").await?;

    scene.tell(1).await?;

    let (id, told) = stream.until("sync:workout").await?;
    let heard = socket.until("sync:workout").await?;
    assert_eq!(snapshot["data"]["channel"], "user");
    assert_eq!(
        (&told, id.context("no id")?),
        (&heard, told["id"].as_str().context("no id")?.to_owned())
    );
    Ok(())
}

#[tokio::test]
async fn a_browser_that_comes_again_goes_on_where_it_was() -> Result<()> {
    let scene = Scene::open().await?;
    let mut stream = Stream::open(&scene, "?channels=workouts", None).await?;
    stream.until("snapshot").await?;
    scene.tell(1).await?;
    let (id, _) = stream.until("sync:workout").await?;
    drop(stream);
    for number in 2..=400 {
        scene.tell(number).await?;
    }

    let mut stream = Stream::open(&scene, "?channels=workouts", id.as_deref()).await?;

    for expected in 2..=400 {
        let (_, told) = stream.until("sync:workout").await?;
        assert_eq!(super::number(&told)?, expected);
    }
    Ok(())
}

#[tokio::test]
async fn a_stream_needs_a_token_and_channels_that_there_are() -> Result<()> {
    let scene = Scene::open().await?;
    let ask = async |query: &str, token| {
        let answer = scene.api.get(&format!("/api/v1/events{query}"), token).await?;
        Ok::<_, anyhow::Error>((answer.status.as_u16(), answer.json()?["code"].clone()))
    };

    assert_eq!(ask("", None).await?, (401, json!("unauthorized")));
    assert_eq!(ask("?token=nonsense", None).await?, (401, json!("invalid_token")));
    let token = Some(scene.ada.token.as_str());
    assert_eq!(ask("?channels=moon", token).await?, (422, json!("validation_failed")));
    assert_eq!(ask("?last_event_id=x", token).await?, (422, json!("validation_failed")));
    Ok(())
}
