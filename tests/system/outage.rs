//! Live before late: after an outage the present state of the floor is in the cloud while the history of the outage
//! still drains behind it. How fast is measured by `make bench`.

use anyhow::{Result, ensure};
use protocol::machine::{Field, Sample};
use protocol::mqtt::payloads::telemetry_json;
use std::time::Duration;
use tests::chaos::Weather;
use tests::mqtt::Connection;
use tests::scene::Scene;
use tests::wait;

/// Samples of the outage.
const BACKLOG: u64 = 60_000;
/// Samples of a message.
const MESSAGE: u64 = 300;
/// So slow that the history takes longer than the promise allows for the live state.
const SLOW: Weather = Weather::Slow(40_000);
const DRAIN_LIMIT: Duration = Duration::from_mins(1);

#[tokio::test]
async fn the_floor_is_live_while_the_backlog_still_drains() -> Result<()> {
    let (mut scene, logins) = Scene::with_machines(&["bike-1".to_owned()]).await?;
    let staff = scene.staff().await?;
    let branch = scene.site.branch.to_string();
    scene.link.cut();
    let mut connection = scene.edge.connect(&logins[0]).await?;
    publish_backlog(&mut connection).await?;
    let status = "gymwire/v1/machines/bike-1/status";
    connection.queue(status, br#"{"state":"out_of_order"}"#, 0, false);
    connection.flush().await?;
    connection.acks().await?;

    scene.link.set(SLOW);
    wait::until_true("the cloud shows the machine", DRAIN_LIMIT, || async {
        let machines = staff.availability(&branch).await?;
        Ok(machines[0]["availability"] == "out_of_order")
    })
    .await?;
    let stored = stored(&scene).await?;

    ensure!(stored < BACKLOG, "the live state came behind the history");
    scene.link.heal();
    wait::until_true("the history arrives", DRAIN_LIMIT, || async {
        Ok(self::stored(&scene).await? == BACKLOG)
    })
    .await?;
    scene.edge.stop().await
}

/// Values that do not pack well, so that there is something to drain.
async fn publish_backlog(connection: &mut Connection) -> Result<()> {
    let mut seed = tests::seed::Seed::new(1);
    for first in (0..BACKLOG).step_by(usize::try_from(MESSAGE)?) {
        let samples: Vec<Sample> = (first..first + MESSAGE)
            .map(|seq| {
                let mut sample = Sample { seq, boot: Some(1), ..Sample::default() };
                sample.fields.set(Field::PowerW, seed.real(0.0, 1_000.0));
                sample.fields.set(Field::DistanceM, seed.real(0.0, 100_000.0));
                sample
            })
            .collect();
        let topic = "gymwire/v1/machines/bike-1/telemetry";
        connection.queue(topic, &telemetry_json(&samples), first, false);
    }
    connection.flush().await?;
    while connection.unacked() > 0 {
        connection.acks().await?;
    }
    Ok(())
}

async fn stored(scene: &Scene) -> Result<u64> {
    let count = "SELECT coalesce(sum(count), 0)::bigint FROM telemetry_chunks";
    let stored: i64 = sqlx::query_scalar(count).fetch_one(&scene.pool).await?;
    Ok(stored.cast_unsigned())
}
