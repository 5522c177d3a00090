//! The branch's computer over the month: a clock that starts in 1970 whenever the power comes back, `kill -9`, and power
//! cuts that leave of what was not synced whatever a disk may leave.

use crate::power_cut::disk::Disk;
use crate::power_cut::recording;
use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use std::path::PathBuf;
use std::time::Duration;
use tests::edge::Edge;
use tests::seed::Seed;
use tests::test_clock::{Step, TestClock};
use tokio::time::Instant;

/// From power on until the agent is started.
const BOOT_MS: i64 = 20_000;
const MINUTE_MS: i64 = 60_000;
const END_LIMIT: Duration = Duration::from_secs(20);

/// The computer.
pub struct Computer {
    clock: TestClock,
    boot: u64,
    /// Minute of the month at which it was switched on last.
    pub on_since_min: u32,
    /// The state folder as it was when recording began.
    recorded: Option<Disk>,
    trace: PathBuf,
    /// From each start to an open door.
    pub starts: Vec<Duration>,
    /// Minutes of the month at which the power was cut.
    pub cuts: Vec<u32>,
}

impl Computer {
    pub fn of(edge: &mut Edge) -> Self {
        let clock = TestClock::of(edge);
        let trace = edge.state().with_file_name("trace");
        let (starts, cuts) = (Vec::new(), Vec::new());
        Self { clock, boot: 0, on_since_min: 0, recorded: None, trace, starts, cuts }
    }

    /// Is switched on in a minute of the month, in 1970.
    pub fn switch_on(&mut self, minute: u32, seed: &mut Seed) -> Result<()> {
        (self.boot, self.on_since_min) = (seed.bits(), minute);
        self.cuts.push(minute);
        self.stand_at(minute)
    }

    /// It is this minute of the month.
    pub fn stand_at(&self, minute: u32) -> Result<()> {
        self.clock.step(Step::standing_in_1970(self.boot, self.mono_ms(minute)))
    }

    /// From this minute on time passes by itself.
    pub fn go_on_at(&self, minute: u32) -> Result<()> {
        self.clock.step(Step::going_on_in_1970(self.boot, self.mono_ms(minute)))
    }

    pub fn boot(&self) -> u64 {
        self.boot
    }

    /// Its monotonic clock in a minute of the month.
    pub fn mono_ms(&self, minute: u32) -> i64 {
        BOOT_MS + i64::from(minute - self.on_since_min) * MINUTE_MS
    }

    /// Starts the agent.
    pub async fn start(&mut self, edge: &mut Edge) -> Result<()> {
        let begun = Instant::now();
        edge.start().await?;
        self.starts.push(begun.elapsed());
        Ok(())
    }

    /// Starts the agent such that [`Computer::lose_power`] knows what was on the disk.
    pub async fn start_recorded(&mut self, edge: &mut Edge) -> Result<()> {
        self.recorded = Some(Disk::holding(&edge.state())?);
        let trace = self.trace.to_str().context("the path is UTF-8")?;
        edge.start_by(&recording::recorder(trace)).await
    }

    /// The power fails; what the disk holds then is what the next start finds.
    pub async fn lose_power(
        &mut self,
        edge: &mut Edge,
        minute: u32,
        seed: &mut Seed,
    ) -> Result<()> {
        let recorder = edge.process()?;
        let children = format!("/proc/{0}/task/{0}/children", recorder.pid()?);
        let agent: i32 = std::fs::read_to_string(children)?.trim().parse()?;
        kill_process(Pid::from_raw(agent).context("a pid is not 0")?, Signal::KILL)?;
        recorder.ended(END_LIMIT).await?;
        let mut disk = self.recorded.take().context("nothing was recorded")?;
        for event in recording::read(&self.trace, &edge.state())? {
            disk.apply(&event, &edge.state());
        }
        disk.after_power_cut(seed).replace_those_of(&edge.state())?;
        self.switch_on(minute, seed)
    }
}
