//! A machine's status to thousands of `WebSockets`: ours beside `ws` and Socket.IO on Node, in the same run on the same
//! core, heard by the same clients on the other.
//!
//! Ours is timed from before the transaction that writes the event, theirs from before the request that says what to send.

mod listener;
mod peer;

use super::table::Row;
use crate::cloud::Cloud;
use crate::db::Db;
use crate::process::Process;
use crate::times::Times;
use crate::{cores, http};
use anyhow::{Context as _, Result};
use cloud_api::Clock;
use cloud_api::events::log::{self, Audience, Event, MachineStatus};
use cloud_api::ids::{BranchId, DeviceId};
use listener::{Crowd, Greeting};
use peer::Peer;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use sqlx::PgPool;
use std::future::Future;
use std::time::Duration;
use tokio::time::Instant;

const SIZES: [usize; 2] = [1_000, 10_000];
const BROADCASTS: u32 = 30;
const WARM_UP: u32 = 5;
const PAUSE: Duration = Duration::from_millis(300);
const MAX_AT_1000: Duration = Duration::from_millis(10);
const MAX_BYTES: f64 = 10_000.0;
const MAX_TIME_OF_WS: f64 = 0.7;
const MAX_CPU_OF_WS: f64 = 0.5;

/// What it came to with so many clients.
struct Figures {
    times: Times,
    cpu: Duration,
    bytes_a_client: f64,
}

/// All three, with a thousand clients and with ten thousand.
pub async fn measure() -> Result<Vec<Row>> {
    allow_files()?;
    cores::bind(std::process::id(), &cores::last().to_string()).await?;
    let measured = beside().await;
    cores::bind(std::process::id(), &cores::all()).await?;
    measured
}

async fn beside() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for size in SIZES {
        let (ws, io, own) =
            (peer("ws", size).await?, peer("socket.io", size).await?, own(size).await?);
        rows.extend(compare(size, &own, &ws, &io));
    }
    Ok(rows)
}

fn compare(size: usize, own: &Figures, ws: &Figures, io: &Figures) -> Vec<Row> {
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1_000.0);
    let p99 = |figures: &Figures| figures.times.quantile(0.99);
    let of_ws = |own: Duration, ws: Duration| own.as_secs_f64() / ws.as_secs_f64();
    let (time, cpu) = (of_ws(p99(own), p99(ws)), of_ws(own.cpu, ws.cpu));
    let peers = |what: fn(&Figures) -> Duration, limit: &str| {
        format!("{limit}: ws {}, Socket.IO {}", ms(what(ws)), ms(what(io)))
    };
    let limit = if size == SIZES[0] { "at most 10 ms" } else { "at most 0.7 of ws" };
    let is_fast = if size == SIZES[0] { p99(own) <= MAX_AT_1000 } else { time <= MAX_TIME_OF_WS };
    let mut rows = vec![Row::judged(
        &format!("broadcast to {size} WebSockets, p99"),
        ms(p99(own)),
        peers(|figures| figures.times.quantile(0.99), limit),
        is_fast,
    )];
    let memory = format!(
        "at most 10 kB: ws {:.1}, Socket.IO {:.1}",
        ws.bytes_a_client / 1e3,
        io.bytes_a_client / 1e3
    );
    let (what, figure) = (format!("CPU of a broadcast to {size}"), ms(own.cpu));
    let against = peers(|figures| figures.cpu, "at most 0.5 of ws");
    if size == SIZES[0] {
        rows.push(Row::told(&what, figure, against));
    } else {
        rows.push(Row::judged(&what, figure, against, cpu <= MAX_CPU_OF_WS));
        let kilobytes = format!("{:.1} kB", own.bytes_a_client / 1e3);
        let what = "memory of a client, of 10000";
        rows.push(Row::judged(what, kilobytes, memory, own.bytes_a_client <= MAX_BYTES));
    }
    rows
}

fn status(branch: BranchId) -> MachineStatus {
    MachineStatus {
        machine_id: DeviceId::new(),
        branch_id: branch,
        state: Some("in_use".to_owned()),
        error: None,
        is_lent: true,
        waiting: 0,
    }
}

