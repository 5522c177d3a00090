//! Pictures of every page of a branch on a busy day, and of the operators', for people to look at (`make screenshots`).

mod operators;

use crate::browser::{self, Browser, Gym, PEOPLE, PHONE, Scheme, TABLET, Width};
use crate::mqtt::Connection;
use crate::test_clock::{DAY_MS, Step};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const SLOT_MS: i64 = 600_000;
/// From six in the morning until shortly before six in the evening.
const SLOTS: i64 = 71;
/// How often a machine is heard in the picture, and how long.
const BEAT_MS: i64 = 5_000;
const BEATS: i64 = 100;
const FRAME: Duration = Duration::from_millis(150);
const QUALITY: u8 = 55;
const SCREENS: u32 = 2;
const LIMIT: Duration = Duration::from_secs(20);

/// The pages of somebody who is signed in: name of the picture, and path.
fn pages() -> Vec<(&'static str, String)> {
    let member = browser::member_id(0);
    let fixed = [
        ("floor", "/floor"),
        ("members", "/members?q=na"),
        ("machines", "/machines"),
        ("machine", "/machines/bike-1"),
        ("taps", "/taps"),
        ("devices", "/devices"),
        ("sync", "/sync"),
        ("settings", "/settings"),
        ("enrolment", "/enrolment"),
    ];
    let mut pages: Vec<_> = fixed.map(|(name, path)| (name, path.to_owned())).into();
    pages.insert(2, ("member", format!("/members/{member}")));
    pages
}

/// Takes all of them into a folder.
pub async fn take(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let empty = Gym::empty().await?;
    let browser = empty.browser().await?;
    each(&browser, folder, "first-start", "/first-start").await?;
    let mut gym = Gym::prepare(0).await?;
    gym.password = gym.edge.add_staff("Eva", "manager").await?;
    let mut day = Day::begin(&gym)?;
    gym.start().await?;
    day.pass(&gym).await?;
    for code in ["door-box", "bike-1", "bike-1"] {
        gym.edge.certify(code).await?;
    }
    let browser = gym.browser().await?;
    each(&browser, folder, "sign-in", "/sign-in").await?;
    browser.sign_in("Eva", &gym.password).await?;
    lend(&browser).await?;
    for (name, path) in pages() {
        each(&browser, folder, name, &path).await?;
    }
    browser.go(&format!("/members/{}", browser::member_id(0))).await?;
    browser.press("Wait for the card").await?;
    browser.sees("Present the card").await?;
    each(&browser, folder, "work", "/work").await?;
    operators::take(folder).await
}

/// Takes those of the operators' page alone.
pub async fn take_operators(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    operators::take(folder).await
}

/// Some of those who are inside are given machines, and something is written down.
async fn lend(browser: &Browser) -> Result<()> {
    let mut free = ["Bike 1", "Rower 1", "Leg press", "Treadmill 1"].into_iter();
    browser.go("/floor").await?;
    let links = "[...document.querySelectorAll('#inside a')].map(one => one.getAttribute('href'))";
    let inside = browser.value(links).await?;
    for member in inside.as_array().into_iter().flatten().take(4) {
        browser.go(member.as_str().unwrap_or_default()).await?;
        browser.choose("Which", free.next().unwrap_or_default()).await?;
        browser.press("Lend").await?;
        browser.sees("The machine is theirs.").await?;
    }
    browser.go("/machines/bike-1").await?;
    browser.fill("What was found or done", "Pedal tightened, seat post greased.").await?;
    browser.press("Save").await?;
    browser.sees("Written down.").await
}

async fn each(browser: &Browser, folder: &Path, name: &str, path: &str) -> Result<()> {
    for (width, scheme) in [PHONE, TABLET].into_iter().flat_map(of_both) {
        browser.on(width).await?;
        browser.prefer(scheme).await?;
        browser.go(path).await?;
        let picture = browser.picture(width, SCREENS, QUALITY).await?;
        let file = format!("{name}-{}-{}.webp", width.name, scheme.as_str());
        std::fs::write(folder.join(&file), picture).with_context(|| file)?;
    }
    Ok(())
}

fn of_both(width: Width) -> [(Width, Scheme); 2] {
    Scheme::ALL.map(|scheme| (width, scheme))
}

