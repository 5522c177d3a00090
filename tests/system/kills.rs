//! `kill -9` of the agent, of the cloud and of Postgres under load: what was acked is in Postgres once.

use anyhow::Result;
use protocol::sync::entry::DeviceKind;
use tests::edge::Edge;
use tests::mqtt::{Connection, Flow, Pace};

#[tokio::test]
async fn smoke() -> Result<()> {
    let mut edge = Edge::new()?;
    let logins = edge.add_devices(DeviceKind::Machine, &["bike-1".to_owned()]).await?;
    edge.start().await?;
    let mut connection = edge.connect(&logins[0]).await?;
    let mut template = tests::bench::flood::Template::new(7);
    let flow = Flow { count: 5000, window: 100, pace: Pace::Flood };
    let make = |number, connection: &mut Connection| {
        connection.queue("gymwire/v1/machines/bike-1/telemetry", template.with(number), number, false);
    };
    flow.run(&mut connection, make, |_| true).await?;
    println!("{}", edge.metric("gymwire_journal_samples").await?);
    edge.stop().await
}
