//! From a machine's publish at the branch to the socket of the member who has it: a real edge, a real cloud, the machine
//! says something twice a second.

use super::table::Row;
use crate::live::Socket;
use crate::mqtt::Connection;
use crate::scene::{self, Scene};
use crate::times::Times;
use crate::wait;
use anyhow::{Context as _, Result};
use cloud_api::domains::sessions::Wanted;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const MACHINE: &str = "rower";
const SAMPLES: u32 = 120;
const WARM_UP: u32 = 10;
const BETWEEN: Duration = Duration::from_millis(500);
const LIMIT: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(20);

/// Sample by sample.
pub async fn measure() -> Result<Vec<Row>> {
    let mut scene = Scene::over(crate::db::Db::durable().await?).await?;
    let logins = scene.site.machines(&[MACHINE.to_owned()]).await?;
    let login = logins.first().context("no machine")?;
    scene.edge.start().await?;
    scene::known(&scene.edge, login).await?;
    let mut socket = member(&scene).await?;
    let mut machine = Machine::connect(&scene, login).await?;
    let mut times = Times::new();
    for number in 0..WARM_UP + SAMPLES {
        sleep(BETWEEN).await;
        let begun = Instant::now();
        machine.says(number).await?;
        until(&mut socket, number).await?;
        if number >= WARM_UP {
            times.record(begun.elapsed());
        }
    }
    scene.edge.stop().await?;
    scene.cloud.stop().await?;
    Ok(vec![Row::p99("sample at the branch to the member's socket, p99", &times, LIMIT)])
}

/// A member with the app who has the machine, and follows it.
async fn member(scene: &Scene) -> Result<Socket> {
    let member = scene.site.member("Ada", &[]).await?;
    let (email, password) = scene.site.account_of(member).await?;
    let login = json!({"email": email, "password": password});
    let url = format!("{}/api/v1/auth/login", scene.cloud.url());
    let answer = crate::http::client().post(url).json(&login).send().await?;
    let answer: Value = answer.error_for_status()?.json().await?;
    let token = answer["access_token"].as_str().context("no token")?.to_owned();
    scene.site.ask(Wanted::CheckIn { member }).await?;
    let machine = scene.site.device(MACHINE).await?;
    scene.site.ask(Wanted::Link { member, machine }).await?;
    wait::until_true("the machine is lent", PATIENCE, || async {
        let lent = "SELECT count(*) FROM links WHERE ended_at IS NULL";
        Ok(sqlx::query_scalar::<_, i64>(lent).fetch_one(&scene.pool).await? == 1)
    })
    .await?;
    let address = scene.cloud.address();
    let mut socket = Socket::open(address, "/api/v1/ws/workouts", Some(&token)).await?;
    socket.until("snapshot").await?;
    Ok(socket)
}

/// The machine, by MQTT.
struct Machine {
    connection: Connection,
    topic: String,
}

impl Machine {
    async fn connect(scene: &Scene, login: &crate::mqtt::Login) -> Result<Self> {
        let topic = format!("gymwire/v1/machines/{}/telemetry", login.user);
        Ok(Self { connection: scene.edge.connect(login).await?, topic })
    }

    async fn says(&mut self, number: u32) -> Result<()> {
        let sample = json!({"seq": number + 1, "boot": 7, "distance_m": number});
        let bytes = sample.to_string();
        self.connection.queue(&self.topic, bytes.as_bytes(), u64::from(number), false);
        self.connection.flush().await
    }
}

async fn until(socket: &mut Socket, number: u32) -> Result<()> {
    loop {
        let live = socket.until("workout:live").await?;
        if live["data"]["values"]["distance_m"].as_f64() == Some(f64::from(number)) {
            return Ok(());
        }
    }
}