async fn peer(name: &str, size: usize) -> Result<Figures> {
    let folder = tempfile::tempdir()?;
    let mut peer = Peer::start(name, &folder.path().join("log")).await?;
    let greeting = match name {
        "ws" => {
            Greeting { path: "/".to_owned(), first: None, ready: "ready", told: "machine:status" }
        }
        _ => Greeting {
            path: "/socket.io/?EIO=4&transport=websocket".to_owned(),
            first: Some("40"),
            ready: "40{\"sid\"",
            told: "machine:status",
        },
    };
    let data = json!({"type": "machine:status", "id": "4711", "at": "2026-11-22T02:00:00Z",
        "data": status(BranchId::new())})
    .to_string();
    let before = peer.process.rss_bytes()?;
    let mut crowd = Crowd::gather(peer.address, &greeting, size).await?;
    let bytes_a_client = grown(&peer.process, before, size)?;
    let tell = async || peer.tell(&data).await;
    let (times, cpu) = broadcast(&mut crowd, &peer.process, tell).await?;
    peer.process.kill().await?;
    Ok(Figures { times, cpu, bytes_a_client })
}

async fn own(size: usize) -> Result<Figures> {
    let (db, folder) = (Db::new().await?, tempfile::tempdir()?);
    let mut cloud = Cloud::over(&db.url(), folder.path())?;
    cloud.bind(cores::FIRST);
    cloud.env("GYMWIRE_REALTIME__MAX_CONNECTIONS_PER_USER", "20000");
    cloud.env("GYMWIRE_LIMITS__ANONYMOUS", "1000000");
    let seeded: Value = serde_json::from_str(&cloud.run(&["seed", "--json"]).await?)?;
    cloud.start().await?;
    let (token, branch) = staff(&cloud, &seeded).await?;
    let path = format!("/api/v1/ws/machines?branch_id={branch}&token={token}");
    let told = "\"type\":\"machine:status\"";
    let greeting = Greeting { path, first: None, ready: "\"type\":\"snapshot\"", told };
    let before = cloud.process()?.rss_bytes()?;
    let mut crowd = Crowd::gather(cloud.address(), &greeting, size).await?;
    let bytes_a_client = grown(cloud.process()?, before, size)?;
    let pool = db.pool().await?;
    let tell = async || append(&pool, branch).await;
    let (times, cpu) = broadcast(&mut crowd, cloud.process()?, tell).await?;
    cloud.kill().await?;
    Ok(Figures { times, cpu, bytes_a_client })
}

/// Somebody who works there: their token, and where.
async fn staff(cloud: &Cloud, seeded: &Value) -> Result<(String, BranchId)> {
    let users = seeded["users"].as_array().context("nobody")?;
    let admin = users.iter().find(|user| user["role"] == "admin").context("no admin")?;
    let login = json!({"email": admin["email"], "password": admin["password"]});
    let url = format!("{}/api/v1/auth/login", cloud.url());
    let answer: Value = http::client().post(url).json(&login).send().await?.json().await?;
    let token = answer["access_token"].as_str().context("no token")?.to_owned();
    Ok((token, seeded["branch"]["id"].as_str().context("no branch")?.parse()?))
}

async fn append(pool: &PgPool, branch: BranchId) -> Result<()> {
    let event = Event::MachineStatus(status(branch));
    let now = Clock::system().now();
    log::append(&mut *pool.acquire().await?, Audience::Branch(branch), &event, now).await
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a process")]
fn grown(process: &Process, before: u64, clients: usize) -> Result<f64> {
    Ok(process.rss_bytes()?.saturating_sub(before) as f64 / clients as f64)
}

async fn broadcast<F: Future<Output = Result<()>>>(
    crowd: &mut Crowd,
    process: &Process,
    tell: impl Fn() -> F,
) -> Result<(Times, Duration)> {
    let (mut times, mut cpu) = (Times::new(), Duration::ZERO);
    for number in 0..WARM_UP + BROADCASTS {
        tokio::time::sleep(PAUSE).await;
        let (used, begun) = (process.cpu_time()?, Instant::now());
        let (told, heard) = tokio::join!(tell(), crowd.hear());
        told?;
        for at in heard? {
            if number >= WARM_UP {
                times.record(at.duration_since(begun));
            }
        }
        if number >= WARM_UP {
            cpu += process.cpu_time()?.saturating_sub(used);
        }
    }
    Ok((times, cpu / BROADCASTS))
}

/// Ten thousand sockets are as many files, here and in what is started here.
fn allow_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, wanted).context("no more open files are allowed")
}
