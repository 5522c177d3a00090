//! An agent whose clocks are wrong: it starts in 1970, and its wall clock jumps by a day to and fro under load and during
//! an outage. Nothing is lost or doubled, and the cloud dates everything right.

use anyhow::{Context as _, Result, ensure};
use edge_agent::ops::clock::Clock;
use protocol::machine::{Field, Sample, columns};
use protocol::mqtt::payloads::telemetry_json;
use serde_json::json;
use sqlx::{PgPool, Row as _};
use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;
use tests::load::Crowd;
use tests::mqtt::{Login, TlsDoor};
use tests::scene::{self, Scene};
use tests::seed::Seed;
use tests::test_clock::{DAY_MS, Step, TestClock};
use tests::wait;
use uuid::Uuid;

const DRAIN_LIMIT: Duration = Duration::from_mins(1);
/// What each device of the crowd sends while the clock stands somewhere.
const MESSAGES: u64 = 40;
/// What a learnt time may be off: a round trip on a busy machine.
const TOLERANCE_MS: i64 = 5_000;
const BOOT: u32 = 7;
const PROBE: &str = "probe";

/// A branch under load, with a clock that can be stepped and somebody who knows what time it really is.
struct Story {
    scene: Scene,
    crowd: Crowd,
    clock: TestClock,
    probe: Probe,
}

/// A machine and a reader whose messages are known by number, each with the time at which it was really sent.
struct Probe {
    machine: Login,
    reader: Login,
    door: TlsDoor,
    sent: BTreeMap<u64, Range<i64>>,
}

impl Story {
    async fn begin(seed: &mut Seed) -> Result<Self> {
        let mut scene = Scene::prepare().await?;
        let crowd = Crowd::gather(&scene.site, seed).await?;
        let machine = scene.site.machines(&[PROBE.to_owned()]).await?.remove(0);
        let reader = scene.site.reader("door-3").await?;
        let clock = TestClock::of(&mut scene.edge);
        scene.edge.start().await?;
        scene::known(&scene.edge, &reader).await?;
        let door = TlsDoor::new(scene.edge.ports().mqtts, &scene.edge.ca().await?)?;
        let probe = Probe { machine, reader, door, sent: BTreeMap::new() };
        Ok(Self { scene, crowd, clock, probe })
    }

    /// Load, and in the middle of it a message whose time is known.
    async fn work(self) -> Result<Self> {
        let Self { scene, crowd, clock, mut probe } = self;
        let (crowd, ()) =
            tokio::try_join!(crowd.send(scene.edge.ports().mqtt, MESSAGES), probe.send())?;
        Ok(Self { scene, crowd, clock, probe })
    }

    async fn restart(&mut self) -> Result<()> {
        self.scene.edge.stop().await?;
        self.scene.edge.start().await
    }

    /// Everything is in the cloud once and dated as it really was.
    async fn conclude(self) -> Result<()> {
        let Self { mut scene, crowd, probe, .. } = self;
        let ledger = crowd.settle(scene.edge.ports().mqtt).await?;
        let probes = i64::try_from(probe.sent.len())?;
        wait::until_true("the probes are in the cloud, with dates", DRAIN_LIMIT, || async {
            let (taps, samples) = (dated_taps(&scene.pool), dated_samples(&scene.pool));
            Ok((taps.await?, samples.await?) == (probes, probes))
        })
        .await
        .with_context(|| format!("log of the agent: {}", scene.edge.log_text()))?;
        let mut verdict = scene.judge(&ledger, DRAIN_LIMIT).await?;
        verdict.invented.retain(|id| id.device != PROBE);
        ensure!(verdict.is_clean(), "{verdict}");
        let (taps, samples) = (tap_times(&scene.pool).await?, sample_times(&scene.pool).await?);
        for (number, sent) in &probe.sent {
            for (what, times) in [("tap", &taps), ("sample", &samples)] {
                let at = times.get(number).with_context(|| format!("no {what} {number}"))?;
                let wanted = sent.start - TOLERANCE_MS..sent.end + TOLERANCE_MS;
                ensure!(wanted.contains(at), "{what} {number} is dated {at} and not {wanted:?}");
            }
        }
        ensure!(disorder(&scene.pool).await? == 0, "the order of the journal is not that of time");
        scene.edge.stop().await
    }
}

impl Probe {
    /// A tap and a sample over TLS.
    async fn send(&mut self) -> Result<()> {
        let number = self.sent.len() as u64 + 1;
        let begun = now_ms();
        let tap = json!({
            "tap_id": Uuid::now_v7(), "age_ms": 0,
            "credential": {"kind": "qr", "code": format!("{PROBE}-{number}")},
        });
        let mut sample = Sample { seq: number, boot: Some(BOOT), ..Sample::default() };
        sample.fields.set(Field::PowerW, 100.0);
        let (reader, machine) = (&self.reader, &self.machine);
        self.publish(reader, "readers", "tap", tap.to_string().as_bytes()).await?;
        self.publish(machine, "machines", "telemetry", &telemetry_json(&[sample])).await?;
        self.sent.insert(number, begun..now_ms());
        Ok(())
    }

