//! The floor of a branch, from the tap at a machine to the folded rows in Postgres, over kills and an absent cloud.

use anyhow::{Result, ensure};
use cloud_api::domains::sessions::Wanted;
use protocol::credential::Credential;
use protocol::ids::TapId;
use protocol::mqtt::payloads::tap_json;
use std::time::Duration;
use tests::metrics::{LINKS, SESSIONS};
use tests::mqtt::Login;
use tests::scene::{self, Scene};
use tests::wait;
use uuid::Uuid;

const LIMIT: Duration = Duration::from_secs(20);
const ADAS: [u8; 7] = [4, 1, 2, 3, 4, 5, 6];
const BENS: [u8; 7] = [4, 9, 9, 9, 9, 9, 9];

/// Stays and lent machines, at the branch and folded.
async fn holds(scene: &Scene, what: &str, sessions: i64, links: i64) -> Result<()> {
    let count = async |sql: &'static str| -> Result<i64> {
        Ok(sqlx::query_scalar(sql).fetch_one(&scene.pool).await?)
    };
    wait::until_true(what, LIMIT, || async {
        let edge = (scene.edge.metric(SESSIONS).await?, scene.edge.metric(LINKS).await?);
        let cloud = (
            count("SELECT count(*) FROM gym_sessions WHERE ended_at IS NULL").await?,
            count("SELECT count(*) FROM links WHERE ended_at IS NULL").await?,
        );
        #[expect(clippy::cast_precision_loss, reason = "counts")]
        let wanted = (sessions as f64, links as f64);
        Ok(edge == wanted && cloud == (sessions, links))
    })
    .await
}

async fn tap(scene: &Scene, reader: &Login, id: u128, card: [u8; 7]) -> Result<()> {
    let mut connection = scene.edge.connect(reader).await?;
    let credential = Credential::NfcUid { uid: card.into() };
    let payload = tap_json(TapId(Uuid::from_u128(id)), &credential, 0);
    let topic = format!("gymwire/v1/readers/{}/tap", reader.user);
    connection.queue(&topic, &payload, 1, false);
    connection.flush().await?;
    while connection.unacked() > 0 {
        connection.acks().await?;
    }
    connection.close().await
}

#[tokio::test]
async fn requests_and_taps_come_to_the_same_at_the_branch_and_in_the_cloud_over_a_kill()
-> Result<()> {
    let mut scene = Scene::prepare().await?;
    scene.site.machines(&["rower".to_owned()]).await?;
    let ada = scene.site.member("Ada", &[ADAS]).await?;
    scene.site.member("Ben", &[BENS]).await?;
    let reader = scene.site.reader_at("at-rower", "rower").await?;
    let last = scene.site.reader("last").await?;
    scene.edge.start().await?;
    scene::known(&scene.edge, &last).await?;

    let session = scene.site.ask(Wanted::CheckIn { member: ada }).await?;
    holds(&scene, "the app's request is a stay in both places", 1, 0).await?;
    tap(&scene, &reader, 1, ADAS).await?;
    holds(&scene, "the tap is a link in both places", 1, 1).await?;
    scene.edge.kill().await?;
    scene.edge.start().await?;
    holds(&scene, "a kill changes nothing", 1, 1).await?;
    // Taken: Ben gets neither the machine nor a stay.
    tap(&scene, &reader, 2, BENS).await?;
    scene.site.ask(Wanted::CheckOut { member: ada, session }).await?;
    holds(&scene, "the end of the stay gives the machine back", 0, 0).await?;

    let stays: Vec<(Uuid, String)> =
        sqlx::query_as("SELECT id, end_reason FROM gym_sessions").fetch_all(&scene.pool).await?;
    ensure!(stays == [(session, "checked_out".to_owned())], "{stays:?}");
    let reasons: Vec<String> = sqlx::query_scalar("SELECT reason FROM decisions ORDER BY at")
        .fetch_all(&scene.pool)
        .await?;
    ensure!(reasons == ["granted", "machine_taken"], "{reasons:?}");
    Ok(())
}

#[tokio::test]
async fn an_outage_of_the_cloud_ends_in_the_same_floor_on_both_sides() -> Result<()> {
    let mut scene = Scene::prepare().await?;
    scene.site.machines(&["rower".to_owned()]).await?;
    scene.site.member("Ada", &[ADAS]).await?;
    scene.site.member("Ben", &[BENS]).await?;
    let reader = scene.site.reader_at("at-rower", "rower").await?;
    let door = scene.site.reader("door").await?;
    scene.edge.start().await?;
    scene::known(&scene.edge, &door).await?;
    wait::until_true("the branch knows its members", LIMIT, || async {
        tap(&scene, &door, Uuid::new_v4().as_u128(), BENS).await?;
        Ok(scene.edge.metric(SESSIONS).await? > 0.0)
    })
    .await?;

    scene.link.cut();
    tap(&scene, &reader, 1, ADAS).await?;
    wait::until_true("the branch works on its own", LIMIT, || async {
        Ok(scene.edge.metric(LINKS).await? > 0.0)
    })
    .await?;
    scene.edge.kill().await?;
    scene.edge.start().await?;
    scene.link.heal();

    holds(&scene, "what was done alone is told", 2, 1).await
}
