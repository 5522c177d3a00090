//! `/edge/v1/events`: events ahead of the batch of their range, and never twice.

use crate::edge::{Edge, Scene, event, events, sample, send_packed, stamp, telemetry};
use anyhow::Result;
use axum::body::Body as HttpBody;
use axum::http::Request;
use protocol::sync::batch::{BATCH_MEDIA_TYPE, Batch, BatchEvent};
use protocol::sync::entry::{Body, Event, Maintenance, Notice, Severity, Source};
use tests::api::Answer;

const REPORTS: &str = "SELECT count(*) FROM maintenance_reports";
const SET_ASIDE: &str = "SELECT count(*) FROM set_aside";

fn report(scene: &Scene, mono_ms: u64) -> Event {
    let (severity, message) = (Severity::Fault, "belt".to_owned());
    let body = Body::Maintenance(Maintenance { code: "E7".to_owned(), severity, message });
    event(scene.machine, mono_ms, body)
}

/// Positions 1 and 3 are reports, between them are samples.
fn whole(scene: &Scene) -> Batch {
    let samples = [sample(1_500, 1, 0, 2_000)];
    let mut batch = telemetry(1, 1, scene.machine, stamp(1_500), &samples);
    batch.last_seq = 3;
    batch.events = numbered([(1, report(scene, 1_000)), (3, report(scene, 2_000))]);
    batch
}

fn numbered(events: impl IntoIterator<Item = (u64, Event)>) -> Vec<BatchEvent> {
    events.into_iter().map(|(seq, event)| BatchEvent { seq, event: event.encode() }).collect()
}

/// What of it cannot wait.
fn urgent(scene: &Scene) -> Batch {
    Batch { telemetry: Vec::new(), ..whole(scene) }
}

async fn ahead(scene: &Scene, batch: &Batch) -> Result<Answer> {
    let request = Request::post("/edge/v1/events")
        .header("authorization", format!("Bearer {}", scene.edge.token))
        .header("content-type", BATCH_MEDIA_TYPE)
        .header("content-encoding", "zstd")
        .body(HttpBody::from(batch.encode(3)))?;
    scene.api.call(request).await
}

#[tokio::test]
async fn what_went_ahead_is_not_applied_again_with_its_batch() -> Result<()> {
    let scene = Scene::open().await?;

    assert_eq!(ahead(&scene, &urgent(&scene)).await?.status, 204);
    assert_eq!(scene.count(REPORTS).await?, 2);
    let answer = scene.edge.send(&scene.api, &whole(&scene)).await?;

    assert_eq!((answer.status.as_u16(), answer.json()?["acked_seq"].as_u64()), (200, Some(3)));
    let samples = "SELECT coalesce(sum(count), 0)::bigint FROM telemetry_chunks";
    assert_eq!((scene.count(REPORTS).await?, scene.count(samples).await?), (2, 1));
    assert_eq!(scene.count(SET_ASIDE).await?, 0);
    Ok(())
}

#[tokio::test]
async fn events_that_come_again_or_too_late_change_nothing() -> Result<()> {
    let scene = Scene::open().await?;
    let first = Batch { events: numbered([(1, report(&scene, 1_000))]), ..urgent(&scene) };

    for batch in [&first, &first, &urgent(&scene), &first] {
        assert_eq!(ahead(&scene, batch).await?.status, 204);
    }
    assert_eq!(scene.count(REPORTS).await?, 2);
    scene.edge.send(&scene.api, &whole(&scene)).await?;
    assert_eq!(ahead(&scene, &urgent(&scene)).await?.status, 204);

    assert_eq!(scene.count(REPORTS).await?, 2);
    let left: Vec<i64> =
        sqlx::query_scalar("SELECT ahead FROM edge_epochs").fetch_one(&scene.api.app.db).await?;
    assert!(left.is_empty());
    Ok(())
}

#[tokio::test]
async fn going_ahead_moves_nothing_that_is_acknowledged() -> Result<()> {
    let scene = Scene::open().await?;
    ahead(&scene, &urgent(&scene)).await?;

    let follows = events(1, 4, vec![report(&scene, 3_000)]);
    let answer = scene.edge.send(&scene.api, &follows).await?;

    assert_eq!(
        (answer.status.as_u16(), answer.json()?["expected_seq"].as_u64()),
        (409, Some(1)),
        "the samples of 2 are still missing"
    );
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_or_taken_is_set_aside_once() -> Result<()> {
    let scene = Scene::open().await?;
    let notice = Body::Notice(Notice { code: "x".to_owned(), detail: String::new() });
    let from_device = Source::Device(scene.machine.into());
    let wrong = Event { stamp: stamp(1_000), source: from_device, body: notice };
    let mut batch = urgent(&scene);
    batch.events = numbered([(1, wrong)]);
    batch.events.push(BatchEvent { seq: 3, event: vec![250, 1, 2] });

    assert_eq!(ahead(&scene, &batch).await?.status, 204);
    scene.edge.send(&scene.api, &batch).await?;

    assert_eq!(scene.count(SET_ASIDE).await?, 2);
    Ok(())
}

#[tokio::test]
async fn an_epoch_gets_only_so_far_ahead_of_its_batches() -> Result<()> {
    let scene = Scene::open().await?;
    let many = (0..4_097).map(|at| report(&scene, at)).collect();

    let answer = ahead(&scene, &events(1, 1, many)).await?;

    let code = answer.json()?["code"].clone();
    assert_eq!((answer.status.as_u16(), code.as_str()), (409, Some("too_far_ahead")));
    assert_eq!(scene.count(REPORTS).await?, 0);
    Ok(())
}

#[tokio::test]
async fn an_edge_that_is_enrolled_anew_keeps_what_went_ahead() -> Result<()> {
    let scene = Scene::open().await?;
    ahead(&scene, &urgent(&scene)).await?;
    let again = Edge::enrol(&scene.api, scene.gym.branch.id).await?;

    send_packed(&scene.api, &again.token, whole(&scene).encode(3)).await?;

    assert_eq!(scene.count(REPORTS).await?, 2);
    Ok(())
}
