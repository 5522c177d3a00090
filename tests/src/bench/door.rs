//! A change of a membership, from the answer of the REST API to the first tap that is decided by it, at a real edge.

use super::table::Row;
use crate::mqtt::{Connection, Login};
use crate::scene::{self, Scene};
use crate::staff::Staff;
use crate::times::Times;
use anyhow::{Context as _, Result};
use protocol::credential::Credential;
use protocol::ids::TapId;
use protocol::mqtt::payloads::{DecisionMessage, tap_json};
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

const READER: &str = "door";
const CARD: [u8; 7] = [4, 1, 2, 3, 4, 5, 6];
/// Kept out and let in again, in turn.
const CHANGES: u32 = 200;
const LIMIT: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two taps, which is how exactly the time is known.
const BETWEEN_TAPS: Duration = Duration::from_millis(2);

/// Change by change.
pub async fn measure() -> Result<Vec<Row>> {
    let mut scene = Scene::over(crate::db::Db::durable().await?).await?;
    let reader = scene.site.reader(READER).await?;
    let member = scene.site.member("Ada", &[CARD]).await?;
    scene.edge.start().await?;
    scene::known(&scene.edge, &reader).await?;
    let staff = scene.staff().await?;
    let block = format!("/api/v1/members/{member}/block");
    let mut door = Door::open(&scene, &reader).await?;
    door.says("granted").await?;
    let mut times = Times::new();
    for number in 0..CHANGES {
        let expected = change(&staff, &block, number % 2 == 0).await?;
        let changed = Instant::now();
        door.says(expected).await?;
        times.record(changed.elapsed());
    }
    door.connection.close().await?;
    scene.edge.stop().await?;
    scene.cloud.stop().await?;
    Ok(vec![Row::p99("change of a member by REST to the decision at the door, p99", &times, LIMIT)])
}

/// Keeps the member out or lets them in; what the door says then.
async fn change(staff: &Staff, block: &str, is_out: bool) -> Result<&'static str> {
    if is_out {
        staff.send(Method::PUT, block, &json!({"reason": "payment"})).await?;
        return Ok("blocked");
    }
    staff.send(Method::DELETE, block, &json!(null)).await?;
    Ok("granted")
}

struct Door {
    connection: Connection,
    tap: String,
}

impl Door {
    async fn open(scene: &Scene, reader: &Login) -> Result<Self> {
        let mut connection = scene.edge.connect(reader).await?;
        let topic = |leaf: &str| format!("gymwire/v1/readers/{}/{leaf}", reader.user);
        connection.subscribe(&topic("decision")).await?;
        Ok(Self { connection, tap: topic("tap") })
    }

    /// Taps until this is what is said.
    async fn says(&mut self, reason: &str) -> Result<()> {
        let heard = async {
            while self.tapped().await?.reason != reason {
                sleep(BETWEEN_TAPS).await;
            }
            anyhow::Ok(())
        };
        timeout(PATIENCE, heard).await.with_context(|| format!("never {reason}"))?
    }

    async fn tapped(&mut self) -> Result<DecisionMessage> {
        let credential = Credential::NfcUid { uid: CARD.to_vec() };
        let tap = tap_json(TapId(Uuid::now_v7()), &credential, 0);
        self.connection.queue(&self.tap, &tap, 1, false);
        self.connection.flush().await?;
        let told = self.connection.receive().await?;
        Ok(serde_json::from_slice(&told.payload)?)
    }
}
