//! SQL of what facts were folded to: stays, links, queues, and whose sets are.

use super::outcome::{Lent, Outcome};
use super::store::{AT_ONCE, ids};
use crate::clock::at_ms;
use crate::ids::{BranchId, DeviceId, MemberId};
use protocol::ids as wire;
use protocol::rules::State;
use sqlx::{PgConnection, query, query_as, query_scalar};
use std::collections::{BTreeMap, BTreeSet};
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

/// Stays (branch, and id, member, begin) and links (branch, machine, and id, member, begin).
type Spanning = (
    Vec<(wire::BranchId, (wire::SessionId, wire::MemberId, i64))>,
    Vec<(wire::BranchId, wire::DeviceId, (wire::LinkId, wire::MemberId, i64))>,
);

/// What had begun before a moment and had not ended by then.
pub async fn spanning(
    db: &mut PgConnection,
    branches: &BTreeSet<BranchId>,
    at: i64,
) -> sqlx::Result<Spanning> {
    let stays = query!(
        r#"SELECT id, member_id, branch_id,
                  floor(extract(epoch FROM started_at) * 1000)::bigint AS "since_ms!"
           FROM gym_sessions
           WHERE branch_id = ANY($1) AND started_at < $2 AND (ended_at IS NULL OR ended_at >= $2)"#,
        &ids(branches),
        at_ms(at),
    );
    let links = query!(
        r#"SELECT id, member_id, machine_id, branch_id,
                  floor(extract(epoch FROM started_at) * 1000)::bigint AS "since_ms!"
           FROM links
           WHERE branch_id = ANY($1) AND started_at < $2 AND (ended_at IS NULL OR ended_at >= $2)"#,
        &ids(branches),
        at_ms(at),
    );
    let stays = stays.fetch_all(&mut *db).await?.into_iter();
    let links = links.fetch_all(db).await?.into_iter();
    let stays = stays.map(|row| {
        let stay = (wire::SessionId(row.id), wire::MemberId(row.member_id), row.since_ms);
        (wire::BranchId(row.branch_id), stay)
    });
    let links = links.map(|row| {
        let link = (wire::LinkId(row.id), wire::MemberId(row.member_id), row.since_ms);
        (wire::BranchId(row.branch_id), wire::DeviceId(row.machine_id), link)
    });
    Ok((stays.collect(), links.collect()))
}

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

