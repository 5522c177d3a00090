//! The staff page while 200 machines send a sample a second: how soon a page begins, how soon a change is told, and what
//! the agent takes with all of it. And how soon somebody is found among 50 000 members.

use super::table::Row;
use crate::doors;
use crate::edge::Edge;
use crate::mqtt::{Connection, Login};
use crate::staff_page::StaffPage;
use crate::times::Times;
use anyhow::{Context as _, Result, ensure};
use protocol::sync::entry::DeviceKind;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::{Instant, interval, timeout};

const MACHINES: usize = 200;
const LOAD_S: u64 = 30;
const PAGES: u32 = 300;
const CHANGES: u64 = 60;
const GAP: Duration = Duration::from_millis(150);
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_BYTE_LIMIT: Duration = Duration::from_millis(20);
const UPDATE_LIMIT: Duration = Duration::from_millis(100);
const MEMORY_LIMIT_MB: f64 = 60.0;
const MEMBERS: u32 = 50_000;
const SEARCHES: u32 = 200;
const SEARCH_LIMIT: Duration = Duration::from_millis(100);
const SHOWN: &str = "bench-machine";

/// Pages, changes and memory.
pub async fn measure() -> Result<Vec<Row>> {
    let (mut edge, logins) = super::alone(MACHINES).await?;
    let shown = edge.add_devices(DeviceKind::Machine, &[SHOWN.to_owned()]).await?;
    let password = edge.add_staff("bench", "manager").await?;
    edge.start().await?;
    let page = edge.staff_page("bench", &password).await?;
    let mqtt = edge.ports().mqtt;
    let shown = shown.first().context("a machine was added")?;
    let watch = async {
        let first_bytes = first_bytes(&page).await?;
        let changes = changes(&page, mqtt, shown).await?;
        anyhow::Ok((first_bytes, changes))
    };
    let load = super::disk::run(mqtt, &logins, LOAD_S, 1);
    let (watched, loaded) = tokio::join!(watch, load);
    loaded?;
    let (first_bytes, changes) = watched?;
    let rss_mb = f64::from(u32::try_from(edge.process()?.rss_bytes()? / 1_000)?) / 1_000.0;
    edge.stop().await?;
    let searches = searches().await?;
    Ok(vec![
        Row::p99(
            "staff page, first byte, p99, 200 machines at 1 Hz",
            &first_bytes,
            FIRST_BYTE_LIMIT,
        ),
        Row::p99("change on the floor told to the page, p99, same load", &changes, UPDATE_LIMIT),
        Row::p99("search among 50 000 members, p99", &searches, SEARCH_LIMIT),
        Row::judged(
            "memory of the agent with the page in use",
            format!("{rss_mb:.1} MB"),
            format!("at most {MEMORY_LIMIT_MB} MB"),
            rss_mb <= MEMORY_LIMIT_MB,
        ),
    ])
}

/// What somebody types, letter by letter, and what is found; the first search reads all names.
async fn searches() -> Result<Times> {
    let mut edge = Edge::new()?;
    edge.configure("agent.log = \"warn\"\n")?;
    doors::furnish(&edge, "door", MEMBERS).await?;
    let password = edge.add_staff("bench", "manager").await?;
    edge.start().await?;
    let page = edge.staff_page("bench", &password).await?;
    let mut times = Times::new();
    for number in 0..SEARCHES {
        let wanted = MEMBERS - 1 - number * 7;
        let path = format!("/members?q=MEMBER+{wanted}");
        let asked = Instant::now();
        let found = page.open(&path, "text/html").await?.text().await?;
        times.record(asked.elapsed());
        ensure!(found.contains(&format!(">Member {wanted}<")), "{wanted} was not found");
    }
    edge.stop().await?;
    Ok(times)
}

/// Over a connection that is there, as a browser keeps it.
async fn first_bytes(page: &StaffPage) -> Result<Times> {
    let (mut times, mut beat) = (Times::new(), interval(Duration::from_millis(25)));
    for _ in 0..PAGES {
        beat.tick().await;
        let asked = Instant::now();
        let answer = page.open("/floor", "text/html").await?;
        times.record(asked.elapsed());
        answer.bytes().await?;
    }
    Ok(times)
}

/// From the ack of a machine's status to the event that shows it.
async fn changes(page: &StaffPage, mqtt: SocketAddr, machine: &Login) -> Result<Times> {
    let mut stream = page.open("/floor/live", "text/event-stream").await?;
    let mut connection = Connection::open(mqtt, machine).await?;
    let topic = format!("gymwire/v1/machines/{SHOWN}/status");
    let (mut times, mut beat) = (Times::new(), interval(GAP));
    for number in 0..CHANGES {
        beat.tick().await;
        let (state, words) = if number % 2 == 0 { ("paused", "Paused") } else { ("idle", "Free") };
        let status = serde_json::json!({ "state": state }).to_string();
        connection.queue(&topic, status.as_bytes(), number, false);
        connection.flush().await?;
        let acks = connection.acks().await?;
        let acked = Instant::now();
        drop(acks);
        timeout(PATIENCE, told(&mut stream, words)).await.context("no event told the change")??;
        times.record(acked.elapsed());
    }
    connection.close().await?;
    Ok(times)
}

async fn told(stream: &mut reqwest::Response, words: &str) -> Result<()> {
    let (place, shown) = (format!("id=\"m-{SHOWN}\""), format!(">{words}<"));
    let mut text = String::new();
    loop {
        let piece = stream.chunk().await?.context("the stream has ended")?;
        text.push_str(&String::from_utf8_lossy(&piece));
        if text.rsplit_once(&place).is_some_and(|(_, tile)| tile.contains(&shown)) {
            return Ok(());
        }
    }
}
