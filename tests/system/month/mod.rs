//! A month of a branch that the cloud has left alone: 200 machines, 1 500 members a day, a `kill -9` and a power cut every
//! day, a clock that starts in 1970 each time. Then the cloud is back, and everything is there as it was.
//!
//! The agent is the real one; its clock stands still but for the steps of this test, so that no busy computer changes what
//! happens. Everything else follows from the seed.

mod hall;
mod model;
mod power;
mod script;
mod verdict;

use anyhow::{Context as _, Result, ensure};
use hall::{Hall, card, code};
use model::{Model, spoken};
use power::Computer;
use script::{CLOSES_MIN, DAY_MIN, Day, OPENS_MIN, Scale};
use std::fs;
use std::time::Duration;
use tests::db::Db;
use tests::edge::Edge;
use tests::scene::{self, Scene};
use tests::seed::Seed;
use tokio::time::Instant;
use verdict::{Truth, Verdict};

const BRIDGES: u32 = 4;
/// On the last day the cloud comes back in the middle of it, with members inside.
const BACK_MIN: u32 = 18 * 60 + 5;
/// No more samples of an hour come than those that were sent: who waits longer for them only waits.
const GROUP_MS: u64 = 5;
/// How long everything may take to reach the cloud and be folded, however little it is. A guard against hanging.
const DRAIN_LIMIT: Duration = Duration::from_mins(15);
/// A cloud that takes fewer samples than this hangs.
const DRAINED_A_SECOND: u64 = 20_000;

/// With a sample a minute; `make soak` lives it at 1 Hz. `TEST_DAYS=3` is the same story in half a minute.
fn scale() -> Scale {
    let number = |name: &str, otherwise: u32| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    };
    Scale {
        days: number("TEST_DAYS", 30),
        machines: 200,
        visits_a_day: 1_500,
        samples_a_minute: number("TEST_SAMPLES_A_MINUTE", 1),
    }
}

/// What the journal may use. With a sample a minute it is so little that samples have to give way towards the end; with
/// more it is what a branch has.
fn quota_bytes(scale: Scale) -> u64 {
    if scale.samples_a_minute == 1 { u64::from(scale.days) * 3_600_000 } else { 4 << 30 }
}

/// At 1 Hz a month has 345 million samples.
fn drain_limit(scale: Scale) -> Duration {
    let minutes = u64::from(scale.days) * u64::from(CLOSES_MIN - OPENS_MIN);
    let samples = minutes * u64::from(scale.machines) * u64::from(scale.samples_a_minute);
    DRAIN_LIMIT + Duration::from_secs(samples / DRAINED_A_SECOND)
}

struct Month {
    scale: Scale,
    scene: Scene,
    hall: Hall,
    computer: Computer,
    model: Model,
    seed: Seed,
    largest_bytes: u64,
}

/// When the agent of a day is killed, and when the power fails.
#[derive(Debug, Clone, Copy)]
struct Faults {
    kill_min: u32,
    cut_min: u32,
}

#[tokio::test]
async fn a_month_without_the_cloud_with_kills_power_cuts_and_a_clock_in_1970_loses_nothing()
-> Result<()> {
    let seed = Seed::announced("the month");
    let begun = Instant::now();
    let mut month = Month::begin(scale(), seed).await?;
    say(&format!("the branch is ready after {:.0?}", begun.elapsed()));

    let end_min = month.live().await.with_context(|| month.scene.edge.log_tail())?;
    say(&format!("the month is over after {:.0?}", begun.elapsed()));
    let truth = month.come_back(end_min).await.with_context(|| month.scene.edge.log_tail())?;
    say(&format!("everything is in the cloud after {:.0?}", begun.elapsed()));

    Verdict::of(&month.scene.pool, &truth, &month.model, &month.hall, month.scale).await?;
    say(&format!("and is right after {:.0?}", begun.elapsed()));
    month.scene.edge.stop().await
}

impl Month {
    async fn begin(scale: Scale, seed: Seed) -> Result<Self> {
        // In a soak it is gigabytes.
        let edge = if scale.samples_a_minute == 1 { Edge::in_memory()? } else { Edge::new()? };
        let mut scene = Scene::with(Db::new().await?, edge).await?;
        let quota = quota_bytes(scale);
        scene.edge.configure(&format!(
            "agent.log = \"warn\"\njournal.max_bytes = {quota}\njournal.min_free_bytes = 0\n\
             journal.group_ms = {GROUP_MS}\n"
        ))?;
        let logins = furnish(&scene, scale).await?;
        scene.edge.start().await?;
        // What is told after the first start is told when everything before it is known.
        scene::known(&scene.edge, &scene.site.reader("last").await?).await?;
        scene.edge.stop().await?;
        scene.link.cut();
        let computer = Computer::of(&mut scene.edge);
        let hall = Hall::new(scale, logins);
        let model = Model::default();
        Ok(Self { scale, scene, hall, computer, model, seed, largest_bytes: 0 })
    }