/// Notes from when on the hours of branches have to be summed up again.
pub async fn sum_up_again(
    db: &mut PgConnection,
    outcome: &Outcome,
    branches: &BTreeSet<BranchId>,
    anew_from_ms: Option<i64>,
) -> sqlx::Result<()> {
    let mut since: BTreeMap<Uuid, i64> = BTreeMap::new();
    if let Some(from_ms) = anew_from_ms {
        since.extend(branches.iter().map(|branch| (branch.0, from_ms)));
    }
    for stay in outcome.stays.values() {
        let first = since.entry(stay.branch.0).or_insert(stay.since_ms);
        *first = stay.since_ms.min(*first);
    }
    query!(
        "INSERT INTO visit_hours_stale (branch_id, since)
         SELECT * FROM UNNEST($1::uuid[], $2::timestamptz[])
         ON CONFLICT ON CONSTRAINT visit_hours_stale_pkey
         DO UPDATE SET since = LEAST(visit_hours_stale.since, excluded.since)",
        &since.keys().copied().collect::<Vec<_>>(),
        &since.values().map(|since_ms| at_ms(*since_ms)).collect::<Vec<_>>(),
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
    let stays: Vec<_> =
        outcome.stays.iter().filter(|(_, stay)| stay.end.is_none() == is_open).collect();
    for some in stays.chunks(AT_ONCE) {
        let each = some.iter();
        query!(
            "INSERT INTO gym_sessions (id, member_id, branch_id, started_at, ended_at, end_reason)
             SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[],
                                  $5::timestamptz[], $6::text[])
             ON CONFLICT ON CONSTRAINT gym_sessions_pkey
             DO UPDATE SET started_at = excluded.started_at, ended_at = excluded.ended_at,
                           end_reason = excluded.end_reason",
            &each.clone().map(|(id, _)| id.0).collect::<Vec<_>>(),
            &each.clone().map(|(_, stay)| stay.member.0).collect::<Vec<_>>(),
            &each.clone().map(|(_, stay)| stay.branch.0).collect::<Vec<_>>(),
            &each.clone().map(|(_, stay)| at_ms(stay.since_ms)).collect::<Vec<_>>(),
            &each.clone().map(|(_, stay)| ended_at(stay.end)).collect::<Vec<_>>()
                as &[Option<OffsetDateTime>],
            &each.map(|(_, stay)| end_reason(stay.end)).collect::<Vec<_>>() as &[Option<String>],
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

fn ended_at(end: Option<(i64, &'static str)>) -> Option<OffsetDateTime> {
    end.map(|(until_ms, _)| at_ms(until_ms))
}

fn end_reason(end: Option<(i64, &'static str)>) -> Option<String> {
    end.map(|(_, why)| why.to_owned())
}

async fn write_links(
    db: &mut PgConnection,
    outcome: &Outcome,
    state: &State,
    is_open: bool,
) -> sqlx::Result<()> {
    let links: Vec<_> =
        outcome.links.iter().filter(|(_, lent)| lent.end.is_none() == is_open).collect();
    let branch = |lent: &Lent| state.machine(lent.machine).map(|machine| machine.branch.0);
    for some in links.chunks(AT_ONCE) {
        let each = some.iter();
        query!(
            "INSERT INTO links
               (id, member_id, machine_id, branch_id, started_at, ended_at, end_reason)
             SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[],
                                  $5::timestamptz[], $6::timestamptz[], $7::text[])
             ON CONFLICT ON CONSTRAINT links_pkey
             DO UPDATE SET started_at = excluded.started_at, ended_at = excluded.ended_at,
                           end_reason = excluded.end_reason",
            &each.clone().map(|(id, _)| id.0).collect::<Vec<_>>(),
            &each.clone().map(|(_, lent)| lent.member.0).collect::<Vec<_>>(),
            &each.clone().map(|(_, lent)| lent.machine.0).collect::<Vec<_>>(),
            &each.clone().map(|(_, lent)| branch(lent).unwrap_or(Uuid::nil())).collect::<Vec<_>>(),
            &each.clone().map(|(_, lent)| at_ms(lent.since_ms)).collect::<Vec<_>>(),
            &each.clone().map(|(_, lent)| ended_at(lent.end)).collect::<Vec<_>>()
                as &[Option<OffsetDateTime>],
            &each.map(|(_, lent)| end_reason(lent.end)).collect::<Vec<_>>() as &[Option<String>],
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
    let (owned, all): (Vec<_>, _) = (outcome.sets.iter().collect(), ids(branches));
    for some in owned.chunks(AT_ONCE) {
        let each = some.iter();
        let owners: Vec<_> = each.clone().map(|(_, owner)| **owner).collect();
        let members: Vec<_> = owners.iter().map(|own| own.map(|(member, _)| member.0)).collect();
        let links: Vec<_> = owners.iter().map(|own| own.map(|(_, link)| link.0)).collect();
        let named: Vec<_> = each.clone().map(|(set, _)| set.0).collect();
        query!(
            "UPDATE finished_sets SET member_id = owned.member_id, link_id = owned.link_id
             FROM UNNEST($2::uuid[], $3::uuid[], $4::uuid[]) AS owned (set_id, member_id, link_id)
             WHERE branch_id = ANY($1) AND finished_sets.set_id = owned.set_id",
            &all,
            &named,
            &members as &[Option<Uuid>],
            &links as &[Option<Uuid>],
        )
        .execute(&mut *db)
        .await?;
        let (epochs, seqs): (Vec<_>, Vec<_>) = each
            .map(|(set, _)| set.0.as_u64_pair())
            .map(|(epoch, seq)| (epoch.cast_signed(), seq.cast_signed()))
            .unzip();
        query!(
            "UPDATE finished_sets SET member_id = owned.member_id, link_id = owned.link_id
             FROM UNNEST($2::bigint[], $3::bigint[], $4::uuid[], $5::uuid[])
                  AS owned (epoch, seq, member_id, link_id)
             WHERE branch_id = ANY($1) AND finished_sets.set_id IS NULL
               AND finished_sets.epoch = owned.epoch AND finished_sets.seq = owned.seq",
            &all,
            &epochs,
            &seqs,
            &members as &[Option<Uuid>],
            &links as &[Option<Uuid>],
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
