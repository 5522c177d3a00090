//! Machines that were lent and sets that were done meanwhile: what the demo knows of, and what the cloud has.

use super::tally::Counts;
use crate::ledger::{self, Ids};
use anyhow::{Result, ensure};
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::fmt;

/// What the cloud's database has.
#[derive(Debug, Default)]
pub struct Lending {
    /// How often each machine was lent.
    links: BTreeMap<String, i64>,
    /// Links that are open still.
    open: i64,
    /// Sets that belong to a member.
    of_members: Ids,
    /// Sets that belong to a member, and no link says why.
    unexplained: i64,
}

impl Lending {
    /// Counts.
    pub async fn read(db: &PgPool) -> Result<Self> {
        let links: Vec<(String, i64)> = sqlx::query_as(
            "SELECT devices.code, count(*) FROM links JOIN devices ON devices.id = machine_id
             GROUP BY devices.code",
        )
        .fetch_all(db)
        .await?;
        let open = "SELECT count(*) FROM links WHERE ended_at IS NULL";
        let unexplained = "SELECT count(*) FROM finished_sets
                           WHERE member_id IS NOT NULL AND NOT EXISTS (
                             SELECT FROM links WHERE links.id = link_id
                               AND links.machine_id = device_id
                               AND links.member_id = finished_sets.member_id)";
        Ok(Self {
            links: links.into_iter().collect(),
            open: sqlx::query_scalar(open).fetch_one(db).await?,
            of_members: ledger::sets_of_members(db).await?,
            unexplained: sqlx::query_scalar(unexplained).fetch_one(db).await?,
        })
    }

    /// Fails if a link or an attribution is missing, doubled or wrong.
    pub fn judge(&self, counts: &Counts) -> Result<()> {
        ensure!(
            self.links == counts.links,
            "machines were lent {:?}, but stored are {:?}",
            counts.links,
            self.links
        );
        ensure!(self.open == 0, "{} machines are lent still", self.open);
        let missing = counts.of_members.missing_in(&self.of_members);
        ensure!(missing.is_empty(), "sets of members belong to nobody: {missing:?}");
        ensure!(self.unexplained == 0, "{} sets belong to somebody else", self.unexplained);
        Ok(())
    }

    /// How often machines were lent.
    pub fn links(&self) -> i64 {
        self.links.values().sum()
    }
}

/// Known and stored.
pub fn pairs(counts: &Counts, stored: &Lending) -> [(&'static str, String); 2] {
    let pair = |known: &dyn fmt::Display, stored: &dyn fmt::Display| format!("{known}, {stored}");
    let known: i64 = counts.links.values().sum();
    [
        ("machines lent by tap, links in the database", pair(&known, &stored.links())),
        (
            "sets surely of a member, stored as such",
            pair(&counts.of_members.len(), &stored.of_members.len()),
        ),
    ]
}