/// A day that is played in a few seconds: the agent's clocks are stepped.
struct Day {
    begin: Step,
    passed_ms: i64,
    machines: Vec<(&'static str, Connection)>,
}

impl Day {
    fn begin(gym: &Gym) -> Result<Self> {
        let now_ms = edge_agent::ops::clock::Clock::system().stamp().wall_ms;
        // Yesterday at six: nothing that is made then is not valid yet.
        let six = now_ms.div_euclid(DAY_MS) * DAY_MS - DAY_MS + 6 * 3_600_000;
        let begin = Step { wall_ms: six - now_ms, synced: Some(true), ..Step::default() };
        gym.clock.step(begin)?;
        Ok(Self { begin, passed_ms: 0, machines: Vec::new() })
    }

    fn step(&mut self, gym: &Gym, ms: i64) -> Result<()> {
        self.passed_ms += ms;
        let Step { wall_ms, mono_ms, .. } = self.begin;
        gym.clock.step(Step {
            wall_ms: wall_ms + self.passed_ms,
            mono_ms: mono_ms + self.passed_ms,
            ..self.begin
        })
    }

    /// People come and go, and train in the end.
    async fn pass(&mut self, gym: &Gym) -> Result<()> {
        let mut is_inside = [false; PEOPLE.len()];
        for slot in 0..SLOTS {
            for (number, is_inside) in is_inside.iter_mut().enumerate() {
                // Each has a rhythm of their own; in the evening nobody leaves.
                let rhythm = (i64::try_from(number)? * 13 + slot * 7) % 29;
                let is_evening = slot > SLOTS - 12;
                let moves = rhythm == 0 || (is_evening && rhythm % 4 == 0);
                if moves && !(is_evening && *is_inside) && number != 9 {
                    gym.tap("entrance", browser::card_of(number)).await?;
                    *is_inside = !*is_inside;
                }
            }
            // The agent counts who is inside when it has drawn the floor, ten times a second.
            tokio::time::sleep(FRAME).await;
            self.step(gym, SLOT_MS)?;
        }
        gym.tap("entrance", browser::ADAS_CARD).await?;
        gym.tap("entrance", browser::card_of(9)).await?;
        self.train(gym).await
    }

    async fn train(&mut self, gym: &Gym) -> Result<()> {
        let states: [(&str, Value); 10] = [
            ("treadmill-1", json!({"state": "in_use"})),
            ("treadmill-2", json!({"state": "in_use"})),
            ("bike-1", json!({"state": "in_use"})),
            ("bike-2", json!({"state": "idle"})),
            ("rower-1", json!({"state": "in_use"})),
            ("stepper-1", json!({"state": "in_use"})),
            ("leg-press", json!({"state": "in_use"})),
            ("chest-press", json!({"state": "idle"})),
            ("lat-pulldown", json!({"state": "out_of_order", "error": "cable sensor"})),
            ("cable-tower", json!({"state": "idle"})),
        ];
        for (code, status) in states {
            let connection = gym.machine(code, &status).await?;
            self.machines.push((code, connection));
        }
        for beat in 0..BEATS {
            for (place, (code, connection)) in (0_i32..).zip(&mut self.machines) {
                let Some(sample) = sample(code, place, beat) else { continue };
                let topic = format!("gymwire/v1/machines/{code}/telemetry");
                connection.queue(&topic, sample.to_string().as_bytes(), 0, false);
                connection.flush().await?;
            }
            for (_, connection) in &mut self.machines {
                while connection.unacked() > 0 {
                    tokio::time::timeout(LIMIT, connection.acks()).await.context("no ack")??;
                }
            }
            self.step(gym, BEAT_MS)?;
        }
        Ok(())
    }
}

fn sample(code: &str, place: i32, beat: i64) -> Option<Value> {
    let time = f64::from(i32::try_from(beat).ok()?);
    let wave =
        (time / (5.0 + f64::from(place))).sin() + (time / 3.3 + f64::from(place)).sin() / 3.0;
    let one = |value: f64| (value * 10.0).round() / 10.0;
    match code {
        "treadmill-1" | "treadmill-2" => {
            Some(json!({"boot": 1, "seq": beat + 1, "speed_mps": one(2.6 + wave * 0.4)}))
        }
        "bike-1" | "rower-1" | "stepper-1" => {
            Some(json!({"boot": 1, "seq": beat + 1, "power_w": (160.0 + wave * 35.0).round()}))
        }
        "leg-press" => Some(
            json!({"boot": 1, "seq": beat + 1, "weight_kg": 80.0 + (time / 25.0).floor() * 5.0}),
        ),
        _ => None,
    }
}
