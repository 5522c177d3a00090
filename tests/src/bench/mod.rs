//! The measurements of `make bench`, each beside its peer or limit in the same run.

mod accounts;
mod acks;
mod backlog;
mod branches;
mod codec;
mod copy;
mod decisions;
mod disk;
mod door;
mod fastify;
pub mod flood;
mod idle;
mod ingest;
mod latency;
mod memory;
mod mosquitto;
mod page;
mod queries;
mod readers;
mod sample;
mod simulated;
mod sockets;
mod start;
pub mod table;
mod tls;
mod wire;

use crate::edge::Edge;
use crate::mqtt::Login;
use anyhow::Result;
use protocol::sync::entry::DeviceKind;
use table::Row;

/// Runs those measurements whose name contains one of `wanted` (all, if there is none), and tells every row as
/// soon as it is known.
pub async fn run(wanted: &[String], tell: &dyn Fn(&Row)) -> Result<()> {
    let is_wanted =
        |name: &str| wanted.is_empty() || wanted.iter().any(|want| name.contains(want.as_str()));
    if is_wanted("acks") {
        acks::measure().await?.iter().for_each(tell);
    }
    if is_wanted("latency") {
        latency::measure().await?.iter().for_each(tell);
    }
    if is_wanted("disk") {
        disk::measure().await?.iter().for_each(tell);
    }
    if is_wanted("backlog") {
        backlog::measure().await?.iter().for_each(tell);
    }
    if is_wanted("wire") {
        wire::measure().await?.iter().for_each(tell);
    }
    if is_wanted("codec") {
        codec::measure()?.iter().for_each(tell);
    }
    if is_wanted("memory") {
        memory::measure().await?.iter().for_each(tell);
    }
    if is_wanted("start") {
        start::measure().await?.iter().for_each(tell);
    }
    if is_wanted("tls") {
        tls::measure().await?.iter().for_each(tell);
    }
    if is_wanted("readers") {
        readers::measure().await?.iter().for_each(tell);
    }
    if is_wanted("decisions") {
        decisions::measure().await?.iter().for_each(tell);
    }
    if is_wanted("page") {
        page::measure().await?.iter().for_each(tell);
    }
    if is_wanted("idle") {
        idle::measure().await?.iter().for_each(tell);
    }
    if is_wanted("door") {
        door::measure().await?.iter().for_each(tell);
    }
    if is_wanted("accounts") {
        accounts::measure().await?.iter().for_each(tell);
    }
    cloud(&is_wanted, tell).await
}

/// The cloud with many branches.
async fn cloud(is_wanted: &dyn Fn(&str) -> bool, tell: &dyn Fn(&Row)) -> Result<()> {
    if is_wanted("sample") {
        sample::measure().await?.iter().for_each(tell);
    }
    if is_wanted("ws") {
        sockets::measure().await?.iter().for_each(tell);
    }
    if is_wanted("ingest") {
        ingest::measure().await?.iter().for_each(tell);
    }
    if is_wanted("queries") {
        queries::measure().await?.iter().for_each(tell);
    }
    if is_wanted("branches") {
        branches::measure().await?.iter().for_each(tell);
    }
    Ok(())
}

/// An agent without a cloud that knows so many machines.
async fn alone(machines: usize) -> Result<(Edge, Vec<Login>)> {
    let edge = Edge::new()?;
    edge.configure("agent.log = \"warn\"\n")?;
    let codes: Vec<String> = (0..machines).map(|number| format!("bike-{number:03}")).collect();
    let logins = edge.add_devices(DeviceKind::Machine, &codes).await?;
    Ok((edge, logins))
}
