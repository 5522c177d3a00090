//! `kill -9` of the cloud while facts of stays and machines arrive: whatever was folded half, in the end the rows are what all
//! facts come to at one go.

use anyhow::{Result, ensure};
use protocol::credential::Credential;
use protocol::ids::TapId;
use protocol::mqtt::payloads::tap_json;
use std::time::Duration;
use tests::mqtt::Login;
use tests::scene::{self, Scene};
use tests::seed::Seed;
use tests::{floor_oracle, wait};
use uuid::Uuid;

const KILLS: u64 = 6;
const MEMBERS: u32 = 6;
const MACHINES: u32 = 10;
/// Cards that are presented between two kills.
const TAPS: u64 = 60;
const DRAIN_LIMIT: Duration = Duration::from_mins(1);

#[tokio::test]
async fn what_a_killed_cloud_has_folded_is_what_all_facts_come_to() -> Result<()> {
    let mut seed = Seed::announced("kills while folding");
    let mut scene = Scene::prepare().await?;
    let readers = furnish(&scene).await?;
    scene.edge.start().await?;
    scene::known(&scene.edge, &scene.site.reader("last").await?).await?;

    let mut taps = 0;
    for _ in 0..KILLS {
        let passed = scene.link.bytes_up() + seed.between(1, 6_000);
        let pressing = present(&scene.edge, &readers, seed.part(taps));
        let killing = async {
            // Somewhere in a batch, in its transaction, or in the folding behind it.
            let is_there = async || Ok(scene.link.bytes_up() >= passed);
            wait::until_true("bytes went up", DRAIN_LIMIT, is_there).await?;
            scene.cloud.kill().await?;
            scene.cloud.start().await
        };
        let (pressed, killed) = tokio::join!(pressing, killing);
        pressed?;
        killed?;
        taps += TAPS;
    }

    scene.edge.drained(DRAIN_LIMIT).await?;
    settled(&scene.pool, DRAIN_LIMIT).await?;
    floor_oracle::check(&scene.pool).await?;
    let taps_there: i64 =
        sqlx::query_scalar("SELECT count(*) FROM taps").fetch_one(&scene.pool).await?;
    ensure!(taps_there.cast_unsigned() == taps, "{taps_there} of {taps} taps");
    let links: i64 =
        sqlx::query_scalar("SELECT count(*) FROM links").fetch_one(&scene.pool).await?;
    ensure!(links > 20, "only {links} links came of it");
    scene.edge.stop().await?;
    scene.cloud.stop().await
}

/// Waits until every fact is folded.
pub async fn settled(db: &sqlx::PgPool, limit: Duration) -> Result<()> {
    let is_open = "SELECT EXISTS (SELECT FROM facts WHERE NOT is_folded)";
    wait::until_true_at_last("everything is folded", limit, || async {
        Ok(!sqlx::query_scalar::<_, bool>(is_open).fetch_one(db).await?)
    })
    .await
}

/// A door, and machines with a reader each.
async fn furnish(scene: &Scene) -> Result<Vec<Login>> {
    for member in 0..MEMBERS {
        scene.site.member(&format!("Member {member}"), &[card(member)]).await?;
    }
    let mut readers = vec![scene.site.reader("door").await?];
    for machine in 0..MACHINES {
        let code = format!("machine-{machine}");
        scene.site.machines(std::slice::from_ref(&code)).await?;
        readers.push(scene.site.reader_at(&format!("at-{code}"), &code).await?);
    }
    Ok(readers)
}

/// Cards of all members at all readers, as it comes.
async fn present(edge: &tests::edge::Edge, readers: &[Login], mut seed: Seed) -> Result<()> {
    for _ in 0..TAPS {
        let reader = seed.one_of(readers).clone();
        let card = card(seed.between_u32(0, MEMBERS));
        let mut connection = edge.connect(&reader).await?;
        let credential = Credential::NfcUid { uid: card.into() };
        let payload = tap_json(TapId(Uuid::now_v7()), &credential, 0);
        connection.queue(&format!("gymwire/v1/readers/{}/tap", reader.user), &payload, 0, false);
        connection.flush().await?;
        connection.acks().await?;
        connection.close().await?;
    }
    Ok(())
}

fn card(member: u32) -> [u8; 7] {
    let [a, b, c, d] = member.to_be_bytes();
    [4, 1, 2, a, b, c, d]
}
