//! The profile of whoever asks, by a service on one core: beside Fastify, with ten thousand connections, and while many
//! try to log in. Clients and Postgres are on the other core.

mod gym;
mod logins;

use super::fastify::{self, Fastify};
use super::table::{Row, grouped};
use crate::cores;
use crate::load::{Asked, Asking, asking};
use anyhow::Result;
use gym::Gym;
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;

const PROFILE: &str = "/api/v1/users/profile";
const CLIENTS: u32 = 64;
/// Each service has so many tries in turn; the best counts, since other work on the machine only ever slows.
const TRIES: usize = 2;
const UNCACHED_FACTOR: f64 = 1.5;
const CACHED_FACTOR: f64 = 5.0;
const P99_LIMIT: Duration = Duration::from_millis(20);
const OPEN: u32 = 10_000;
/// Between two requests of each of them.
const OPEN_PAUSE: Duration = Duration::from_secs(5);
const MEMORY_LIMIT_MB: f64 = 150.0;
const FLOODING: u32 = 32;
const FLOOD_FACTOR: f64 = 2.0;

/// Everything, with all other threads of this process on the other core meanwhile.
pub async fn measure() -> Result<Vec<Row>> {
    let pid = std::process::id();
    cores::bind(pid, &cores::last().to_string()).await?;
    let measured = bound().await;
    cores::bind(pid, &cores::all()).await?;
    measured
}

async fn bound() -> Result<Vec<Row>> {
    let mut gym = Gym::open().await?;
    let mut rows = gym.beside_fastify().await?;
    rows.extend(gym.crowded().await?);
    rows.extend(gym.flooded().await?);
    let rss_mb = gym.peak_mb()?;
    rows.push(Row::judged(
        "peak memory of the cloud after all of this",
        format!("{rss_mb:.1} MB"),
        format!("at most {MEMORY_LIMIT_MB} MB"),
        rss_mb <= MEMORY_LIMIT_MB,
    ));
    rows.extend(logins::measure(&gym).await?);
    gym.close().await?;
    Ok(rows)
}

impl Gym {
    async fn profile(&self, address: SocketAddr) -> Result<Asked> {
        Asking::fast(address, asking::get(PROFILE, &self.token), 200, CLIENTS).run().await
    }

    async fn beside_fastify(&mut self) -> Result<Vec<Row>> {
        let (options, url) = (self.db.connect_options(), self.cached.url());
        let log = self.folder.path().join("fastify.log");
        let peer = match Fastify::start(&options, &url, &log).await {
            Ok(peer) => peer,
            Err(error) => {
                let why = format!("{error:#}");
                return Ok(vec![Row::told("profile read beside Fastify", "?".to_owned(), why)]);
            }
        };
        let (mut theirs, mut read, mut cached) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TRIES {
            theirs.push(self.profile(peer.address).await?);
            read.push(self.profile(self.uncached.address()).await?);
            cached.push(self.profile(self.cached.address()).await?);
        }
        peer.stop().await?;
        let (theirs, version) = (best(&theirs), fastify::version().await?);
        let told = |what: &str, ours: &Asked, factor: f64| {
            let ratio = ours.per_s / theirs.per_s;
            Row::judged(
                what,
                format!("{}/s", grouped(ours.per_s)),
                format!("{ratio:.2} x {version}: {}/s; at least {factor} x", grouped(theirs.per_s)),
                ratio >= factor,
            )
        };
        let (read, cached) = (best(&read), best(&cached));
        Ok(vec![
            told("profile read on one core, verified token remembered", &read, UNCACHED_FACTOR),
            Row::p99("  p99 at 64 connections", &read.times, P99_LIMIT),
            told("profile read on one core, profile remembered too", &cached, CACHED_FACTOR),
            Row::p99("  p99 at 64 connections", &cached.times, P99_LIMIT),
            Row::told(
                "  p99 of Fastify at 64 connections",
                format!("{:.1?}", theirs.times.quantile(0.99)),
                "same query and database".to_owned(),
            ),
        ])
    }

    /// Connections that are kept, each of which asks now and then.
    async fn crowded(&mut self) -> Result<Vec<Row>> {
        let request = asking::get(PROFILE, &self.token);
        let mut crowd = Asking::fast(self.cached.address(), request, 200, OPEN);
        crowd.pause = OPEN_PAUSE;
        crowd.counted = 3 * OPEN_PAUSE;
        let asked = crowd.run().await?;
        Ok(vec![Row::p99(
            &format!(
                "{OPEN} connections kept, {} requests/s over them, none lost; p99",
                asked.per_s.round()
            ),
            &asked.times,
            P99_LIMIT,
        )])
    }

    /// The same 64 clients while others try passwords as fast as they are let.
    async fn flooded(&mut self) -> Result<Vec<Row>> {
        let quiet = self.profile(self.cached.address()).await?;
        let guess = json!({"email": "nobody@example.com", "password": "no password of anybody"});
        let request = asking::post("/api/v1/auth/login", &guess);
        let flood = Asking::fast(self.cached.address(), request, 401, FLOODING).run();
        let (flood, busy) = tokio::join!(flood, self.profile(self.cached.address()));
        let (flood, busy) = (flood?, busy?);
        let at = |asked: &Asked| asked.times.quantile(0.99).as_secs_f64() * 1_000.0;
        let ratio = at(&busy) / at(&quiet);
        Ok(vec![Row::judged(
            "p99 of profiles while logins with argon2 (19 MiB, 2) flood",
            format!("{:.1} ms", at(&busy)),
            format!(
                "{ratio:.2} x quiet ({:.1} ms), at most {FLOOD_FACTOR} x; {:.1} logins/s, {} profiles/s",
                at(&quiet),
                flood.per_s,
                grouped(busy.per_s)
            ),
            ratio <= FLOOD_FACTOR,
        )])
    }
}

fn best(tries: &[Asked]) -> Asked {
    let best = tries.iter().max_by(|one, other| one.per_s.total_cmp(&other.per_s));
    best.expect("there were tries").clone()
}
