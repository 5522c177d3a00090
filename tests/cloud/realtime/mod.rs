//! What is told live: rights, snapshots and changes, going on after an event, bounds; by real sockets.

mod auth;
mod bounds;
mod channels;
mod events;
mod floor;
mod frames;
mod going_on;
mod killed;
mod presence;

use crate::gym::Gym;
use anyhow::{Context, Result};
use cloud_api::Config;
use cloud_api::domains::accounts::Role;
use cloud_api::domains::members;
use cloud_api::events::log::{self, Audience, Event, WorkoutChanged};
use cloud_api::ids::{MemberId, UserId};
use serde_json::Value;
use sqlx::PgConnection;
use tests::api::Api;
use tests::live::{Instance, Socket};
use uuid::Uuid;

/// A gym with a member who has the app, and an instance that serves.
struct Scene {
    api: Api,
    gym: Gym,
    here: Instance,
    ada: Person,
}

/// Somebody with the app.
struct Person {
    id: UserId,
    member: MemberId,
    token: String,
}

impl Scene {
    async fn open() -> Result<Self> {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Result<Self> {
        let mut config = Config::default();
        config.limits.anonymous = 1_000_000;
        config.limits.admin = 1_000_000;
        config.limits.user = 1_000_000;
        change(&mut config);
        let api = Api::with(config).await?;
        let gym = Gym::open(&api, "Live").await?;
        let ada = Person::enter(&api, &gym, "Ada").await?;
        let here = Instance::start(&api.app).await?;
        Ok(Self { api, gym, here, ada })
    }

    /// Another instance over the same database.
    async fn beside(&self) -> Result<(cloud_api::App, Instance)> {
        let (config, clock) = ((*self.api.app.config).clone(), self.api.app.clock.clone());
        let db = self.api.db().pool().await?;
        let app = cloud_api::App::open(db, config, clock, self.api.app.stop.clone()).await?;
        let instance = Instance::start(&app).await?;
        Ok((app, instance))
    }

    /// Hears channels as Ada.
    async fn hear(&self, channels: &[String]) -> Result<(Socket, Vec<Value>)> {
        Socket::hear(self.here.address, &self.ada.token, channels).await
    }

    /// Tells Ada something, by its number.
    async fn tell(&self, number: u128) -> Result<()> {
        let mut tx = self.api.app.db.begin().await?;
        self.tell_in(&mut tx, number).await?;
        Ok(tx.commit().await?)
    }

    async fn tell_in(&self, db: &mut PgConnection, number: u128) -> Result<()> {
        let now = self.api.app.clock.now();
        log::append(db, Audience::User(self.ada.id), &numbered(number), now).await
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.api.app.stop.cancel();
    }
}

impl Person {
    async fn enter(api: &Api, gym: &Gym, name: &str) -> Result<Self> {
        let member = gym.member(api, name, Some(gym.branch.id)).await?.id;
        let token = gym.token(api, Role::Member, &[]).await?;
        let me = api.get("/api/v1/users/profile", Some(&token)).await?.json()?;
        let id = me["id"].as_str().context("no id")?.parse()?;
        members::set_user(&mut *api.app.db.acquire().await?, member, id).await?;
        Ok(Self { id, member, token })
    }
}

/// An event that can be told from others.
fn numbered(number: u128) -> Event {
    let (workout_id, change) = (Uuid::from_u128(number), "changed".to_owned());
    Event::SyncWorkout(WorkoutChanged { workout_id, change })
}

/// Its number.
fn number(frame: &Value) -> Result<u128> {
    let id = frame["data"]["workout_id"].as_str().with_context(|| format!("{frame}"))?;
    Ok(id.parse::<Uuid>()?.as_u128())
}

async fn next_number(socket: &mut Socket) -> Result<u128> {
    number(&socket.until("sync:workout").await?)
}

fn user() -> Vec<String> {
    vec!["user".to_owned()]
}
