//! What the machine measures that somebody has right now, to their own sockets: only the last values, never kept.
//!
//! Whichever instance the branch's edge talks to has to know who follows which machine: instances tell each other.

use super::client::Client;
use super::frame::Frame;
use super::store;
use super::topic::Topic;
use crate::app::App;
use crate::domains::edges;
use crate::events::log::{Logged, MachineLinked, Stream};
use crate::ids::{BranchId, DeviceId, UserId};
use protocol::machine::{FIELDS, Fields};
use protocol::sync::state::LiveDevice;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use time::OffsetDateTime;
use tokio::time::{Duration, Instant};
use utoipa::ToSchema;
use uuid::Uuid;

/// What a machine measured last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LiveValues {
    pub link_id: Uuid,
    pub machine_id: DeviceId,
    /// When it was measured.
    #[serde(with = "time::serde::rfc3339")]
    pub measured_at: OffsetDateTime,
    /// By name, with the unit in it: `speed_mps`, `power_w`, `heart_rate_bpm` …
    #[schema(value_type = Object, example = json!({"speed_mps": 2.78, "distance_m": 1250.0}))]
    pub values: serde_json::Value,
}

/// Machines whose values somebody follows.
#[derive(Debug, Default)]
pub struct Followed(Mutex<HashMap<DeviceId, Follower>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Follower {
    user: UserId,
    link: Uuid,
    machine: DeviceId,
    branch: BranchId,
    /// What was measured before is somebody else's.
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    #[serde(skip, default = "Instant::now")]
    since: Instant,
}

const FOLLOW: &str = "follow";
const VALUES: &str = "values";
pub const KIND: &str = "workout:live";

/// Instances tell each other again so often who follows what, and forget it after a while.
pub const TELL_EVERY: Duration = Duration::from_secs(10);
const FOLLOWED_FOR: Duration = Duration::from_secs(30);

impl Followed {
    fn note(&self, new: Follower) {
        let mut known = self.lock();
        known.retain(|_, one| one.since.elapsed() < FOLLOWED_FOR);
        known.insert(new.machine, new);
    }

    fn forget(&self, link: Uuid) {
        self.lock().retain(|_, known| known.link != link);
    }

    /// Machines of a branch whose values are wanted at once.
    pub fn of_branch(&self, branch: BranchId) -> Vec<DeviceId> {
        let followed = self.lock();
        let of = followed.values().filter(|known| known.branch == branch && known.is_fresh());
        of.map(|known| known.machine).collect()
    }

    fn of(&self, branch: BranchId, machine: DeviceId) -> Option<Follower> {
        let known = self.lock().get(&machine).copied();
        known.filter(|known| known.branch == branch && known.is_fresh())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceId, Follower>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follower {
    fn is_fresh(&self) -> bool {
        self.since.elapsed() < FOLLOWED_FOR
    }
}

/// Somebody begins to listen to their own training.
pub async fn begin(app: &App, client: &Arc<Client>, topics: &[Topic]) -> anyhow::Result<()> {
    let user = client.who().caller.user;
    if topics.contains(&Topic::Workouts(user)) {
        follow(app, &[user]).await?;
    }
    Ok(())
}

/// Tells all instances again who follows what by way of this one.
pub async fn follow_again(app: &App) -> anyhow::Result<()> {
    let topics = app.realtime.topics().into_iter();
    let users = topics.filter_map(|topic| match topic {
        Topic::Workouts(user) => Some(user),
        _ => None,
    });
    follow(app, &users.collect::<Vec<_>>()).await
}

async fn follow(app: &App, users: &[UserId]) -> anyhow::Result<()> {
    if users.is_empty() {
        return Ok(());
    }
    let links = store::links_of(&mut *app.db.acquire().await?, users).await?;
    for (user, link) in links {
        let MachineLinked { link_id, machine_id, branch_id, started_at, .. } = link;
        edges::watch(app, [branch_id]).await?;
        let follower = Follower {
            user,
            link: link_id,
            machine: machine_id,
            branch: branch_id,
            started_at,
            since: Instant::now(),
        };
        app.followed.note(follower);
        app.relay.tell(FOLLOW, &serde_json::to_string(&follower)?).await?;
    }
    Ok(())
}

/// Takes in an event: who is lent a machine follows it, and no longer once it is given back.
pub async fn notice(app: &App, event: &Logged) -> anyhow::Result<()> {
    let Stream::User(user) = event.stream else { return Ok(()) };
    match event.kind.as_str() {
        "machine:linked" if app.realtime.has(Topic::Workouts(user)) => follow(app, &[user]).await,
        "machine:unlinked" => {
            let data: serde_json::Value = serde_json::from_str(&event.data)?;
            if let Some(link) = data["link_id"].as_str().and_then(|id| id.parse().ok()) {
                app.followed.forget(link);
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Tells values of machines to those who have them.
pub async fn measured(app: &App, branch: BranchId, devices: &[LiveDevice]) -> anyhow::Result<()> {
    for device in devices {
        let id = DeviceId::from(device.device);
        let Some(follower) = app.followed.of(branch, id) else { continue };
        let Some((at, fields)) = app.live.device(branch, id).and_then(|live| live.sample) else {
            continue;
        };
        if at < follower.started_at {
            continue;
        }
        let values = values(follower.link, id, at, &fields);
        let said = Said { from: app.instance, user: follower.user, values };
        publish(app, &said).await?;
        app.relay.tell(VALUES, &serde_json::to_string(&said)?).await?;
    }
    Ok(())
}

/// From one instance to all.
#[derive(Debug, Serialize, Deserialize)]
struct Said {
    /// The instance that has told it already.
    from: Uuid,
    user: UserId,
    values: LiveValues,
}

async fn publish(app: &App, said: &Said) -> anyhow::Result<()> {
    let topic = Topic::Workouts(said.user);
    if app.realtime.has(topic) {
        let frame = Arc::new(Frame::now(KIND, said.values.measured_at, &said.values)?);
        app.realtime.publish(&[topic], &frame).await;
    }
    Ok(())
}

/// What is known of the machine that somebody has.
pub fn last_values(app: &App, link: &MachineLinked) -> Option<LiveValues> {
    let (at, fields) = app.live.device(link.branch_id, link.machine_id)?.sample?;
    (at >= link.started_at).then(|| values(link.link_id, link.machine_id, at, &fields))
}

fn values(link: Uuid, machine: DeviceId, at: OffsetDateTime, fields: &Fields) -> LiveValues {
    let known = FIELDS.iter().filter_map(|spec| Some((spec.name, fields.value(spec.field)?)));
    let values = known.map(|(name, value)| (name.to_owned(), value.into()));
    LiveValues {
        link_id: link,
        machine_id: machine,
        measured_at: at,
        values: serde_json::Value::Object(values.collect()),
    }
}

/// Hears what other instances tell, until `stop`.
pub async fn run(app: App) -> anyhow::Result<()> {
    let (sender, mut told) = tokio::sync::mpsc::channel::<Said>(QUEUE);
    let (followed, own) = (Arc::clone(&app.followed), app.instance);
    app.relay.on_message(move |topic, text| match topic {
        FOLLOW => {
            if let Ok(follower) = serde_json::from_str::<Follower>(text) {
                followed.note(follower);
            }
        }
        VALUES => {
            // Full: newer values come in a moment.
            let said = serde_json::from_str::<Said>(text).ok();
            if let Some(said) = said.filter(|said| said.from != own) {
                let _ = sender.try_send(said);
            }
        }
        _ => {}
    });
    loop {
        let done = tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            Some(said) = told.recv() => publish(&app, &said).await,
        };
        if let Err(error) = done {
            tracing::warn!(error = format!("{error:#}"), "live values are not told");
        }
    }
}

const QUEUE: usize = 1_024;
