//! Beginning to listen: rights, then what is missed or how things stand, then changes. Nothing lies between them and
//! nothing comes twice, for sockets and server-sent events alike.

use super::client::Client;
use super::feed;
use super::frame::Frame;
use super::snapshot;
use super::topic::{Channel, Topic};
use super::workouts;
use crate::app::App;
use crate::events::log;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Lets a client hear channels; after `last_event_id`, or with how things stand.
pub async fn subscribe(
    app: &App,
    client: &Arc<Client>,
    wanted: &[Channel],
    last_event_id: Option<i64>,
) -> anyhow::Result<()> {
    // It is never closed.
    let _turn = app.realtime.turns.acquire().await?;
    let who = client.who();
    let had = client.topics();
    if last_event_id.is_some() && !had.is_empty() {
        return refuse(client, "already_subscribed", "last_event_id", "only the first may go on");
    }
    let mut channels = Vec::with_capacity(wanted.len());
    for channel in wanted {
        if had.contains(&channel.topic(who.caller.user)) || channels.contains(channel) {
            continue;
        }
        if channel.is_open_to(app, &who.caller).await? {
            channels.push(*channel);
        } else {
            refuse(client, "not_allowed", "channels", &format!("{channel} is not there for you"))?;
        }
    }
    if had.len() + channels.len() > app.realtime.limits.max_channels {
        return refuse(client, "too_many_channels", "channels", "unsubscribe from others first");
    }
    let topics: Vec<_> = channels.iter().map(|channel| channel.topic(who.caller.user)).collect();
    client.hold();
    let begun = begin(app, client, (&topics, had.is_empty()), last_event_id).await;
    if begun.is_err() {
        client.release(&topics, None);
    }
    begun
}

async fn begin(
    app: &App,
    client: &Arc<Client>,
    (topics, is_first): (&[Topic], bool),
    last_event_id: Option<i64>,
) -> anyhow::Result<()> {
    let position = app.realtime.subscribe(client, topics);
    let names: Vec<_> = topics.iter().map(|topic| topic.channel().to_string()).collect();
    let data = json!({"channels": names});
    // The number is where to go on if nothing else is heard. It must not name what is yet to be told: what was missed, or
    // what other channels hold back.
    client.answer(&match last_event_id {
        None if is_first => Frame::about_from("subscribed", position, &data)?,
        _ => Frame::about("subscribed", &data)?,
    });
    let known = match last_event_id {
        Some(last) if goes_on(app, client, topics, (last, position)).await? => None,
        went => {
            if went.is_some() {
                let data = json!({"reason": "too_old"});
                client.answer(&Frame::about_from("reset", position, &data)?);
            }
            Some(snapshot::tell(app, client, topics).await?)
        }
    };
    client.release(topics, known.as_ref());
    workouts::begin(app, client, topics).await
}

/// Tells what was missed; `false` if that is not known any more.
async fn goes_on(
    app: &App,
    client: &Arc<Client>,
    topics: &[Topic],
    (mut last, position): (i64, i64),
) -> anyhow::Result<bool> {
    let bounds = log::bounds(&mut *app.db.acquire().await?).await?;
    if last < bounds.forgotten || last > bounds.last {
        return Ok(false);
    }
    // Another instance may have told them more than this one has read yet.
    client.heard_from(&[], last.max(position));
    let streams: Vec<_> = topics.iter().map(|topic| topic.stream()).collect();
    while last < position {
        let mut db = app.db.acquire().await?;
        let missed = log::of_streams(&mut db, &streams, (last, position), AT_ONCE).await?;
        drop(db);
        let Some(newest) = missed.last() else { break };
        last = newest.id;
        for event in missed.iter().filter(|event| is_heard(event, topics)) {
            client.answer(&Frame::of(event)?);
        }
        drained(client).await;
    }
    Ok(true)
}

const AT_ONCE: i64 = 100;

fn is_heard(event: &log::Logged, topics: &[Topic]) -> bool {
    feed::topics(event).iter().any(|topic| topics.contains(topic))
}

/// Until what was told is on its way, so that much does not count as too slow.
async fn drained(client: &Client) {
    for _ in 0..MOST_WAITS {
        let is_away = match client.socket {
            Some(_) => client.flush(),
            None => !client.has_waiting(),
        };
        if is_away || client.ended().is_some() {
            return;
        }
        match &client.socket {
            Some(socket) => {
                let _ = tokio::time::timeout(WAIT, socket.writable()).await;
            }
            None => sleep(WAIT).await,
        }
    }
    client.end(super::client::End::Slow);
}

const WAIT: Duration = Duration::from_millis(20);
const MOST_WAITS: usize = 500;

/// Ends channels that somebody may not hear any more.
pub async fn recheck(app: &App, client: &Arc<Client>) -> anyhow::Result<()> {
    let who = client.who();
    for topic in client.topics() {
        let channel = topic.channel();
        if !channel.is_open_to(app, &who.caller).await? {
            app.realtime.unsubscribe(client, &[topic]);
            let data = json!({"channels": [channel.to_string()], "reason": "not_allowed"});
            client.answer(&Frame::about("unsubscribed", &data)?);
        }
    }
    Ok(())
}

/// Says what is wrong with what a client sent.
pub fn refuse(client: &Client, code: &str, field: &str, message: &str) -> anyhow::Result<()> {
    let data = json!({"code": code, "field": field, "message": message});
    client.answer(&Frame::about("error", &data)?);
    Ok(())
}