    async fn publish(&self, login: &Login, kind: &str, leaf: &str, payload: &[u8]) -> Result<()> {
        let mut connection = self.door.connect(login).await?;
        connection.queue(&format!("gymwire/v1/{kind}/{}/{leaf}", login.user), payload, 1, false);
        connection.flush().await?;
        connection.acks().await?;
        connection.close().await
    }
}

#[tokio::test]
async fn an_edge_that_starts_in_1970_without_a_cloud_loses_nothing_and_is_dated_late() -> Result<()>
{
    let mut seed = Seed::announced("1970");
    let mut story = Story::begin(&mut seed).await?.work().await?;
    story.scene.edge.stop().await?;
    story.scene.link.cut();
    story.clock.step(Step::in_1970(seed.bits()))?;
    story.scene.edge.start().await?;

    let mut story = story.work().await?;
    let (edge, kill) = (story.scene.edge.ports().mqtt, seed.between(1, 300));
    story.crowd = story.crowd.under_load(edge, kill, story.scene.edge.kill()).await?;
    story.scene.edge.start().await?;
    let story = story.work().await?;
    story.scene.link.heal();

    story.work().await?.conclude().await
}

#[tokio::test]
async fn a_wall_clock_that_jumps_by_a_day_moves_nothing() -> Result<()> {
    let mut seed = Seed::announced("jumps");
    let story = Story::begin(&mut seed).await?;

    Box::pin(jump(story, None)).await
}

/// As when somebody sets the clock by hand on a computer that was synchronised before.
#[tokio::test]
async fn a_synchronised_clock_that_is_set_by_hand_moves_nothing() -> Result<()> {
    let mut seed = Seed::announced("jumps of a synchronised clock");
    let story = Story::begin(&mut seed).await?;

    Box::pin(jump(story, Some(true))).await
}

async fn jump(story: Story, synced: Option<bool>) -> Result<()> {
    let at = |wall_ms| Step { wall_ms, synced, ..Step::default() };
    story.clock.step(at(0))?;
    let story = story.work().await?;
    story.clock.step(at(DAY_MS))?;
    let mut story = story.work().await?;
    // Asks for a new token with a wrong clock.
    story.restart().await?;
    let story = story.work().await?;

    story.scene.link.cut();
    story.clock.step(at(-DAY_MS))?;
    let story = story.work().await?;
    story.clock.step(at(0))?;
    let story = story.work().await?;
    story.clock.step(at(-DAY_MS))?;
    story.scene.link.heal();
    let mut story = story.work().await?;
    story.restart().await?;
    let story = story.work().await?;

    story.clock.step(at(0))?;
    story.work().await?.conclude().await
}

fn now_ms() -> i64 {
    Clock::system().stamp().wall_ms
}

async fn dated_taps(db: &PgPool) -> Result<i64> {
    let count = "SELECT count(*) FROM taps JOIN devices ON devices.id = device_id
                 WHERE code = 'door-3' AND is_dated";
    Ok(sqlx::query_scalar(count).fetch_one(db).await?)
}

async fn dated_samples(db: &PgPool) -> Result<i64> {
    let count = "SELECT coalesce(sum(count), 0)::bigint FROM telemetry_chunks
                 JOIN devices ON devices.id = machine_id WHERE code = $1 AND is_dated";
    Ok(sqlx::query_scalar(count).bind(PROBE).fetch_one(db).await?)
}

/// When the probe's taps were made, as the cloud has it. Their ids are in the order of time.
async fn tap_times(db: &PgPool) -> Result<BTreeMap<u64, i64>> {
    let taps = sqlx::query(
        "SELECT (extract(epoch FROM at) * 1000)::bigint AS at_ms FROM taps
         JOIN devices ON devices.id = device_id WHERE code = 'door-3' ORDER BY tap_id",
    )
    .fetch_all(db)
    .await?;
    (1..).zip(taps).map(|(number, tap)| Ok((number, tap.try_get("at_ms")?))).collect()
}

/// When the probe's samples were taken, as the cloud has it.
async fn sample_times(db: &PgPool) -> Result<BTreeMap<u64, i64>> {
    let chunks = sqlx::query(
        "SELECT columns, offset_ms FROM telemetry_chunks
         JOIN devices ON devices.id = machine_id WHERE code = $1",
    )
    .bind(PROBE)
    .fetch_all(db)
    .await?;
    let mut times = BTreeMap::new();
    for chunk in chunks {
        let offset_ms: i64 = chunk.try_get("offset_ms")?;
        for timed in columns::decode(chunk.try_get("columns")?)? {
            times.insert(timed.sample.seq, offset_ms.saturating_add_unsigned(timed.mono_ms));
        }
    }
    Ok(times)
}

/// How many taps are, by their dates, much older than one that was journaled before them.
async fn disorder(db: &PgPool) -> Result<i64> {
    let count = "SELECT count(*) FROM (
                   SELECT at, max(at) OVER (PARTITION BY edge_id, epoch ORDER BY seq) AS newest
                   FROM taps) AS journaled
                 WHERE at < newest - interval '5 seconds'";
    Ok(sqlx::query_scalar(count).fetch_one(db).await?)
}
