//! How things stand, at one moment for all channels that a client asked for.

use super::client::{Client, Known};
use super::frame::Frame;
use super::topic::Topic;
use super::{presence, store, workouts};
use crate::app::App;
use anyhow::Context;
use serde_json::{Value, json};
use sqlx::PgConnection;

/// Tells it, and which transactions it knows.
pub async fn tell(app: &App, client: &Client, topics: &[Topic]) -> anyhow::Result<Known> {
    let mut tx = app.db.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let known = store::transactions(&mut tx).await?;
    let known = Known::read(&known).context("a snapshot that cannot be read")?;
    let now = app.clock.now();
    for topic in topics {
        let mut data = read(app, &mut tx, *topic).await?;
        data["channel"] = topic.channel().to_string().into();
        client.answer(&Frame::now("snapshot", now, &data)?);
    }
    tx.rollback().await?;
    Ok(known)
}

async fn read(app: &App, db: &mut PgConnection, topic: Topic) -> anyhow::Result<Value> {
    Ok(match topic {
        Topic::Branch(branch) => {
            json!({"machines": store::machines_of(db, branch).await?})
        }
        Topic::Staff(branch) => json!({
            "sessions": store::sessions_at(db, branch).await?,
            "presence": presence::at(db, branch, app.clock.now()).await?,
        }),
        Topic::User(user) => json!({
            "session": store::session_of(db, user).await?,
            "link": store::link_of(db, user).await?,
            "offers": store::offers_to(db, user).await?,
        }),
        Topic::Workouts(user) => {
            let link = store::link_of(db, user).await?;
            let values = link.as_ref().and_then(|link| workouts::last_values(app, link));
            json!({"link": link, "live": values})
        }
    })
}