    /// Until the cloud is back; the minute of the month.
    async fn live(&mut self) -> Result<u32> {
        self.computer.switch_on(0, &mut self.seed)?;
        self.computer.start(&mut self.scene.edge).await?;
        self.hall.connect(self.scene.edge.ports().mqtt).await?;
        for number in 0..self.scale.days {
            self.day(number).await.with_context(|| format!("on day {}", number + 1))?;
        }
        let starts = &self.computer.starts;
        let slowest = starts.iter().max().copied().unwrap_or_default();
        say(&format!(
            "{} starts until the door was open, the slowest in {slowest:.1?} (5 s are wanted); \
             the journal used {} MiB of {} MiB",
            starts.len(),
            self.largest_bytes >> 20,
            quota_bytes(self.scale) >> 20,
        ));
        Ok((self.scale.days - 1) * DAY_MIN + BACK_MIN)
    }

    async fn day(&mut self, number: u32) -> Result<()> {
        let is_last = number + 1 == self.scale.days;
        let acts = Day::draw(self.scale, number, &self.seed);
        let faults = Faults::draw(&mut self.seed);
        let mut acts = acts.into_iter().peekable();
        for of_day in OPENS_MIN..=CLOSES_MIN {
            if is_last && of_day > BACK_MIN {
                break;
            }
            let minute = number * DAY_MIN + of_day;
            self.computer.stand_at(minute)?;
            while let Some((_, act)) = acts.next_if(|(at_min, _)| *at_min <= of_day) {
                self.model.act(minute, act);
                self.hall.act(act);
            }
            if of_day == faults.kill_min {
                self.kill().await?;
            } else if of_day == faults.cut_min {
                self.cut(minute).await?;
            }
            self.hall.settle().await.with_context(|| spoken(minute))?;
            self.hall.measure(minute).await.with_context(|| spoken(minute))?;
        }
        self.weigh()
    }

    /// Some of what is on its way is not acked then.
    async fn kill(&mut self) -> Result<()> {
        self.hall.settle_some(usize::try_from(self.seed.between(0, 3))?).await?;
        self.scene.edge.kill().await?;
        self.hall.cut();
        self.computer.start_recorded(&mut self.scene.edge).await?;
        self.hall.connect(self.scene.edge.ports().mqtt).await
    }

    async fn cut(&mut self, minute: u32) -> Result<()> {
        self.hall.settle_some(usize::try_from(self.seed.between(0, 3))?).await?;
        self.computer.lose_power(&mut self.scene.edge, minute, &mut self.seed).await?;
        self.hall.cut();
        self.computer.start(&mut self.scene.edge).await?;
        self.hall.connect(self.scene.edge.ports().mqtt).await
    }

    /// The journal and its log stay within the quota.
    fn weigh(&mut self) -> Result<()> {
        let file = |name: &str| fs::metadata(self.scene.edge.state().join(name));
        let (journal, log) = (file("journal.db")?.len(), file("journal.db-wal")?.len());
        let quota = quota_bytes(self.scale);
        // The file may be somewhat above it while room is made; the log has a bound of its own.
        ensure!(journal <= quota + quota / 8 + (1 << 20), "{journal} bytes are over the quota");
        ensure!(log <= 32 << 20, "the log has {log} bytes");
        self.largest_bytes = self.largest_bytes.max(journal);
        Ok(())
    }

    /// The cloud is there again, and gets everything.
    async fn come_back(&mut self, end_min: u32) -> Result<Truth> {
        self.model.pass(end_min);
        self.hall.settle().await?;
        self.scene.edge.stop().await?;
        let truth = Truth::read(&self.scene.edge.state(), &self.computer, end_min)?;
        self.computer.go_on_at(end_min)?;
        self.scene.edge.start().await?;
        self.scene.link.heal();
        let limit = drain_limit(self.scale);
        self.scene.edge.drained(limit).await?;
        verdict::settled(&self.scene.pool, limit).await?;
        Ok(truth)
    }
}

impl Faults {
    fn draw(seed: &mut Seed) -> Self {
        let kill_min = seed.between_u32(9 * 60, 17 * 60);
        Self { kill_min, cut_min: kill_min + seed.between_u32(2, 12) }
    }
}

/// Members, machines with a reader each, and a door.
async fn furnish(scene: &Scene, scale: Scale) -> Result<Vec<tests::mqtt::Login>> {
    // The last one never comes, but once in a while wants a machine.
    scene.site.members((0..=scale.visits_a_day).map(|member| card(member).to_vec())).await?;
    let mut logins = Vec::new();
    for bridge in 0..BRIDGES {
        let of_bridge: Vec<u32> = (0..scale.machines)
            .filter(|machine| Hall::bridge_of(*machine, scale, BRIDGES) == bridge)
            .collect();
        let machines: Vec<String> = of_bridge.iter().map(|machine| code(*machine)).collect();
        let mut readers: Vec<String> = machines.iter().map(|code| format!("at-{code}")).collect();
        if bridge == 0 {
            readers.push("door".to_owned());
        }
        let (readers, codes) = (strs(&readers), strs(&machines));
        let login = scene.site.bridge_of(&format!("bridge-{bridge}"), &readers, &codes).await?;
        for machine in &machines {
            scene.site.place(&format!("at-{machine}"), machine).await?;
        }
        logins.push(login);
    }
    Ok(logins)
}

fn strs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

#[expect(clippy::print_stderr, reason = "durations are told, and decide nothing")]
fn say(text: &str) {
    eprintln!("the month: {text}");
}
