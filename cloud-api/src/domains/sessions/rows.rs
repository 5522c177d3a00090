//! SQL of what facts were folded to: stays, links, queues, and whose sets are.

use super::outcome::Outcome;
use super::store::ids;
use crate::clock::at_ms;
use crate::ids::{BranchId, DeviceId, MemberId};
use protocol::rules::State;
use sqlx::{PgConnection, query, query_as, query_scalar};
use std::collections::BTreeSet;
use time::OffsetDateTime;
use uuid::Uuid;

/// A stay that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    pub id: Uuid,
    pub member_id: MemberId,
    pub branch_id: BranchId,
    pub started_at: OffsetDateTime,
}

/// A machine that is lent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLink {
    pub id: Uuid,
    pub member_id: MemberId,
    pub machine_id: DeviceId,
    pub started_at: OffsetDateTime,
}

pub async fn open_sessions(
    db: &mut PgConnection,
    branch: BranchId,
) -> sqlx::Result<Vec<OpenSession>> {
    query_as!(
        OpenSession,
        r#"SELECT id, member_id AS "member_id: MemberId", branch_id AS "branch_id: BranchId",
                  started_at
         FROM gym_sessions WHERE branch_id = $1 AND ended_at IS NULL ORDER BY started_at, id"#,
        branch.0,
    )
    .fetch_all(db)
    .await
}

pub async fn open_links(db: &mut PgConnection, branch: BranchId) -> sqlx::Result<Vec<OpenLink>> {
    query_as!(
        OpenLink,
        r#"SELECT id, member_id AS "member_id: MemberId", machine_id AS "machine_id: DeviceId",
                  started_at
         FROM links WHERE branch_id = $1 AND ended_at IS NULL ORDER BY started_at, id"#,
        branch.0,
    )
    .fetch_all(db)
    .await
}

/// The last moment, up to `before_ms`, at which nobody was in any of the branches.
pub async fn quiet_before(
    db: &mut PgConnection,
    branches: &BTreeSet<BranchId>,
    before_ms: i64,
) -> sqlx::Result<i64> {
    let mut quiet_ms = before_ms;
    // Each step goes to the beginning of a stay: a day of a branch that never empties has a few hundred.
    for _ in 0..MAX_STEPS {
        let begun = query_scalar!(
            "SELECT floor(extract(epoch FROM min(started_at)) * 1000)::bigint FROM gym_sessions
             WHERE branch_id = ANY($1) AND started_at < $2
               AND (ended_at IS NULL OR ended_at >= $2)",
            &ids(branches),
            at_ms(quiet_ms),
        );
        match begun.fetch_one(&mut *db).await? {
            Some(begun_ms) if begun_ms < quiet_ms => quiet_ms = begun_ms,
            _ => break,
        }
    }
    Ok(quiet_ms)
}

const MAX_STEPS: usize = 500;

/// Takes away what was folded of a stretch that is folded anew.
pub async fn forget_since(
    db: &mut PgConnection,
    branches: &BTreeSet<BranchId>,
    from_ms: i64,
) -> sqlx::Result<()> {
    let (branches, from) = (ids(branches), at_ms(from_ms));
    query!("DELETE FROM links WHERE branch_id = ANY($1) AND started_at >= $2", &branches, from)
        .execute(&mut *db)
        .await?;
    query!(
        "DELETE FROM gym_sessions WHERE branch_id = ANY($1) AND started_at >= $2",
        &branches,
        from
    )
    .execute(&mut *db)
    .await?;
    query!(
        "UPDATE finished_sets SET member_id = NULL, link_id = NULL
         WHERE branch_id = ANY($1) AND at >= $2 AND link_id IS NOT NULL",
        &branches,
        from
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes what folding came to: what has ended first, so that what is open finds its place.
pub async fn write(
    db: &mut PgConnection,
    branches: &BTreeSet<BranchId>,
    outcome: &Outcome,
    state: &State,
) -> sqlx::Result<()> {
    for is_open in [false, true] {
        write_stays(db, outcome, is_open).await?;
        write_links(db, outcome, state, is_open).await?;
    }
    write_sets(db, branches, outcome).await?;
    write_queues(db, branches, state).await
}

async fn write_stays(db: &mut PgConnection, outcome: &Outcome, is_open: bool) -> sqlx::Result<()> {
    for (id, stay) in outcome.stays.iter().filter(|(_, stay)| stay.end.is_none() == is_open) {
        query!(
            "INSERT INTO gym_sessions (id, member_id, branch_id, started_at, ended_at, end_reason)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT ON CONSTRAINT gym_sessions_pkey
             DO UPDATE SET started_at = excluded.started_at, ended_at = excluded.ended_at,
                           end_reason = excluded.end_reason",
            id.0,
            stay.member.0,
            stay.branch.0,
            at_ms(stay.since_ms),
            stay.end.map(|(until_ms, _)| at_ms(until_ms)),
            stay.end.map(|(_, why)| why),
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

async fn write_links(
    db: &mut PgConnection,
    outcome: &Outcome,
    state: &State,
    is_open: bool,
) -> sqlx::Result<()> {
    for (id, lent) in outcome.links.iter().filter(|(_, lent)| lent.end.is_none() == is_open) {
        let branch = state.machine(lent.machine).map(|machine| machine.branch.0);
        query!(
            "INSERT INTO links
               (id, member_id, machine_id, branch_id, started_at, ended_at, end_reason)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT ON CONSTRAINT links_pkey
             DO UPDATE SET started_at = excluded.started_at, ended_at = excluded.ended_at,
                           end_reason = excluded.end_reason",
            id.0,
            lent.member.0,
            lent.machine.0,
            branch.unwrap_or(Uuid::nil()),
            at_ms(lent.since_ms),
            lent.end.map(|(until_ms, _)| at_ms(until_ms)),
            lent.end.map(|(_, why)| why),
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// A set is named by its own id, or by its place in the journal.
async fn write_sets(
    db: &mut PgConnection,
    branches: &BTreeSet<BranchId>,
    outcome: &Outcome,
) -> sqlx::Result<()> {
    for (set, owner) in &outcome.sets {
        let (epoch, seq) = set.0.as_u64_pair();
        query!(
            "UPDATE finished_sets SET member_id = $2, link_id = $3
             WHERE branch_id = ANY($1)
               AND (set_id = $4 OR (set_id IS NULL AND epoch = $5 AND seq = $6))",
            &ids(branches),
            owner.map(|(member, _)| member.0),
            owner.map(|(_, link)| link.0),
            set.0,
            epoch.cast_signed(),
            seq.cast_signed(),
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

async fn write_queues(
    db: &mut PgConnection,
    branches: &BTreeSet<BranchId>,
    state: &State,
) -> sqlx::Result<()> {
    query!("DELETE FROM queue_entries WHERE branch_id = ANY($1)", &ids(branches))
        .execute(&mut *db)
        .await?;
    for (id, machine) in state.machines() {
        let offered = machine.offer.map(|offer| (0, offer.member, Some(at_ms(offer.until_ms))));
        let waiting = (1..).zip(&machine.queue).map(|(place, member)| (place, *member, None));
        for (place, member, until) in offered.into_iter().chain(waiting) {
            query!(
                "INSERT INTO queue_entries (machine_id, place, member_id, branch_id, offered_until)
                 VALUES ($1, $2, $3, $4, $5)",
                id.0,
                place,
                member.0,
                machine.branch.0,
                until,
            )
            .execute(&mut *db)
            .await?;
        }
    }
    Ok(())
}
