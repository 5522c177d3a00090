//! What the desk does in the cloud, at a real door: whoever may come in comes in, and whoever may not does not.

use anyhow::{Context as _, Result};
use protocol::credential::Credential;
use protocol::ids::TapId;
use protocol::mqtt::payloads::{DecisionMessage, tap_json};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tests::mqtt::Login;
use tests::scene::{self, Scene};
use uuid::Uuid;

const LIMIT: Duration = Duration::from_secs(20);
const UID: &str = "04de5f1eacc040";

/// What the door says to the card, as soon as it says what is expected.
async fn says(scene: &Scene, reader: &Login, reason: &str) -> Result<()> {
    let mut connection = scene.edge.connect(reader).await?;
    let topic = |leaf: &str| format!("gymwire/v1/readers/{}/{leaf}", reader.user);
    connection.subscribe(&topic("decision")).await?;
    let heard = async {
        loop {
            let credential = Credential::NfcUid { uid: hex::decode(UID)? };
            let tap = tap_json(TapId(Uuid::now_v7()), &credential, 0);
            connection.queue(&topic("tap"), &tap, 1, false);
            connection.flush().await?;
            let told: DecisionMessage =
                serde_json::from_slice(&connection.receive().await?.payload)?;
            if told.reason == reason {
                return anyhow::Ok(());
            }
        }
    };
    tokio::time::timeout(LIMIT, heard).await.with_context(|| format!("never {reason}"))?
}

#[tokio::test]
async fn a_door_knows_what_the_desk_did() -> Result<()> {
    let mut scene = Scene::prepare().await?;
    let reader = scene.site.reader("door").await?;
    scene.edge.start().await?;
    scene::known(&scene.edge, &reader).await?;
    let staff = scene.staff().await?;
    let id = |made: Value| made["id"].as_str().map(str::to_owned).context("no id");

    let made = staff.send(Method::POST, "/api/v1/members", &json!({"display_name": "Ada"})).await?;
    let member = format!("/api/v1/members/{}", id(made)?);
    let card = json!({"kind": "nfc_uid", "uid": UID});
    staff.send(Method::POST, &format!("{member}/credentials"), &card).await?;
    says(&scene, &reader, "expired").await?;
    let terms = json!({"branch_ids": [scene.site.branch], "valid_from": "2026-01-01"});
    let made = staff.send(Method::POST, &format!("{member}/memberships"), &terms).await?;
    says(&scene, &reader, "granted").await?;
    let freeze = format!("/api/v1/memberships/{}/freeze", id(made)?);
    staff.send(Method::PUT, &freeze, &json!({"reason": "illness"})).await?;
    says(&scene, &reader, "frozen").await?;
    let because = json!({"reason": "payment"});
    staff.send(Method::PUT, &format!("{member}/block"), &because).await?;
    says(&scene, &reader, "blocked").await?;

    scene.edge.stop().await
}
